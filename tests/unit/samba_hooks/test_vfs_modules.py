"""Which VFS modules smbd can load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsrvpd.errors import RegistryError
from samba_hooks import vfs_modules
from samba_hooks.tools import SambaTools


class Tools(SambaTools):
    def __init__(self, directory: Path) -> None:
        super().__init__(None, [], 1)
        self._directory = directory

    def build_options(self) -> str:
        return (
            f"Paths:\n   MODULESDIR: {self._directory}\nBuiltin modules:\n"
            "   vfs_default vfs_posixacl auth_sam\n"
        )


def test_files_and_what_is_built_in(tmp_path: Path) -> None:
    (tmp_path / "vfs").mkdir()
    (tmp_path / "vfs/recycle.so").touch()
    words = [
        "recycle:2",
        "posixacl",
        "Recycle",
        f"{tmp_path}/vfs/recycle.so",
        "shadow_copy2",
        "/x.so",
    ]
    assert vfs_modules.missing(Tools(tmp_path), words) == ["shadow_copy2", "/x.so"]


def test_a_samba_that_does_not_say_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tools: Any = Tools(tmp_path)
    monkeypatch.setattr(tools, "build_options", lambda: "")
    with pytest.raises(RegistryError, match="MODULESDIR"):
        vfs_modules.missing(tools, ["x"])
