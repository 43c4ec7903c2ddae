from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Iterator

import pytest
from impacket.smbconnection import SessionError, SMBConnection

from fsrvpd.errors import RegistryError
from lab import CommandFailed, User
from lab.namespaces import wait_until

from .conftest import SET_ID, Nas, open_nas

FILE = "file"
EVERYBODY_READS = "S-1-1-0:ALLOWED/0/READ"
EVERYBODY_ALL = "S-1-1-0:ALLOWED/0x0/FULL"


@pytest.fixture(scope="module", params=["library", "commands"])
def nas(request: pytest.FixtureRequest) -> Iterator[Nas]:
    """A NAS for each way to change Samba's registry: both must pass all tests."""
    with open_nas(request.param) as nas:
        yield nas


@contextmanager
def session(nas: Nas, user: User) -> Iterator[SMBConnection]:
    """Open an SMB session, served by one smbd, that lasts over several requests."""
    with nas.lab.network() as thread:
        connection = thread.submit(SMBConnection, nas.samba.address, nas.samba.address)
        smb = connection.result()
        smb.login(user.name, user.password)
        try:
            yield smb
        finally:
            smb.close()


def connect(smb: SMBConnection, share: str) -> int:
    """Make a new tree connect: impacket would reuse one that smbd has closed."""
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
def nothing_left(nas: Nas) -> Iterator[None]:
    yield
    nas.registry.unexpose(list(nas.registry.shadow_shares()))
    assert not [name for name in nas.registry_names() if "@" in name]


def test_exposed_share_is_read_with_the_copys_content(nas: Nas) -> None:
    shadow = nas.shadow("data")
    nas.registry.expose([shadow])
    assert nas.samba.read(shadow.name, FILE) == "in copy of data"
    assert nas.samba.read(shadow.name.lower(), FILE) == "in copy of data"
    share = nas.registry.share(shadow.name)
    assert share.shadow_copy_id == shadow.shadow_copy_id
    assert share.path == shadow.path
    assert share.read_only


def test_an_exposure_that_fails_takes_no_other_shares_descriptor(nas: Nas) -> None:
    """Neither a foreign share of the same name nor a share exposed earlier loses its descriptor:
    without one, a share is open to everybody."""
    ours, foreign = nas.shadow("data", 31), nas.shadow("data", 32)
    nas.samba.sharesec("data", "-a", EVERYBODY_READS)
    nas.registry.expose([ours])
    nas.registry_share(foreign.name)
    nas.samba.sharesec(foreign.name, "-a", EVERYBODY_READS)
    with pytest.raises(RegistryError, match=r"is not this shadow copy|not created by fsrvpd"):
        nas.registry.expose([ours, foreign])
    for share in (ours, foreign):
        assert "READ" in nas.samba.sharesec(share.name, "-v").stdout
    nas.samba.net("conf", "delshare", foreign.name)
    nas.samba.sharesec(foreign.name, "-D", check=False)
    nas.samba.sharesec("data", "-D")


def test_a_session_that_stands_already_finds_it_without_being_told(nas: Nas) -> None:
    """This is why expose sends no message: a reload in every smbd of a busy server is expensive."""
    shadow = nas.shadow("data")
    with session(nas, nas.alice) as smb:
        assert read(smb, "data") == "in data"
        with pytest.raises(SessionError, match="BAD_NETWORK_NAME"):
            read(smb, shadow.name)
        nas.registry.expose([shadow])
        assert read(smb, shadow.name) == "in copy of data"
        assert shadow.name in [item["shi1_netname"][:-1] for item in smb.listShares()]


def test_marks_path_and_comment_are_as_asked(nas: Nas) -> None:
    shadow = nas.shadow("data", comment="Schattenkopie von gestern")
    nas.registry.expose([shadow])
    shown = nas.shown(shadow.name)
    for line in (
        f"path = {shadow.path}",
        "comment = Schattenkopie von gestern",
        "read only = Yes",
        f"fsrvp:shadow copy set = {SET_ID}",
        f"fsrvp:shadow copy = {shadow.shadow_copy_id}",
        "fsrvp:base share = data",
    ):
        assert f"\t{line}\n" in shown
    assert nas.registry.shadow_shares() == {shadow.name: shadow.shadow_copy_id}


