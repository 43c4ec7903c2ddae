"""Nobody reaches a copy who does not reach its share, and nobody moves anything into it."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.context import ATTR_AUTO_RECOVERY, CTX_BACKUP
from lab import Share, User, fss
from lab.namespaces import wait_until
from tests.interop.nas import Nas, make_directory
from tests.interop.raw_agent import RawAgent
from tests.interop.smb_user import SmbUser, refusal, status_of

SECRET = "figures.txt"
# Exits with the errno of what the user tried, 0 if it succeeded.
TRY = """
import os, sys
try:
    {attempt}
except OSError as error:
    sys.exit(error.errno)
"""
VOLUMES = pytest.mark.parametrize("volume", ["more", "vault"], ids=["btrfs", "xfs"])


class People(NamedTuple):
    joe: User  # nobody in particular
    alice: User  # may enter `private`


@pytest.fixture(scope="module")
def people(nas: Nas) -> People:
    return People(nas.samba.add_user("joe"), nas.samba.add_user("alice"))


def attempt(nas: Nas, user: User, code: str, *arguments: object) -> int:
    """What a process of a user on the server gets: 0, or the errno of its refusal."""
    argv = ["setpriv", f"--reuid={user.name}", f"--regid={user.name}", "--init-groups"]
    script = [*argv, "/usr/bin/python3", "-c", TRY.format(attempt=code), *map(str, arguments)]
    return nas.lab.run(script, check=False).returncode


def reads(nas: Nas, user: User, path: object) -> int:
    return attempt(nas, user, "open(sys.argv[1]).read()", path)


def mounted(nas: Nas) -> Path:
    """Where the only copy is mounted."""
    [path] = nas.mounts()
    return Path(path)


@pytest.fixture
def private(nas: Nas, people: People, volume: str) -> Iterator[str]:
    """The share `fin` in a directory that only alice's group may enter."""
    directory = nas.volumes[volume] / "private"
    path = make_directory(nas.lab, directory / "fin")
    nas.lab.run(["chgrp", people.alice.name, directory])
    nas.lab.run(["chmod", "0750", directory])
    nas.samba.set_share(Share("fin", path))
    nas.samba.set_share(Share("all", nas.volumes[volume]))
    nas.samba.reload()
    nas.samba.write("fin", SECRET, "profit\n")
    yield "fin"
    nas.lab.run(["rm", "-r", directory])


@VOLUMES
def test_who_cannot_enter_a_directory_above_the_share_reads_no_copy(
    nas: Nas, people: People, private: str, volume: str
) -> None:
    [copy] = fss.create_expose(nas.samba, private)
    live, place = nas.volumes[volume] / "private/fin" / SECRET, mounted(nas) / SECRET
    [listed] = nas.daemon.ask("list-sets")
    inside = Path(listed["copies"][0]["snapshot"])
    assert [reads(nas, people.alice, path) for path in (live, place)] == [0, 0]
    assert [reads(nas, people.joe, path) for path in (live, place)] == [errno.EACCES] * 2
    for path in (inside / SECRET, inside / "private/fin" / SECRET):
        assert reads(nas, people.joe, path) == errno.EACCES
    with SmbUser(nas, people.alice) as alice, SmbUser(nas, people.joe) as joe:
        assert alice.read(copy.share, SECRET) == "profit\n"
        assert status_of(lambda: joe.read(copy.share, SECRET)) != 0
        below = inside.relative_to(nas.volumes[volume])
        for path in (below / SECRET, below / "private/fin" / SECRET):
            assert refusal(lambda path=path: joe.read("all", str(path)))
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()


@pytest.mark.parametrize("volume", ["more"])
def test_gates_follow_the_live_directories_when_a_copy_is_exposed(
    nas: Nas, people: People, private: str, volume: str
) -> None:
    """An ACL opens the way for joe, a link to the share closes it again."""
    directory = nas.volumes[volume] / "private"
    nas.lab.run(["setfacl", "-m", f"u:{people.joe.name}:x", directory])
    [first] = fss.create_expose(nas.samba, private)
    place = mounted(nas) / SECRET
    assert reads(nas, people.joe, place) == 0
    nas.lab.run(["mkdir", "-m", "0700", "/run/links"])
    nas.lab.run(["ln", "-s", directory / "fin", "/run/links/fin"])
    fss.recovery_complete(nas.samba, first)
    nas.samba.set_share(Share(private, Path("/run/links/fin")))
    nas.samba.reload()
    [second] = fss.create_expose(nas.samba, private)
    assert [reads(nas, people.joe, Path(path) / SECRET) for path in nas.mounts()] == [13, 13]
    for copy in (first, second):
        fss.delete(nas.samba, copy)
    nas.lab.run(["rm", "-r", "/run/links"])
    nas.assert_nothing_is_left()


