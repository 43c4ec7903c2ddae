from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Iterator

import pytest
from impacket.smbconnection import SessionError, SMBConnection

from fsrvpd.errors import RegistryError
from tests.lab import CommandFailed, User
from tests.lab.namespaces import wait_until

from .conftest import SET_ID, Site, open_site

FILE = "file"
EVERYBODY_READS = "S-1-1-0:ALLOWED/0/READ"
EVERYBODY_ALL = "S-1-1-0:ALLOWED/0x0/FULL"


@pytest.fixture(scope="module", params=["library", "commands"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Both ways of reaching Samba's registry must pass all of this."""
    with open_site(request.param) as site:
        yield site


@contextmanager
def session(site: Site, user: User) -> Iterator[SMBConnection]:
    """One SMB session, and so one smbd, that stays over several requests."""
    with site.lab.network() as thread:
        connection = thread.submit(SMBConnection, site.samba.address, site.samba.address)
        smb = connection.result()
        smb.login(user.name, user.password)
        try:
            yield smb
        finally:
            smb.close()


def connect(smb: SMBConnection, share: str) -> int:
    """A new tree connect; impacket by itself would reuse one that smbd has closed."""
    table = smb.getSMBServer()._Session["TreeConnectTable"]
    for key in [key for key in table if str(key).lower().endswith(share.lower())]:
        del table[key]
    tree: int = smb.connectTree(share)
    return tree


def read(smb: SMBConnection, share: str) -> str:
    connect(smb, share)
    chunks: list[bytes] = []
    smb.getFile(share, FILE, chunks.append)
    return b"".join(chunks).decode()


@pytest.fixture(autouse=True)
def nothing_left(site: Site) -> Iterator[None]:
    yield
    site.registry.unexpose(list(site.registry.shadow_shares()))
    assert not [name for name in site.registry_names() if "@" in name]


def test_exposed_share_is_read_with_the_copys_content(site: Site) -> None:
    shadow = site.shadow("data")
    site.registry.expose([shadow])
    assert site.samba.read(shadow.name, FILE) == "in copy of data"
    assert site.samba.read(shadow.name.lower(), FILE) == "in copy of data"
    share = site.registry.share(shadow.name)
    assert share.shadow_copy_id == shadow.shadow_copy_id
    assert share.path == shadow.path
    assert share.read_only


def test_an_exposure_that_fails_takes_no_other_shares_descriptor(site: Site) -> None:
    """Neither that of a share of the same name which is not ours, nor that of one which
    was exposed before: without it, a share is open to everybody."""
    ours, foreign = site.shadow("data", 31), site.shadow("data", 32)
    site.samba.sharesec("data", "-a", EVERYBODY_READS)
    site.registry.expose([ours])
    site.registry_share(foreign.name)
    site.samba.sharesec(foreign.name, "-a", EVERYBODY_READS)
    with pytest.raises(RegistryError, match=r"is not this shadow copy|no shadow copy of ours"):
        site.registry.expose([ours, foreign])
    for share in (ours, foreign):
        assert "READ" in site.samba.sharesec(share.name, "-v").stdout
    site.samba.net("conf", "delshare", foreign.name)
    site.samba.sharesec(foreign.name, "-D", check=False)
    site.samba.sharesec("data", "-D")


def test_a_session_that_stands_already_finds_it_without_being_told(site: Site) -> None:
    """Why expose sends no message: a reload in every smbd of a busy server is dear."""
    shadow = site.shadow("data")
    with session(site, site.alice) as smb:
        assert read(smb, "data") == "in data"
        with pytest.raises(SessionError, match="BAD_NETWORK_NAME"):
            read(smb, shadow.name)
        site.registry.expose([shadow])
        assert read(smb, shadow.name) == "in copy of data"
        assert shadow.name in [item["shi1_netname"][:-1] for item in smb.listShares()]


def test_marks_path_and_comment_are_as_asked(site: Site) -> None:
    shadow = site.shadow("data", comment="Schattenkopie von gestern")
    site.registry.expose([shadow])
    shown = site.shown(shadow.name)
    for line in (
        f"path = {shadow.path}",
        "comment = Schattenkopie von gestern",
        "read only = Yes",
        f"fsrvp:shadow copy set = {SET_ID}",
        f"fsrvp:shadow copy = {shadow.shadow_copy_id}",
        "fsrvp:base share = data",
    ):
        assert f"\t{line}\n" in shown
    assert site.registry.shadow_shares() == {shadow.name: shadow.shadow_copy_id}


@pytest.mark.parametrize("where", ["file", "include", "registry"])
def test_parameters_are_cloned_wherever_the_base_share_is_defined(site: Site, where: str) -> None:
    name = f"from {where}"
    options = {"valid users": "alice", "vfs objects": "catia shadow_copy2", "browseable": "no"}
    if where == "file":
        site.samba.set_share(site.share(name, options))
    elif where == "include":
        included = site.lab.directory / "included.conf"
        included.write_text("\n".join(site.share(name, options).section()))
        site.samba.set_option("include", str(included))
    else:
        site.registry_share(name, **{key.replace(" ", "_"): v for key, v in options.items()})
    shadow = site.shadow(name)
    site.registry.expose([shadow])
    assert site.samba.read(shadow.name, FILE, user=site.alice) == f"in copy of {name}"
    with pytest.raises(CommandFailed, match="ACCESS_DENIED"):
        site.samba.read(shadow.name, FILE, user=site.bob)
    shown = site.shown(shadow.name)
    assert "\tvfs objects = catia\n" in shown
    assert "\tbrowseable = No\n" in shown
    site.samba.set_option("include", None)


@pytest.mark.parametrize("base", ["hidden$", "zwei Wörter", "données"])
def test_names(site: Site, base: str) -> None:
    site.samba.set_share(site.share(base))
    shadow = site.shadow(base)
    site.registry.expose([shadow])
    assert site.registry.shadow_shares() == {shadow.name: shadow.shadow_copy_id}
    assert site.samba.read(shadow.name, FILE) == f"in copy of {base}"
    site.registry.unexpose([shadow.name])
    with pytest.raises(CommandFailed, match="BAD_NETWORK_NAME"):
        site.samba.read(shadow.name, FILE)


def test_security_descriptor_is_that_of_the_moment(site: Site) -> None:
    site.samba.set_share(site.share("guarded"))
    site.samba.sharesec("guarded", "-R", EVERYBODY_READS)
    first, second = site.shadow("guarded", 1), site.shadow("guarded", 2)
    site.registry.expose([first])
    wanted = site.samba.sharesec("guarded", "-v").stdout
    assert site.samba.sharesec(first.name, "-v").stdout == wanted
    site.samba.sharesec("guarded", "-R", EVERYBODY_ALL)
    site.registry.expose([second])
    assert site.samba.sharesec(first.name, "-v").stdout == wanted
    assert site.samba.sharesec(second.name, "-v").stdout != wanted
    assert (
        site.samba.sharesec(second.name, "-v").stdout == site.samba.sharesec("guarded", "-v").stdout
    )


def test_security_descriptor_denies_through_the_copy_too(site: Site) -> None:
    site.samba.set_share(site.share("closed"))
    site.samba.sharesec("closed", "-R", "S-1-1-0:DENIED/0/FULL")
    shadow = site.shadow("closed")
    site.registry.expose([shadow])
    with pytest.raises(CommandFailed, match="ACCESS_DENIED"):
        site.samba.read(shadow.name, FILE, user=site.alice)


def test_security_descriptor_goes_with_the_share(site: Site) -> None:
    site.samba.set_share(site.share("guarded"))
    site.samba.sharesec("guarded", "-R", EVERYBODY_READS)
    shadow = site.shadow("guarded")
    before = stored_descriptors(site)
    site.registry.expose([shadow])
    assert stored_descriptors(site) == before | {f"SECDESC/{shadow.name.lower()}"}
    site.registry.unexpose([shadow.name])
    assert stored_descriptors(site) == before


def stored_descriptors(site: Site) -> set[str]:
    """The keys under which Samba keeps descriptors of shares."""
    database = site.samba.place("state directory") / "share_info.tdb"
    dumped = site.lab.run(["tdbdump", str(database)]).stdout
    return set(re.findall(r'"(SECDESC/.*)\\00"', dumped))


def test_a_share_without_its_own_descriptor_costs_no_entry(site: Site) -> None:
    before = stored_descriptors(site)
    site.registry.expose([site.shadow("data")])
    assert stored_descriptors(site) == before


def test_read_only_refuses_writers_in_write_list(site: Site) -> None:
    site.samba.set_share(site.share("listed", {"read only": "yes", "write list": "alice"}))
    shadow = site.shadow("listed")
    site.registry.expose([shadow])
    site.samba.write("listed", "new", "x", user=site.alice)
    with pytest.raises(CommandFailed, match=r"ACCESS_DENIED|MEDIA_WRITE_PROTECTED"):
        site.samba.write(shadow.name, "new", "x", user=site.alice)


def test_writable_copy_is_writable_for_those_of_the_base_share(site: Site) -> None:
    site.samba.set_share(site.share("listed", {"read only": "yes", "write list": "alice"}))
    shadow = site.shadow("listed", read_only=False)
    site.registry.expose([shadow])
    site.samba.write(shadow.name, "new", "x", user=site.alice)
    with pytest.raises(CommandFailed, match=r"ACCESS_DENIED|MEDIA_WRITE_PROTECTED"):
        site.samba.write(shadow.name, "new", "x", user=site.bob)


def test_guests_stay_outside(site: Site) -> None:
    site.samba.set_share(site.share("public", {"guest ok": "yes"}))
    nobody = User("no-such-user", "")
    assert site.samba.read("public", FILE, user=nobody) == "in public"
    shadow = site.shadow("public")
    site.registry.expose([shadow])
    with pytest.raises(CommandFailed, match="ACCESS_DENIED"):
        site.samba.read(shadow.name, FILE, user=nobody)
    assert site.samba.read(shadow.name, FILE, user=site.bob) == "in copy of public"


def test_module_list_of_global_can_be_emptied(site: Site) -> None:
    site.samba.set_option("vfs objects", "shadow_copy2")
    shadow = site.shadow("data")
    site.registry.expose([shadow])
    site.samba.set_option("vfs objects", None)
    assert "\tvfs objects = \n" in site.shown(shadow.name)
    assert site.samba.read(shadow.name, FILE) == "in copy of data"
    assert site.registry.share(shadow.name).vfs_objects == ()


def test_seal_closes_writers_and_keeps_readers_out_of_nothing(site: Site) -> None:
    shadow = site.shadow("data", read_only=False)
    site.registry.expose([shadow])
    with session(site, site.alice) as smb:
        tree = connect(smb, shadow.name)
        handle = smb.createFile(tree, "written")
        smb.writeFile(tree, handle, b"before")
        site.registry.seal([shadow.name])
        wait_until("the writer is out", lambda: refused(smb, tree, handle))
        with pytest.raises(SessionError, match=r"ACCESS_DENIED|MEDIA_WRITE_PROTECTED"):
            smb.createFile(connect(smb, shadow.name), "more")
        assert read(smb, shadow.name) == "in copy of data"


def refused(smb: SMBConnection, tree: int, handle: int) -> bool:
    try:
        smb.writeFile(tree, handle, b"after")
    except SessionError:
        return True
    return False


def test_a_writer_who_comes_back_at_once_is_sealed_out(site: Site) -> None:
    """It writes without a pause, and connects anew the moment it is thrown out."""
    shadow = site.shadow("data", read_only=False)
    site.registry.expose([shadow])
    with session(site, site.alice) as smb, ThreadPoolExecutor(1) as sealer:
        tree = connect(smb, shadow.name)
        sealing = sealer.submit(site.registry.seal, [shadow.name])

        def sealed_out() -> bool:
            nonlocal tree
            try:
                smb.closeFile(tree, smb.createFile(tree, "again"))
            except SessionError as error:
                if "NETWORK_NAME_DELETED" not in str(error):
                    return True
                tree = connect(smb, shadow.name)
            return False

        wait_until("the writer is refused", sealed_out)
        sealing.result()


def test_sealing_what_is_sealed_disconnects_nobody(site: Site) -> None:
    shadow = site.shadow("data")
    site.registry.expose([shadow])
    with session(site, site.alice) as smb:
        tree = connect(smb, shadow.name)
        site.registry.seal([shadow.name])
        site.registry.seal([shadow.name])
        site.samba.run(["smbcontrol", "-s", str(site.samba.conf), "smbd", "ping"])
        smb.closeFile(tree, smb.openFile(tree, FILE, desiredAccess=1))


def test_sealing_what_is_gone_is_an_error(site: Site) -> None:
    with pytest.raises(RegistryError, match="gone"):
        site.registry.seal([site.shadow("data").name])


def test_unexpose_closes_open_connections(site: Site) -> None:
    shadow, other = site.shadow("data", 1), site.shadow("data", 2)
    site.registry.expose([shadow, other])
    with session(site, site.alice) as smb:
        tree, kept = connect(smb, shadow.name), connect(smb, other.name)
        handle = smb.openFile(tree, FILE, desiredAccess=1)
        smb.readFile(tree, handle)
        site.registry.unexpose([shadow.name])
        wait_until("the connection is closed", lambda: cannot_read(smb, tree, handle))
        smb.openFile(kept, FILE, desiredAccess=1)
        wait_until("the name is gone", lambda: cannot_connect(smb, shadow.name))
        assert read(smb, "data") == "in data"


def cannot_read(smb: SMBConnection, tree: int, handle: int) -> bool:
    try:
        smb.readFile(tree, handle)
    except SessionError:
        return True
    return False


def cannot_connect(smb: SMBConnection, share: str) -> bool:
    try:
        connect(smb, share)
    except SessionError as error:
        return "BAD_NETWORK_NAME" in str(error)
    return False


def test_unexpose_twice_is_no_error(site: Site) -> None:
    shadow = site.shadow("data")
    site.registry.expose([shadow])
    for _ in range(2):
        site.registry.unexpose([shadow.name, site.shadow("data", 2).name])
    assert site.registry.share(shadow.name) is None


def test_expose_twice_replaces_what_an_earlier_try_left(site: Site) -> None:
    shadow = site.shadow("data")
    site.registry.expose([shadow])
    site.registry.expose([shadow._replace(comment="again"), site.shadow("data", 2)])
    assert "\tcomment = again\n" in site.shown(shadow.name)
    assert len(site.registry.shadow_shares()) == 2


@pytest.mark.parametrize(
    ("flaw", "cause"),
    [
        ({"base": "no such share"}, "gone"),
        ({"comment": "two\nlines"}, "no value|cannot stand"),
        ({"path": "/vol/%U"}, "expand"),
        ({"name": "theirs"}, "is not this shadow copy"),
    ],
)
def test_all_or_none(site: Site, flaw: dict[str, str], cause: str) -> None:
    site.samba.set_share(site.share("guarded"))
    site.samba.sharesec("guarded", "-R", EVERYBODY_READS)
    site.registry_share("theirs")
    before = site.registry_names(), stored_descriptors(site)
    good, bad = site.shadow("guarded", 1), site.shadow("data", 2)._replace(**flaw)
    with pytest.raises(RegistryError, match=cause):
        site.registry.expose([good, bad])
    after = site.registry_names(), stored_descriptors(site)
    site.samba.net("conf", "delshare", "theirs")
    assert after == before


def test_shares_that_are_not_ours_are_left_alone(site: Site) -> None:
    site.registry_share("theirs")
    with pytest.raises(RegistryError, match="no shadow copy of ours"):
        site.registry.unexpose(["theirs"])
    with pytest.raises(RegistryError, match="no shadow copy of ours"):
        site.registry.seal(["theirs"])
    assert "theirs" in site.registry_names()
    site.samba.net("conf", "delshare", "theirs")


def test_without_registry_shares_the_reason_is_said(site: Site) -> None:
    site.samba.set_option("registry shares", "no")
    with pytest.raises(RegistryError, match="registry shares = yes"):
        site.registry.expose([site.shadow("data")])
    site.samba.set_option("registry shares", "yes")