@pytest.mark.parametrize("where", ["file", "include", "registry"])
def test_parameters_are_cloned_wherever_the_base_share_is_defined(nas: Nas, where: str) -> None:
    name = f"from {where}"
    options = {"valid users": "alice", "vfs objects": "catia shadow_copy2", "browseable": "no"}
    if where == "file":
        nas.samba.set_share(nas.share(name, options))
    elif where == "include":
        included = nas.lab.directory / "included.conf"
        included.write_text("\n".join(nas.share(name, options).section()))
        nas.samba.set_option("include", str(included))
    else:
        nas.registry_share(name, **{key.replace(" ", "_"): v for key, v in options.items()})
    shadow = nas.shadow(name)
    nas.registry.expose([shadow])
    assert nas.samba.read(shadow.name, FILE, user=nas.alice) == f"in copy of {name}"
    with pytest.raises(CommandFailed, match="ACCESS_DENIED"):
        nas.samba.read(shadow.name, FILE, user=nas.bob)
    shown = nas.shown(shadow.name)
    assert "\tvfs objects = catia\n" in shown
    assert "\tbrowseable = No\n" in shown
    nas.samba.set_option("include", None)


@pytest.mark.parametrize("base", ["hidden$", "zwei Wörter", "données"])
def test_names(nas: Nas, base: str) -> None:
    nas.samba.set_share(nas.share(base))
    shadow = nas.shadow(base)
    nas.registry.expose([shadow])
    assert nas.registry.shadow_shares() == {shadow.name: shadow.shadow_copy_id}
    assert nas.samba.read(shadow.name, FILE) == f"in copy of {base}"
    nas.registry.unexpose([shadow.name])
    with pytest.raises(CommandFailed, match="BAD_NETWORK_NAME"):
        nas.samba.read(shadow.name, FILE)


def test_security_descriptor_is_that_of_the_moment(nas: Nas) -> None:
    nas.samba.set_share(nas.share("guarded"))
    nas.samba.sharesec("guarded", "-R", EVERYBODY_READS)
    first, second = nas.shadow("guarded", 1), nas.shadow("guarded", 2)
    nas.registry.expose([first])
    wanted = nas.samba.sharesec("guarded", "-v").stdout
    assert nas.samba.sharesec(first.name, "-v").stdout == wanted
    nas.samba.sharesec("guarded", "-R", EVERYBODY_ALL)
    nas.registry.expose([second])
    assert nas.samba.sharesec(first.name, "-v").stdout == wanted
    assert nas.samba.sharesec(second.name, "-v").stdout != wanted
    assert (
        nas.samba.sharesec(second.name, "-v").stdout == nas.samba.sharesec("guarded", "-v").stdout
    )


def test_security_descriptor_denies_through_the_copy_too(nas: Nas) -> None:
    nas.samba.set_share(nas.share("closed"))
    nas.samba.sharesec("closed", "-R", "S-1-1-0:DENIED/0/FULL")
    shadow = nas.shadow("closed")
    nas.registry.expose([shadow])
    with pytest.raises(CommandFailed, match="ACCESS_DENIED"):
        nas.samba.read(shadow.name, FILE, user=nas.alice)


def test_security_descriptor_goes_with_the_share(nas: Nas) -> None:
    nas.samba.set_share(nas.share("guarded"))
    nas.samba.sharesec("guarded", "-R", EVERYBODY_READS)
    shadow = nas.shadow("guarded")
    before = stored_descriptors(nas)
    nas.registry.expose([shadow])
    assert stored_descriptors(nas) == before | {f"SECDESC/{shadow.name.lower()}"}
    nas.registry.unexpose([shadow.name])
    assert stored_descriptors(nas) == before


