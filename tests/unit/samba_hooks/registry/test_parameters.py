"""The tables have every share parameter and VFS module of the Samba at hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from samba_hooks import testparm
from samba_hooks.registry.parameters import (
    INHERITED,
    LISTS,
    MODULES,
    NOT_COPIED,
    PARAMETERS,
    REFUSED,
    SWITCHED_OFF,
    module_treatment,
    treatment,
)
from samba_hooks.tools import SambaTools
from tests.paths import ROOT

SAMBA = pytest.mark.skipif(not shutil.which("testparm"), reason="Samba's tools are not installed")


def share_parameters() -> dict[str, str]:
    return testparm.share_parameters(SambaTools(None, [], 30).all_parameters())


@SAMBA
def test_every_share_parameter_of_this_samba_is_decided() -> None:
    assert len(share_parameters()) > 100
    assert share_parameters().keys() - PARAMETERS.keys() == {"-valid"}  # cannot be set


@SAMBA
def test_the_lists_are_those_of_this_samba() -> None:
    lists = {name for name, kind in share_parameters().items() if kind == "P_CMDLIST"}
    assert lists == LISTS & share_parameters().keys()


@SAMBA
def test_every_module_of_this_samba_is_decided() -> None:
    folders = [Path("/usr/lib"), Path("/usr/lib64")]
    found = {path.stem for folder in folders for path in folder.glob("**/samba/vfs/*.so")}
    assert not found - MODULES.keys()


def test_the_page_about_modules_is_complete() -> None:
    page = (ROOT / "docs" / "vfs.md").read_text()
    assert [name for name in MODULES if f"`{name}`" not in page.replace(" ", "` `")] == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("valid users", INHERITED),
        ("no such parameter", INHERITED),
        ("full_audit:prefix", INHERITED),
        ("guest ok", SWITCHED_OFF),
        ("fruit:time machine", SWITCHED_OFF),
        ("recycle:repository", NOT_COPIED),
        ("fsrvp:keep", NOT_COPIED),
        ("msdfs root", REFUSED),
    ],
)
def test_treatment(name: str, kind: str) -> None:
    assert treatment(name).kind == kind


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("acl_xattr", INHERITED),
        ("of_a_vendor", INHERITED),
        ("/usr/lib/vfs/ACL_tdb.so:x", REFUSED),
        ("recycle:first", NOT_COPIED),
    ],
)
def test_treatment_of_a_module(word: str, kind: str) -> None:
    assert module_treatment(word).kind == kind
