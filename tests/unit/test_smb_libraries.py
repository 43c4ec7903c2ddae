"""SMB in Python comes from one library, which only the packages below know.

impacket and pysmb are peers in tests. Products that watch for attackers report hosts that have
impacket installed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.modules import MODULES, dotted, imports, is_inside

# Each with the packages that may import it.
LIBRARIES = {
    "smbprotocol": ("fsrvpd.requestor.smb", "fsrvpd.requestor.files"),
    "smbclient": (),
    "spnego": ("fsrvpd.requestor.smb",),
    "mfusepy": ("fsrvpd.requestor.mount",),
    "impacket": (),
    "smb": (),  # pysmb
}


def may_import(path: Path, name: str) -> bool:
    return any(is_inside(dotted(path), package) for package in LIBRARIES[name])


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_only_few_packages_import_them(path: Path) -> None:
    found = {name.split(".")[0] for name in imports(path)} & set(LIBRARIES)
    wrong = {name for name in found if not may_import(path, name)}
    assert not wrong, f"{path} must not import {sorted(wrong)}"