def stored_descriptors(nas: Nas) -> set[str]:
    """Return the keys under which Samba stores security descriptors of shares."""
    database = nas.samba.place("state directory") / "share_info.tdb"
    dumped = nas.lab.run(["tdbdump", str(database)]).stdout
    return set(re.findall(r'"(SECDESC/.*)\\00"', dumped))


def test_a_share_without_its_own_descriptor_costs_no_entry(nas: Nas) -> None:
    before = stored_descriptors(nas)
    nas.registry.expose([nas.shadow("data")])
    assert stored_descriptors(nas) == before


def test_read_only_refuses_writers_in_write_list(nas: Nas) -> None:
    nas.samba.set_share(nas.share("listed", {"read only": "yes", "write list": "alice"}))
    shadow = nas.shadow("listed")
    nas.registry.expose([shadow])
    nas.samba.write("listed", "new", "x", user=nas.alice)
    with pytest.raises(CommandFailed, match=r"ACCESS_DENIED|MEDIA_WRITE_PROTECTED"):
        nas.samba.write(shadow.name, "new", "x", user=nas.alice)


def test_writable_copy_is_writable_for_those_of_the_base_share(nas: Nas) -> None:
    nas.samba.set_share(nas.share("listed", {"read only": "yes", "write list": "alice"}))
    shadow = nas.shadow("listed", read_only=False)
    nas.registry.expose([shadow])
    nas.samba.write(shadow.name, "new", "x", user=nas.alice)
    with pytest.raises(CommandFailed, match=r"ACCESS_DENIED|MEDIA_WRITE_PROTECTED"):
        nas.samba.write(shadow.name, "new", "x", user=nas.bob)


def test_guests_stay_outside(nas: Nas) -> None:
    nas.samba.set_share(nas.share("public", {"guest ok": "yes"}))
    nobody = User("no-such-user", "")
    assert nas.samba.read("public", FILE, user=nobody) == "in public"
    shadow = nas.shadow("public")
    nas.registry.expose([shadow])
    with pytest.raises(CommandFailed, match="ACCESS_DENIED"):
        nas.samba.read(shadow.name, FILE, user=nobody)
    assert nas.samba.read(shadow.name, FILE, user=nas.bob) == "in copy of public"


def test_module_list_of_global_can_be_emptied(nas: Nas) -> None:
    nas.samba.set_option("vfs objects", "shadow_copy2")
    shadow = nas.shadow("data")
    nas.registry.expose([shadow])
    nas.samba.set_option("vfs objects", None)
    assert "\tvfs objects = \n" in nas.shown(shadow.name)
    assert nas.samba.read(shadow.name, FILE) == "in copy of data"
    assert nas.registry.share(shadow.name).vfs_objects == ()


def test_seal_closes_writers_and_keeps_readers_out_of_nothing(nas: Nas) -> None:
    shadow = nas.shadow("data", read_only=False)
    nas.registry.expose([shadow])
    with session(nas, nas.alice) as smb:
        tree = connect(smb, shadow.name)
        handle = smb.createFile(tree, "written")
        smb.writeFile(tree, handle, b"before")
        nas.registry.seal([shadow.name])
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


def test_a_writer_who_comes_back_at_once_is_sealed_out(nas: Nas) -> None:
    """The client writes without a pause, and reconnects as soon as it is disconnected."""
    shadow = nas.shadow("data", read_only=False)
    nas.registry.expose([shadow])
    with session(nas, nas.alice) as smb, ThreadPoolExecutor(1) as sealer:
        tree = connect(smb, shadow.name)
        sealing = sealer.submit(nas.registry.seal, [shadow.name])

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


def test_sealing_what_is_sealed_disconnects_nobody(nas: Nas) -> None:
    shadow = nas.shadow("data")
    nas.registry.expose([shadow])
    with session(nas, nas.alice) as smb:
        tree = connect(smb, shadow.name)
        nas.registry.seal([shadow.name])
        nas.registry.seal([shadow.name])
        nas.samba.run(["smbcontrol", "-s", str(nas.samba.conf), "smbd", "ping"])
        smb.closeFile(tree, smb.openFile(tree, FILE, desiredAccess=1))


