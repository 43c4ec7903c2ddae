"""Samba's tools give the same results as its library. test_shadow_shares.py tests the changes
of the registry with both."""

from __future__ import annotations

import pytest

from fsrvpd.errors import RegistryError
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.registry.worker.requests import TDB_WITHOUT_MMAP

from .conftest import Nas


def test_the_library_is_chosen_where_it_loads(nas: Nas) -> None:
    registry = nas.new_registry("chosen", "either")
    assert registry.start("either", str(nas.samba.conf)) == "RegistryClient"
    registry.hang_up()


@pytest.mark.parametrize(
    ("library", "why"),
    [
        ("libnothing.so.0", "libnothing.so.0 cannot be loaded"),
        ("libc.so.6", "libc.so.6 is of an unsupported Samba version: it lacks _talloc_free"),
    ],
)
def test_the_tools_are_chosen_where_it_does_not(nas: Nas, library: str, why: str) -> None:
    registry = nas.new_registry(f"without {library}", "either", library=library)
    assert registry.share("data").name == "data"
    assert why in registry.log.read_text()
    registry.hang_up()


def test_what_is_wrong_with_smb_conf_is_no_reason_to_fall_back(nas: Nas) -> None:
    registry = nas.new_registry("wrong", "either")
    with pytest.raises(RegistryError, match=r"/nonexistent/smb\.conf"):
        registry.start("either", "/nonexistent/smb.conf")
    registry.hang_up()


def test_same_configuration(nas: Nas) -> None:
    nas.samba.set_option("fsrvpd:max sets", "5")
    nas.samba.set_option("netbios aliases", "ONE TWO")
    overrides = [("fsrvpd:max sets", "6"), ("fsrvpd:dialect", "ws2012")]
    fast = nas.new_registry("fast", "library", overrides=overrides)
    slow = nas.new_registry("slow", "commands", overrides=overrides)
    one, other = fast.configuration(), slow.configuration()
    fields = [name for name in SambaConfiguration._fields if name != "parameters"]
    assert {name: getattr(one, name) for name in fields} == {
        name: getattr(other, name) for name in fields
    }
    differing = {
        name
        for name in {*one.parameters, *other.parameters}
        if one.parameters.get(name) != other.parameters.get(name)
    }
    assert differing == {TDB_WITHOUT_MMAP[0]}
    fast.hang_up()
    slow.hang_up()


def test_same_shares(nas: Nas) -> None:
    nas.samba.set_share(nas.share("zwei Wörter", {"fsrvp:keep": "yes", "read only": "yes"}))
    nas.registry_share("InReg", vfs_objects="acl_xattr catia")
    slow = nas.new_registry("slow too", "commands")
    for name in ("DATA", "zwei wörter", "inreg", "nope", "global", "IPC$"):
        assert slow.share(name) == nas.registry.share(name), name
    assert {each.name: each for each in slow.shares()} == {
        each.name: each for each in nas.registry.shares()
    }
    slow.hang_up()


def test_a_name_like_an_option_is_refused(nas: Nas) -> None:
    slow = nas.new_registry("wary", "commands")
    with pytest.raises(RegistryError, match="for an option"):
        slow.unexpose(["--help"])
    slow.hang_up()
