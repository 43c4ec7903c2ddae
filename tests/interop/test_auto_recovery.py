"""With ATTR_AUTO_RECOVERY a copy is writable until its recovery is complete."""

from __future__ import annotations

import errno
import os
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import Iterator

import pytest
from impacket.smbconnection import SessionError

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.context import ATTR_AUTO_RECOVERY, CTX_BACKUP
from fsrvpd.protocol.hresult import HResult
from lab import Share
from lab.namespaces import wait_until
from tests.interop.held_file import HeldFile
from tests.interop.nas import TORTURE_SHARE, Nas, make_directory, open_nas
from tests.interop.raw_agent import RawAgent
from tests.interop.smb_user import ACCESS_DENIED, MEDIA_WRITE_PROTECTED, SmbUser, refusal

READ_ONLY = (0x0, 0x2, 0x9, 0xB, 0x10, 0x12, 0x19, 0x1B)
WRITABLE = tuple(ATTR_AUTO_RECOVERY | context for context in (0x0, 0x9, 0x10, 0x19))
UNSUPPORTED = (0x400002, 0x1, 0x8, 0x4, 0x11, 0x18, 0x20, 0x400019 | 0x2, 0x80000000)
GONE = ("STATUS_NETWORK_NAME_DELETED", "STATUS_FILE_CLOSED")
BOTH = pytest.mark.parametrize("share", [TORTURE_SHARE, "vault"], ids=["btrfs", "xfs"])


@pytest.fixture(scope="module")
def agent(nas: Nas) -> Iterator[RawAgent]:
    with RawAgent(nas) as opened:
        yield opened


def exposed(agent: RawAgent, share: str, context: int) -> tuple[bytes, bytes, str]:
    """Make an exposed set. Returns its id, its copy's id, and the shadow copy share's name."""
    set_id = agent.start(context)
    copy_id = agent.add(set_id, share)
    agent.expose(set_id)
    return set_id, copy_id, agent.mapping(set_id, copy_id, share).share


def assert_unwritable(smb_user: SmbUser, share: str, name: str) -> None:
    status = refusal(lambda: smb_user.write(share, name, "refused"))
    assert status in (ACCESS_DENIED, MEDIA_WRITE_PROTECTED)


@pytest.mark.spec("3.1.4.6-6")
@pytest.mark.parametrize("context", READ_ONLY, ids=hex)
def test_without_auto_recovery_nothing_can_be_made_after_expose(
    nas: Nas, agent: RawAgent, context: int
) -> None:
    set_id, copy_id, share = exposed(agent, TORTURE_SHARE, context)
    with SmbUser(nas, nas.samba.root) as smb_user:
        assert_unwritable(smb_user, share, "new.txt")
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    agent.delete(set_id, copy_id, TORTURE_SHARE)


@pytest.mark.spec("3.1.4.6-6")
@pytest.mark.spec("3.1.4.7-4")
@pytest.mark.parametrize("context", WRITABLE, ids=hex)
def test_with_auto_recovery_until_it_is_complete(nas: Nas, agent: RawAgent, context: int) -> None:
    set_id, copy_id, share = exposed(agent, TORTURE_SHARE, context)
    with SmbUser(nas, nas.samba.root) as smb_user:
        smb_user.write(share, "repaired.txt", "by a writer")
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    with SmbUser(nas, nas.samba.root) as smb_user:
        assert_unwritable(smb_user, share, "repaired.txt")
        assert smb_user.read(share, "repaired.txt") == "by a writer"
    agent.delete(set_id, copy_id, TORTURE_SHARE)


@pytest.mark.spec("3.1.4.2-1")
def test_any_other_context_is_unsupported(agent: RawAgent) -> None:
    for context in UNSUPPORTED:
        result = agent.result(Opnum.SetContext, struct.pack("<I", context))
        assert result == HResult.FSRVP_E_UNSUPPORTED_CONTEXT, hex(context)


@BOTH
def test_what_is_open_for_writing_is_closed(nas: Nas, agent: RawAgent, share: str) -> None:
    set_id, copy_id, copy = exposed(agent, share, CTX_BACKUP | ATTR_AUTO_RECOVERY)
    with HeldFile(nas, copy, "held.txt") as held:
        held.write("before")
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        with pytest.raises(SessionError, match="|".join(GONE)):
            held.write("after!")
    assert nas.samba.read(copy, "held.txt") == "before"
    agent.delete(set_id, copy_id, share)
    nas.assert_nothing_is_left()


def smbd_with(nas: Nas, name: str) -> int:
    """The process of smbd that has a file open, by its id in the lab."""
    for pid, argv in nas.lab.processes().items():
        if os.path.basename(argv[0]).startswith("smbd"):
            for fd in nas.lab.seen(Path(f"/proc/{pid}/fd")).iterdir():
                with suppress(FileNotFoundError):
                    if os.path.basename(os.readlink(fd)) == name:
                        return pid
    raise AssertionError(f"no smbd has {name} open")


