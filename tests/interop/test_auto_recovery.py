"""A copy is writable until its recovery is complete, and only if that was asked for."""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import Iterator

import pytest
from impacket.smbconnection import SessionError

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.context import ATTR_AUTO_RECOVERY, CTX_BACKUP
from fsrvpd.protocol.hresult import HResult
from tests.interop.held_file import HeldFile
from tests.interop.raw_agent import RawAgent
from tests.interop.site import TORTURE_SHARE, Site, make_directory, open_site
from tests.interop.visitor import ACCESS_DENIED, MEDIA_WRITE_PROTECTED, Visitor, refusal
from tests.lab import Share
from tests.lab.namespaces import wait_until

READ_ONLY = (0x0, 0x2, 0x9, 0xB, 0x10, 0x12, 0x19, 0x1B)
WRITABLE = tuple(ATTR_AUTO_RECOVERY | context for context in (0x0, 0x9, 0x10, 0x19))
UNSUPPORTED = (0x400002, 0x1, 0x8, 0x4, 0x11, 0x18, 0x20, 0x400019 | 0x2, 0x80000000)
GONE = ("STATUS_NETWORK_NAME_DELETED", "STATUS_FILE_CLOSED")
BOTH = pytest.mark.parametrize("share", [TORTURE_SHARE, "vault"], ids=["btrfs", "xfs"])


@pytest.fixture(scope="module")
def agent(site: Site) -> Iterator[RawAgent]:
    with RawAgent(site) as opened:
        yield opened


def exposed(agent: RawAgent, share: str, context: int) -> tuple[bytes, bytes, str]:
    """An exposed set: its id, its copy's, and the name of the shadow copy share."""
    set_id = agent.start(context)
    copy_id = agent.add(set_id, share)
    agent.expose(set_id)
    return set_id, copy_id, agent.mapping(set_id, copy_id, share).share


def assert_unwritable(visitor: Visitor, share: str, name: str) -> None:
    status = refusal(lambda: visitor.write(share, name, "refused"))
    assert status in (ACCESS_DENIED, MEDIA_WRITE_PROTECTED)


@pytest.mark.spec("3.1.4.6-6")
@pytest.mark.parametrize("context", READ_ONLY, ids=hex)
def test_without_auto_recovery_nothing_can_be_made_after_expose(
    site: Site, agent: RawAgent, context: int
) -> None:
    set_id, copy_id, share = exposed(agent, TORTURE_SHARE, context)
    with Visitor(site, site.samba.root) as visitor:
        assert_unwritable(visitor, share, "new.txt")
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    agent.delete(set_id, copy_id, TORTURE_SHARE)


@pytest.mark.spec("3.1.4.6-6")
@pytest.mark.spec("3.1.4.7-4")
@pytest.mark.parametrize("context", WRITABLE, ids=hex)
def test_with_auto_recovery_until_it_is_complete(site: Site, agent: RawAgent, context: int) -> None:
    set_id, copy_id, share = exposed(agent, TORTURE_SHARE, context)
    with Visitor(site, site.samba.root) as visitor:
        visitor.write(share, "repaired.txt", "by a writer")
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    with Visitor(site, site.samba.root) as visitor:
        assert_unwritable(visitor, share, "repaired.txt")
        assert visitor.read(share, "repaired.txt") == "by a writer"
    agent.delete(set_id, copy_id, TORTURE_SHARE)


@pytest.mark.spec("3.1.4.2-1")
def test_any_other_context_is_unsupported(agent: RawAgent) -> None:
    for context in UNSUPPORTED:
        result = agent.result(Opnum.SetContext, struct.pack("<I", context))
        assert result == HResult.FSRVP_E_UNSUPPORTED_CONTEXT, hex(context)


@BOTH
def test_what_is_open_for_writing_is_closed(site: Site, agent: RawAgent, share: str) -> None:
    set_id, copy_id, copy = exposed(agent, share, CTX_BACKUP | ATTR_AUTO_RECOVERY)
    with HeldFile(site, copy, "held.txt") as held:
        held.write("before")
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        with pytest.raises(SessionError, match="|".join(GONE)):
            held.write("after!")
    assert site.samba.read(copy, "held.txt") == "before"
    agent.delete(set_id, copy_id, share)
    site.assert_nothing_is_left()


def test_the_snapshot_is_read_only_on_the_disk(site: Site, agent: RawAgent) -> None:
    """Even for root, who needs no share."""
    set_id, copy_id, _ = exposed(agent, TORTURE_SHARE, CTX_BACKUP | ATTR_AUTO_RECOVERY)
    [listed] = site.daemon.ask("list-sets")
    inside = site.lab.seen(Path(listed["copies"][0]["snapshot"])) / "by-root.txt"
    inside.write_text("while it may")
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    with pytest.raises(OSError, match="Read-only") as refused:
        inside.write_text("too late")
    assert refused.value.errno == errno.EROFS
    assert inside.read_text() == "while it may"
    agent.delete(set_id, copy_id, TORTURE_SHARE)


def test_writable_only_for_who_could_write_to_the_base_share(site: Site, agent: RawAgent) -> None:
    """By `write list` and by the security descriptor of the share."""
    reader, writer = site.samba.add_user("only-reads"), site.samba.add_user("also-writes")
    path = make_directory(site.lab, site.volumes["projects"] / "written")
    options = {"read only": "yes", "write list": "also-writes"}
    site.samba.set_share(Share("by-list", path, options))
    site.samba.set_share(Share("by-descriptor", path))
    site.samba.reload()
    rights = {site.samba.root: "FULL", reader: "READ", writer: "CHANGE"}
    site.samba.let_in("by-descriptor", rights)
    for share in ("by-list", "by-descriptor"):
        set_id, copy_id, copy = exposed(agent, share, CTX_BACKUP | ATTR_AUTO_RECOVERY)
        with Visitor(site, reader) as reads, Visitor(site, writer) as writes:
            writes.write(copy, "w.txt", "mine")
            assert reads.read(copy, "w.txt") == "mine"
            assert_unwritable(reads, copy, "r.txt")
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        with Visitor(site, writer) as writes:
            assert_unwritable(writes, copy, "w.txt")
            assert writes.read(copy, "w.txt") == "mine"
        agent.delete(set_id, copy_id, share)
    site.samba.sharesec("by-descriptor", "--delete")
    site.assert_nothing_is_left()


@pytest.mark.spec("3.1.5-1")
def test_a_recovery_that_never_completes_ends_with_the_timer() -> None:
    """The set goes with its snapshot and its share, and what was open is closed."""
    with open_site({"fss:sequence timeout": "2"}) as brief, RawAgent(brief) as agent:
        _, _, copy = exposed(agent, TORTURE_SHARE, CTX_BACKUP | ATTR_AUTO_RECOVERY)
        with HeldFile(brief, copy, "held.txt") as held:
            held.write("before")
            wait_until("the set is gone", lambda: brief.daemon.ask("list-sets") == [])
            with pytest.raises(SessionError, match="|".join(GONE)):
                held.write("after!")
        brief.assert_nothing_is_left()