@VOLUMES
def test_a_directory_put_in_the_place_of_one_above_opens_nothing(
    nas: Nas, people: People, volume: str
) -> None:
    """joe may not enter `private`, but rename it, between the commit and the exposure."""
    top = nas.volumes[volume] / "top"
    private, aside = top / "private", top / "aside"
    path = make_directory(nas.lab, private / "fin")
    nas.lab.run(["chown", people.joe.name, top])
    nas.lab.run(["chmod", "0700", private])
    nas.samba.set_share(Share("fin", path))
    nas.samba.reload()
    nas.samba.write("fin", SECRET, "profit\n")
    with RawAgent(nas) as agent:
        set_id = agent.start(CTX_BACKUP)
        copy_id = agent.add(set_id, "fin")
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        agent.advance(Opnum.CommitShadowCopySet, set_id)
        swap = "os.rename(sys.argv[1], sys.argv[2]); os.makedirs(sys.argv[3])"
        assert attempt(nas, people.joe, swap, private, aside, path) == 0
        agent.advance(Opnum.ExposeShadowCopySet, set_id)
        place = mounted(nas) / SECRET
        assert nas.lab.seen(place).read_text() == "profit\n"
        assert reads(nas, people.joe, place) == errno.EACCES
        nas.lab.run(["rm", "-r", private])
        nas.lab.run(["mv", aside, private])
        assert reads(nas, people.joe, place) == errno.EACCES
        agent.delete(set_id, copy_id, "fin")
    nas.lab.run(["rm", "-r", top])
    nas.assert_nothing_is_left()


@VOLUMES
def test_nothing_is_moved_into_a_copy_and_deleted_with_it(
    nas: Nas, people: People, volume: str
) -> None:
    """joe cannot delete alice's directory, and cannot have it deleted either."""
    path = make_directory(nas.lab, nas.volumes[volume] / "open")
    nas.samba.set_share(Share("open", path))
    nas.samba.set_share(Share("all", nas.volumes[volume]))
    nas.samba.reload()
    nas.lab.run(["chmod", "0777", nas.volumes[volume]])
    for made, user in ((path / "joes", people.joe), (path / "joes/alices", people.alice)):
        nas.lab.run(["mkdir", "-m", "0777", made])
        nas.lab.run(["chown", user.name, made])
    nas.lab.run(["chmod", "0700", path / "joes/alices"])
    with RawAgent(nas) as agent:
        set_id = agent.start(CTX_BACKUP | ATTR_AUTO_RECOVERY)
        copy_id = agent.add(set_id, "open")
        agent.expose(set_id)
        share = agent.mapping(set_id, copy_id, "open").share
        place = mounted(nas)
        [listed] = nas.daemon.ask("list-sets")
        inside = Path(listed["copies"][0]["snapshot"])
        rename = "os.rename(sys.argv[1], sys.argv[2])"
        assert attempt(nas, people.joe, "open(sys.argv[1], 'w')", place / "mine") == 0
        moved = attempt(nas, people.joe, rename, path / "joes", place / "moved")
        assert moved == errno.EXDEV
        assert attempt(nas, people.joe, rename, path / "joes", inside / "moved") == errno.EACCES
        with SmbUser(nas, people.joe) as joe:
            joe.write(share, "by-smb", "he may write")
            below = inside.relative_to(nas.volumes[volume])
            for target in (below / "moved", below / "open/moved"):
                assert refusal(lambda target=target: joe.rename("all", "open/joes", str(target)))
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        assert attempt(nas, people.joe, "open(sys.argv[1], 'w')", place / "mine") == errno.EROFS
        agent.delete(set_id, copy_id, "open")
    assert nas.lab.seen(path / "joes/alices").is_dir()
    nas.lab.run(["rm", "-r", path])
    nas.assert_nothing_is_left()


def test_a_reboot_takes_mounts_away_and_the_next_start_brings_them_back(nas: Nas) -> None:
    nas.samba.write("deep", SECRET, "kept\n")
    [copy] = fss.create_expose(nas.samba, "deep")
    fss.recovery_complete(nas.samba, copy)
    place = mounted(nas)
    nas.daemon.stop()
    nas.lose_mounts()
    nas.daemon.start()
    wait_until("the copy is mounted", lambda: len(nas.mounts()) == 1)
    assert mounted(nas) == place
    assert nas.samba.read(copy.share, SECRET) == "kept\n"
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()


