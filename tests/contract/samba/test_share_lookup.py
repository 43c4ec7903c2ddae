from __future__ import annotations

import ctypes

import pytest

from fsrvpd.protocol.unc import normal_share
from lab import Share

from .conftest import Nas


def test_share_of_the_file_in_sambas_spelling(nas: Nas) -> None:
    share = nas.registry.share("DATA")
    assert share.name == "data"
    assert share.path == str(nas.directory("data"))
    assert not share.read_only
    assert not share.from_registry
    assert share.available
    assert not share.refusal
    assert share.shadow_copy_id is None


def test_share_of_an_included_file(nas: Nas) -> None:
    included = nas.lab.directory / "shares.conf"
    included.write_text(f"[included]\npath = {nas.directory('included')}\nfsrvp:keep = yes\n")
    nas.samba.set_option("include", str(included))
    share = nas.registry.share("included")
    assert share.path == str(nas.directory("included"))
    assert share.options == {"keep": "yes"}
    nas.samba.set_option("include", None)
    assert nas.registry.share("included") is None


def test_share_of_the_registry(nas: Nas) -> None:
    nas.registry_share("InReg", vfs_objects="acl_xattr catia", available="no")
    share = nas.registry.share("inreg")
    assert share.name == "InReg"
    assert share.from_registry
    assert share.vfs_objects == ("acl_xattr", "catia")
    assert not share.available
    nas.samba.net("conf", "setparm", "INREG", "available", "yes")
    assert nas.registry.share("inreg").available
    nas.samba.net("conf", "delparm", "INREG", "vfs objects")
    assert nas.registry.share("inreg").vfs_objects == ()
    nas.samba.net("conf", "delshare", "inreg")
    assert nas.registry.share("inreg") is None


def test_registry_adds_to_a_share_of_the_file(nas: Nas) -> None:
    """As in smbd, the registry's value wins if both define an option."""
    nas.samba.set_share(nas.share("both", {"comment": "file", "browseable": "no"}))
    nas.samba.net("conf", "addshare", "both", str(nas.directory("both")))
    nas.samba.net("conf", "setparm", "both", "available", "no")
    assert not nas.registry.share("both").available
    nas.samba.net("conf", "delshare", "both")
    assert nas.registry.share("both").available


def test_copy_is_resolved(nas: Nas) -> None:
    nas.samba.set_share(nas.share("template", {"vfs objects": "catia", "read only": "yes"}))
    nas.samba.set_share(nas.share("made", {"copy": "template"}))
    share = nas.registry.share("made")
    assert share.vfs_objects == ("catia",)
    assert share.path == str(nas.directory("made"))


@pytest.mark.parametrize("name", ["hidden$", "zwei Wörter", "Höhe & Tiefe", "données"])
def test_names(nas: Nas, name: str) -> None:
    nas.samba.set_share(nas.share(name))
    assert nas.registry.share(name.upper()).name == name
    nas.registry_share(f"R {name}")
    assert nas.registry.share(f"r {name.lower()}").name == f"R {name}"


@pytest.mark.parametrize("name", ["nope", "global", "GLOBALS", "glo bal", "IPC$", "", "a\\b", ".."])
def test_what_is_no_share(nas: Nas, name: str) -> None:
    assert nas.registry.share(name) is None


def test_printers_and_homes_are_told_as_they_are(nas: Nas) -> None:
    nas.samba.set_share(nas.share("printers", {"printable": "yes", "path": "/var/tmp"}))
    nas.samba.set_share(nas.share("homes", {"path": "/home/%S"}))
    assert nas.registry.share("printers").refusal == "it is a printer"
    assert nas.registry.share("homes").path == "/home/%S"
    assert nas.registry.share("root") is None, "a home directory is no share of its own here"


def test_options_of_global_are_defaults(nas: Nas) -> None:
    nas.samba.set_option("fsrvp:provider", "reflink")
    nas.samba.set_share(nas.share("other", {"fsrvp:provider": "btrfs"}))
    assert nas.registry.share("data").options == {"provider": "reflink"}
    assert nas.registry.share("other").options == {"provider": "btrfs"}
    nas.samba.set_option("fsrvp:provider", None)


def test_all_shares_are_those_of_file_and_registry(nas: Nas) -> None:
    nas.registry_share("listed")
    nas.registry.expose([nas.shadow("data", 77)])
    shares = nas.registry.shares()
    names = [share.name for share in shares]
    assert shares == [nas.registry.share(name) for name in names]
    assert {"data", "listed"} <= set(names)
    assert "IPC$" not in names
    assert not any("@" in name for name in names)
    nas.registry.unexpose([nas.shadow("data", 77).name])


def test_memory_survives_our_own_changes_but_no_others(nas: Nas) -> None:
    """The worker is stopped, so only cached shares can be returned."""
    registry = nas.new_registry("patient", timeout=3.0)
    shadow = nas.shadow("data", 78)
    assert registry.share("data") is not None
    registry.expose([shadow])
    registry.unexpose([shadow.name])
    worker = registry.worker()
    nas.lab.run(["kill", "-STOP", str(worker)])
    assert registry.share("data") is not None
    nas.samba.net("conf", "setparm", "global", "fsrvp:x", "y")
    with pytest.raises(Exception, match="timed out"):
        registry.share("data")
    assert registry.share("data") is not None, "by a new worker"
    assert registry.worker() != worker
    registry.hang_up()


def test_a_name_in_another_charset_is_known_and_refused(nas: Nas) -> None:
    latin = "Größe".encode("latin-1").decode("utf-8", "surrogateescape")
    nas.samba.set_option("unix charset", "ISO8859-1")
    nas.samba.set_share(Share(latin, nas.directory("sizes")))
    nas.samba.set_share(Share("users", nas.directory("users"), {"valid users": latin}))
    try:
        refusal = nas.registry.share("Größe").refusal
        assert nas.registry.share("users").refusal == ""
    finally:
        nas.samba.set_option("unix charset", None)
        nas.samba.set_share(Share(latin, nas.directory("sizes"), {"available": "no"}))
    assert refusal.startswith("its name has letters outside ASCII in `unix charset` ISO8859-1")


def test_names_are_compared_by_sambas_own_table_of_case() -> None:
    """smbd finds a share by its name in lower case, one code point after the other."""
    tolower = ctypes.CDLL("libsamba-util.so.0").tolower_m
    tolower.restype, tolower.argtypes = ctypes.c_uint32, [ctypes.c_uint32]
    codes = [*range(0xD800), *range(0xE000, 0x20000)]
    assert [hex(code) for code in codes if normal_share(chr(code)) != chr(tolower(code))] == []
