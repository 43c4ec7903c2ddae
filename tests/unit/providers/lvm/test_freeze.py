"""The control of the freeze helper. tests/contract/providers/test_freeze.py tests freezing
itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fsrvpd.errors import StorageError
from fsrvpd.providers.lvm import freeze
from fsrvpd.providers.lvm.freeze import can_snapshot_frozen, frozen


@pytest.mark.parametrize(
    ("release", "can"),
    [
        ("6.8.0-31-generic", True),
        ("6.18.1", True),
        ("7.0", True),
        ("6.7.12+", False),
        ("5.9", False),
    ],
)
def test_snapshots_of_frozen_volumes_need_linux_6_8(
    monkeypatch: pytest.MonkeyPatch, release: str, can: bool
) -> None:
    name = os.uname_result(("Linux", "nas", release, "#1", "x86_64"))
    monkeypatch.setattr(os, "uname", lambda: name)
    assert can_snapshot_frozen() == can


def test_what_cannot_be_frozen_is_named(tmp_path: Path) -> None:
    freezing = frozen([str(tmp_path / "missing")], limit=5)
    with (
        pytest.raises(StorageError, match="cannot be frozen together with the others") as caught,
        freezing,
    ):
        pytest.fail("it must not get here")
    assert "missing: No such file or directory" in str(caught.value)


def test_a_helper_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    freezing = frozen([str(tmp_path)], limit=5)
    with (
        pytest.raises(StorageError, match=r"No such file or directory \(/no/such/python\)"),
        freezing,
    ):
        pytest.fail("it must not get here")


def test_a_helper_that_prints_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    silent = tmp_path / "silent.py"
    silent.write_text("import sys; sys.stdin.read()")
    monkeypatch.setattr(freeze.freeze_helper, "__file__", str(silent))
    monkeypatch.setattr(freeze, "_EXIT_TIMEOUT", 0.5)
    freezing = frozen([str(tmp_path)], limit=0.1)
    with pytest.raises(StorageError, match=r"is not frozen after 0\.6 s"), freezing:
        pytest.fail("it must not get here")