def send(nas: Nas, pid: int, signal: str) -> None:
    nas.lab.run(["sh", "-c", 'kill -s "$2" "$1"', "sh", str(pid), signal])


@BOTH
def test_recovery_is_complete_when_smbd_has_closed_what_was_open(
    nas: Nas, agent: RawAgent, share: str
) -> None:
    """On a busy machine smbd is late, and would write what a client sends after the answer."""
    set_id, copy_id, copy = exposed(agent, share, CTX_BACKUP | ATTR_AUTO_RECOVERY)
    with HeldFile(nas, copy, "held.txt") as held:
        held.write("before")
        smbd, goes_on = smbd_with(nas, "held.txt"), threading.Event()
        send(nas, smbd, "STOP")

        def go_on() -> None:
            goes_on.set()
            send(nas, smbd, "CONT")

        timer = threading.Timer(0.5, go_on)
        timer.start()
        try:
            agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
            assert goes_on.is_set(), "answered while smbd had the file open"
        finally:
            timer.join()
        with pytest.raises(SessionError, match="|".join(GONE)):
            held.write("after!")
    assert nas.samba.read(copy, "held.txt") == "before"
    agent.delete(set_id, copy_id, share)
    nas.assert_nothing_is_left()


def test_the_snapshot_is_read_only_on_the_disk(nas: Nas, agent: RawAgent) -> None:
    """Root cannot write to it either, without going through a share."""
    set_id, copy_id, _ = exposed(agent, TORTURE_SHARE, CTX_BACKUP | ATTR_AUTO_RECOVERY)
    [listed] = nas.daemon.ask("list-sets")
    inside = nas.lab.seen(Path(listed["copies"][0]["snapshot"])) / "by-root.txt"
    inside.write_text("while it may")
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    with pytest.raises(OSError, match="Read-only") as refused:
        inside.write_text("too late")
    assert refused.value.errno == errno.EROFS
    assert inside.read_text() == "while it may"
    agent.delete(set_id, copy_id, TORTURE_SHARE)


def test_a_process_that_holds_a_file_open_writes_into_no_sealed_copy(
    nas: Nas, agent: RawAgent
) -> None:
    """A process of the server, whom no disconnection reaches."""
    set_id, copy_id, share = exposed(agent, TORTURE_SHARE, CTX_BACKUP | ATTR_AUTO_RECOVERY)
    [place] = nas.mounts()
    with (nas.lab.seen(Path(place)) / "held.txt").open("w") as held:
        held.write("before")
        held.flush()
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        held.write(" and after")
        held.flush()
        assert nas.samba.read(share, "held.txt") == "before"
    assert nas.snapshots() == [name for name in nas.snapshots() if ".unsealed" not in name]
    agent.delete(set_id, copy_id, TORTURE_SHARE)
    nas.assert_nothing_is_left()


def test_writable_only_for_who_could_write_to_the_base_share(nas: Nas, agent: RawAgent) -> None:
    """`write list` and the share's security descriptor apply to the copy as well."""
    reader, writer = nas.samba.add_user("only-reads"), nas.samba.add_user("also-writes")
    path = make_directory(nas.lab, nas.volumes["projects"] / "written")
    options = {"read only": "yes", "write list": "also-writes"}
    nas.samba.set_share(Share("by-list", path, options))
    nas.samba.set_share(Share("by-descriptor", path))
    nas.samba.reload()
    rights = {nas.samba.root: "FULL", reader: "READ", writer: "CHANGE"}
    nas.samba.let_in("by-descriptor", rights)
    for share in ("by-list", "by-descriptor"):
        set_id, copy_id, copy = exposed(agent, share, CTX_BACKUP | ATTR_AUTO_RECOVERY)
        with SmbUser(nas, reader) as reads, SmbUser(nas, writer) as writes:
            writes.write(copy, "w.txt", "mine")
            assert reads.read(copy, "w.txt") == "mine"
            assert_unwritable(reads, copy, "r.txt")
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        with SmbUser(nas, writer) as writes:
            assert_unwritable(writes, copy, "w.txt")
            assert writes.read(copy, "w.txt") == "mine"
        agent.delete(set_id, copy_id, share)
    nas.samba.sharesec("by-descriptor", "--delete")
    nas.assert_nothing_is_left()


@pytest.mark.spec("3.1.5-1")
def test_a_recovery_that_never_completes_ends_with_the_timer() -> None:
    """The set is removed with its snapshot and its share, and open files are closed."""
    with open_nas({"fss:sequence timeout": "2"}) as brief, RawAgent(brief) as agent:
        _, _, copy = exposed(agent, TORTURE_SHARE, CTX_BACKUP | ATTR_AUTO_RECOVERY)
        with HeldFile(brief, copy, "held.txt") as held:
            held.write("before")
            wait_until("the set is gone", lambda: brief.daemon.ask("list-sets") == [])
            with pytest.raises(SessionError, match="|".join(GONE)):
                held.write("after!")
        brief.assert_nothing_is_left()