def test_backup_users_come_with_the_seal(nas: Nas) -> None:
    nas.samba.set_option("fsrvp:backup users", nas.alice.name)
    shadow = nas.shadow("data", read_only=False)
    nas.registry.expose([shadow])
    assert admins(nas, shadow.name) == ""
    nas.registry.seal([shadow.name])
    assert admins(nas, shadow.name) == nas.alice.name
    nas.samba.set_option("fsrvp:backup users", None)
    nas.registry.seal([shadow.name])
    assert admins(nas, shadow.name) == nas.alice.name


def admins(nas: Nas, share: str) -> str:
    done = nas.samba.net("conf", "getparm", share, "admin users", check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def test_sealing_what_is_gone_is_an_error(nas: Nas) -> None:
    with pytest.raises(RegistryError, match="no longer exists"):
        nas.registry.seal([nas.shadow("data").name])


def test_unexpose_closes_open_connections(nas: Nas) -> None:
    shadow, other = nas.shadow("data", 1), nas.shadow("data", 2)
    nas.registry.expose([shadow, other])
    with session(nas, nas.alice) as smb:
        tree, kept = connect(smb, shadow.name), connect(smb, other.name)
        handle = smb.openFile(tree, FILE, desiredAccess=1)
        smb.readFile(tree, handle)
        nas.registry.unexpose([shadow.name])
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


def test_unexpose_twice_is_no_error(nas: Nas) -> None:
    shadow = nas.shadow("data")
    nas.registry.expose([shadow])
    for _ in range(2):
        nas.registry.unexpose([shadow.name, nas.shadow("data", 2).name])
    assert nas.registry.share(shadow.name) is None


def test_expose_twice_replaces_what_an_earlier_try_left(nas: Nas) -> None:
    shadow = nas.shadow("data")
    nas.registry.expose([shadow])
    nas.registry.expose([shadow._replace(comment="again"), nas.shadow("data", 2)])
    assert "\tcomment = again\n" in nas.shown(shadow.name)
    assert len(nas.registry.shadow_shares()) == 2


@pytest.mark.parametrize(
    ("flaw", "cause"),
    [
        ({"base": "no such share"}, "no longer exists"),
        ({"comment": "two\nlines"}, "not a valid"),
        ({"path": "/vol/%U"}, "expand"),
        ({"name": "theirs"}, "is not this shadow copy"),
    ],
)
def test_all_or_none(nas: Nas, flaw: dict[str, str], cause: str) -> None:
    nas.samba.set_share(nas.share("guarded"))
    nas.samba.sharesec("guarded", "-R", EVERYBODY_READS)
    nas.registry_share("theirs")
    before = nas.registry_names(), stored_descriptors(nas)
    good, bad = nas.shadow("guarded", 1), nas.shadow("data", 2)._replace(**flaw)
    with pytest.raises(RegistryError, match=cause):
        nas.registry.expose([good, bad])
    after = nas.registry_names(), stored_descriptors(nas)
    nas.samba.net("conf", "delshare", "theirs")
    assert after == before


def test_shares_that_are_not_ours_are_left_alone(nas: Nas) -> None:
    nas.registry_share("theirs")
    with pytest.raises(RegistryError, match="was not created by fsrvpd"):
        nas.registry.unexpose(["theirs"])
    with pytest.raises(RegistryError, match="was not created by fsrvpd"):
        nas.registry.seal(["theirs"])
    assert "theirs" in nas.registry_names()
    nas.samba.net("conf", "delshare", "theirs")


def test_without_registry_shares_the_reason_is_said(nas: Nas) -> None:
    nas.samba.set_option("registry shares", "no")
    with pytest.raises(RegistryError, match=r"registry shares = no.*fsrvpctl setup"):
        nas.registry.expose([nas.shadow("data")])
    nas.samba.set_option("registry shares", "yes")
