"""Samba's tools instead of its library: the same answers. What they change in the
registry is held to the same tests as the library: test_shadow_shares.py."""

from __future__ import annotations

import pytest

from fsrvpd.errors import RegistryError
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.worker.verbs import HALF_THE_SYNCS

from .conftest import Site


def test_the_library_is_chosen_where_it_loads(site: Site) -> None:
    registry = site.new_registry("chosen", "either")
    assert registry.start("either", str(site.samba.conf)) == "RegistryClient"
    registry.hang_up()


@pytest.mark.parametrize(
    ("library", "why"),
    [
        ("libnothing.so.0", "libnothing.so.0 cannot be loaded"),
        ("libc.so.6", "libc.so.6 is of an unknown Samba: no _talloc_free"),
    ],
)
def test_the_tools_are_chosen_where_it_does_not(site: Site, library: str, why: str) -> None:
    registry = site.new_registry(f"without {library}", "either", library=library)
    assert registry.share("data").name == "data"
    assert why in registry.log.read_text()
    registry.hang_up()


def test_what_is_wrong_with_smb_conf_is_no_reason_to_fall_back(site: Site) -> None:
    registry = site.new_registry("wrong", "either")
    with pytest.raises(RegistryError, match=r"/nonexistent/smb\.conf"):
        registry.start("either", "/nonexistent/smb.conf")
    registry.hang_up()


def test_same_configuration(site: Site) -> None:
    site.samba.set_option("fsrvpd:max sets", "5")
    site.samba.set_option("netbios aliases", "ONE TWO")
    overrides = [("fsrvpd:max sets", "6"), ("fsrvpd:dialect", "ws2012")]
    fast = site.new_registry("fast", "library", overrides=overrides)
    slow = site.new_registry("slow", "commands", overrides=overrides)
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
    assert differing == {HALF_THE_SYNCS[0]}
    fast.hang_up()
    slow.hang_up()


def test_same_shares(site: Site) -> None:
    site.samba.set_share(site.share("zwei Wörter", {"fsrvp:keep": "yes", "read only": "yes"}))
    site.registry_share("InReg", vfs_objects="acl_xattr catia")
    slow = site.new_registry("slow too", "commands")
    for name in ("DATA", "zwei wörter", "inreg", "nope", "global", "IPC$"):
        assert slow.share(name) == site.registry.share(name), name
    assert sorted(slow.share_names()) == sorted(site.registry.share_names())
    slow.hang_up()


def test_a_name_like_an_option_is_refused(site: Site) -> None:
    slow = site.new_registry("wary", "commands")
    with pytest.raises(RegistryError, match="looks like an option"):
        slow.unexpose(["--help"])
    slow.hang_up()
