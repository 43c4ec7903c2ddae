"""A child process says whether Samba is clustered; this one loads nothing."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from samba_hooks.registry.worker import clustering

PRINTED = "# Global parameters\n[global]\n\tclustering = {}\n\tconfig file = {}\n"


class FakeLibrary:
    """Prints what the last loaded file holds."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.call = SimpleNamespace(prctl=lambda option, value: 0)

    def load_global(self, config_file: str) -> bool:
        self.loaded.append(config_file)
        return True

    def globals(self) -> str:
        return Path(self.loaded[-1]).read_text()

    def expand(self, value: str) -> str:
        return value


@pytest.mark.parametrize("value", ["Yes", "No"])
def test_what_smb_conf_says(value: str, tmp_path: Path) -> None:
    library: Any = FakeLibrary()
    smb_conf = tmp_path / "smb.conf"
    smb_conf.write_text(PRINTED.format(value, ""))
    assert clustering.is_on(library, str(smb_conf)) is (value == "Yes")
    assert library.loaded == []


def test_what_the_file_says_to_which_it_leads(tmp_path: Path) -> None:
    library: Any = FakeLibrary()
    first, second = tmp_path / "first.conf", tmp_path / "second.conf"
    first.write_text(PRINTED.format("No", second))
    second.write_text(PRINTED.format("Yes", second))
    assert clustering.is_on(library, str(first))


def test_a_library_that_ends_its_process_says_no() -> None:
    library: Any = FakeLibrary()
    library.load_global = lambda config_file: os._exit(1)
    assert not clustering.is_on(library, "/etc/samba/smb.conf")