def commit(nas: Nas, share: str) -> tuple[bytes, bytes]:
    """A set of one copy of a share that is committed, and not exposed: both ids."""
    with RawAgent(nas) as agent:
        set_id = agent.start(CTX_BACKUP)
        copy_id = agent.add(set_id, share)
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        agent.advance(Opnum.CommitShadowCopySet, set_id)
    return set_id, copy_id


def expose(nas: Nas, set_id: bytes) -> None:
    with RawAgent(nas) as agent:
        agent.advance(Opnum.ExposeShadowCopySet, set_id)
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)


def delete(nas: Nas, set_id: bytes, copy_id: bytes) -> None:
    with RawAgent(nas) as agent:
        agent.delete(set_id, copy_id, "fin")


def remove_by_hand(nas: Nas, volume: str) -> None:
    """What `fsrvp:keep` protects."""
    [kept] = nas.daemon.ask("prune", "--dry-run")
    delete = ["btrfs", "subvolume", "delete"] if volume == "more" else ["rm", "-r"]
    nas.lab.run([*delete, kept["object"]])
    nas.lab.run(["sh", "-ec", f"rm {nas.volumes[volume]}/.fsrvpd/.marks/*"])
    nas.daemon.ask("prune")


@VOLUMES
@pytest.mark.parametrize("exchanged", [False, True], ids=["same", "exchanged"])
@pytest.mark.parametrize("kind", ["committed", "exposed", "kept"])
def test_no_restart_makes_another_directory_the_way_to_a_copy(
    nas: Nas, people: People, volume: str, kind: str, exchanged: bool
) -> None:
    """joe may not enter `private`, but rename it, while the daemon is stopped. Who could enter it
    still can if nobody did so."""
    top = nas.volumes[volume] / "top"
    private, aside = top / "private", top / "aside"
    path = make_directory(nas.lab, private / "fin")
    nas.lab.run(["chown", people.joe.name, top])
    nas.lab.run(["chgrp", people.alice.name, private])
    nas.lab.run(["chmod", "0750", private])
    nas.samba.set_share(Share("fin", path, {"fsrvp:keep": "yes"} if kind == "kept" else {}))
    nas.samba.reload()
    nas.samba.write("fin", SECRET, "profit\n")
    set_id, copy_id = commit(nas, "fin")
    if kind != "committed":
        expose(nas, set_id)
        place = mounted(nas)
        assert [reads(nas, who, place / SECRET) for who in people] == [errno.EACCES, 0]
    if kind == "kept":
        delete(nas, set_id, copy_id)
        assert nas.daemon.ask("list-sets") == []
    nas.daemon.stop()
    nas.lose_mounts()
    if exchanged:
        swap = "os.rename(sys.argv[1], sys.argv[2]); os.makedirs(sys.argv[3])"
        assert attempt(nas, people.joe, swap, private, aside, path) == 0
    nas.daemon.start()
    if kind == "committed":
        expose(nas, set_id)
    wait_until("the copy is mounted", lambda: len(nas.mounts()) == 1)
    secret = mounted(nas) / SECRET
    assert nas.lab.seen(secret).read_text() == "profit\n"
    wanted = [errno.EACCES, errno.EACCES if exchanged else 0]
    assert [reads(nas, who, secret) for who in people] == wanted
    if kind == "kept":
        remove_by_hand(nas, volume)
    else:
        delete(nas, set_id, copy_id)
    nas.lab.run(["rm", "-r", top])
    nas.assert_nothing_is_left()


def test_a_mount_that_nothing_needs_is_removed_at_the_next_start(nas: Nas) -> None:
    [copy] = fss.create_expose(nas.samba, "deep")
    left = mounted(nas).with_name(
        "fsrvp-{63636363-6363-6363-6363-636363636363}_GMT-2026.11.21-08.30.00"
    )
    nas.lab.run(["mkdir", left])
    nas.lab.run(["mount", "--bind", nas.volumes["plain"], left])
    [found] = nas.daemon.ask("prune", "--dry-run")
    assert (found["what"], found["object"]) == ("orphan-mount", str(left))
    nas.daemon.ask("prune")
    assert not nas.lab.seen(left).exists()
    assert nas.daemon.ask("prune", "--dry-run") == []
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()
