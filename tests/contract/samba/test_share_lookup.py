from __future__ import annotations

import pytest

from .conftest import Site


def test_share_of_the_file_in_sambas_spelling(site: Site) -> None:
    share = site.registry.share("DATA")
    assert share.name == "data"
    assert share.path == str(site.directory("data"))
    assert not share.read_only
    assert not share.from_registry
    assert share.available
    assert not share.printable
    assert not share.msdfs_root
    assert share.shadow_copy_id is None


def test_share_of_an_included_file(site: Site) -> None:
    included = site.lab.directory / "shares.conf"
    included.write_text(f"[included]\npath = {site.directory('included')}\nfsrvp:keep = yes\n")
    site.samba.set_option("include", str(included))
    share = site.registry.share("included")
    assert share.path == str(site.directory("included"))
    assert share.options == {"keep": "yes"}
    site.samba.set_option("include", None)
    assert site.registry.share("included") is None


def test_share_of_the_registry(site: Site) -> None:
    site.registry_share("InReg", vfs_objects="acl_xattr catia", available="no")
    share = site.registry.share("inreg")
    assert share.name == "InReg"
    assert share.from_registry
    assert share.vfs_objects == ("acl_xattr", "catia")
    assert not share.available
    site.samba.net("conf", "setparm", "INREG", "available", "yes")
    assert site.registry.share("inreg").available
    site.samba.net("conf", "delparm", "INREG", "vfs objects")
    assert site.registry.share("inreg").vfs_objects == ()
    site.samba.net("conf", "delshare", "inreg")
    assert site.registry.share("inreg") is None


def test_registry_adds_to_a_share_of_the_file(site: Site) -> None:
    """As smbd has it: what both define is the registry's."""
    site.samba.set_share(site.share("both", {"comment": "file", "browseable": "no"}))
    site.samba.net("conf", "addshare", "both", str(site.directory("both")))
    site.samba.net("conf", "setparm", "both", "available", "no")
    assert not site.registry.share("both").available
    site.samba.net("conf", "delshare", "both")
    assert site.registry.share("both").available


def test_copy_is_resolved(site: Site) -> None:
    site.samba.set_share(site.share("template", {"vfs objects": "catia", "read only": "yes"}))
    site.samba.set_share(site.share("made", {"copy": "template"}))
    share = site.registry.share("made")
    assert share.vfs_objects == ("catia",)
    assert share.path == str(site.directory("made"))


@pytest.mark.parametrize("name", ["hidden$", "zwei Wörter", "Höhe & Tiefe", "données"])
def test_names(site: Site, name: str) -> None:
    site.samba.set_share(site.share(name))
    assert site.registry.share(name.upper()).name == name
    site.registry_share(f"R {name}")
    assert site.registry.share(f"r {name.lower()}").name == f"R {name}"


@pytest.mark.parametrize("name", ["nope", "global", "GLOBALS", "glo bal", "IPC$", "", "a\\b", ".."])
def test_what_is_no_share(site: Site, name: str) -> None:
    assert site.registry.share(name) is None


def test_printers_and_homes_are_told_as_they_are(site: Site) -> None:
    site.samba.set_share(site.share("printers", {"printable": "yes", "path": "/var/tmp"}))
    site.samba.set_share(site.share("homes", {"path": "/home/%S"}))
    assert site.registry.share("printers").printable
    assert site.registry.share("homes").path == "/home/%S"
    assert site.registry.share("root") is None, "a home directory is no share of its own here"


def test_options_of_global_are_defaults(site: Site) -> None:
    site.samba.set_option("fsrvp:provider", "reflink")
    site.samba.set_share(site.share("other", {"fsrvp:provider": "btrfs"}))
    assert site.registry.share("data").options == {"provider": "reflink"}
    assert site.registry.share("other").options == {"provider": "btrfs"}
    site.samba.set_option("fsrvp:provider", None)


def test_share_names_are_those_of_file_and_registry(site: Site) -> None:
    site.registry_share("listed")
    site.registry.expose([site.shadow("data", 77)])
    names = site.registry.share_names()
    assert {"data", "listed"} <= set(names)
    assert "IPC$" not in names
    assert not any("@" in name for name in names)
    site.registry.unexpose([site.shadow("data", 77).name])


def test_memory_survives_our_own_changes_but_no_others(site: Site) -> None:
    """The worker is stopped: only what needs no worker can be answered."""
    registry = site.new_registry("patient", timeout=1.0)
    shadow = site.shadow("data", 78)
    assert registry.share("data") is not None
    registry.expose([shadow])
    registry.unexpose([shadow.name])
    worker = registry.worker()
    site.lab.run(["kill", "-STOP", str(worker)])
    assert registry.share("data") is not None
    site.samba.net("conf", "setparm", "global", "fsrvp:x", "y")
    with pytest.raises(Exception, match="no answer"):
        registry.share("data")
    assert registry.share("data") is not None, "by a new worker"
    assert registry.worker() != worker
    registry.hang_up()
