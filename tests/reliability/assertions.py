"""Assertions that a client still has what it was promised, and can end it."""

from __future__ import annotations

from pathlib import Path

from fsrvpd.core.messages import Opnum, format_guid
from tests.interop.raw_agent import RawAgent
from tests.reliability.fault_injection.client_session import SHARES, ClientSession
from tests.reliability.harness import Harness, assert_in_order


def write(harness: Harness, text: str) -> None:
    for share in SHARES:
        (harness.nas.lab.seen(directory_of(harness, share)) / "old.txt").write_text(text)


def directory_of(harness: Harness, share: str) -> Path:
    volumes = harness.nas.volumes
    return volumes["vault"] / "vault" if share == "vault" else volumes["projects"]


def status_of(harness: Harness, session: ClientSession) -> str:
    wanted = format_guid(session.set_id) if session.set_id else ""
    found = [each["status"] for each in harness.daemon.ask("list-sets") if each["set"] == wanted]
    return found[0] if found else "gone"


def assert_as_told(harness: Harness, session: ClientSession) -> None:
    """Answered calls hold; an unanswered call took effect completely or not at all."""
    status = status_of(harness, session)
    if session.was_told("delete") or session.was_told("abort"):
        assert status == "gone"
    elif session.was_asked("delete") or session.was_asked("abort"):
        assert status in ("gone", "Recovered", "Exposed", "Committed")
    elif session.was_told("recover"):
        assert status == "Recovered"
    elif session.was_told("expose"):
        assert status in ("Exposed", "Recovered")
    elif session.was_told("commit"):
        assert status in ("Committed", "Exposed")
    else:
        assert status in ("gone", "Started", "Added", "Committed")
    if status in ("Exposed", "Recovered"):
        assert_served(harness, session)


def assert_served(harness: Harness, session: ClientSession) -> None:
    """A new client finds the right share, with the content of the time of the snapshot."""
    with RawAgent(harness.nas) as agent:
        for share in shares_of(harness, session):
            name = agent.mapping(session.set_id, session.copies[share], share).share
            assert agent.read(name, "old.txt") == b"old\n"
            if not session.was_asked("recover"):
                assert agent.may_write(name)
            elif status_of(harness, session) == "Recovered":
                assert not agent.may_write(name)


def shares_of(harness: Harness, session: ClientSession) -> list[str]:
    """List the shares that are mapped in the session's set."""
    return [
        mapped["share"]
        for each in harness.daemon.ask("list-sets")
        if each["set"] == format_guid(session.set_id)
        for copy in each["copies"]
        for mapped in copy["shares"]
    ]


def end_all(harness: Harness, session: ClientSession) -> None:
    """Let a client end whatever exists, and assert that nothing is left then."""
    with RawAgent(harness.nas) as agent:
        status = status_of(harness, session)
        if status == "Exposed" and session.was_asked("recover"):
            agent.advance(Opnum.RecoveryCompleteShadowCopySet, session.set_id)
            status = "Recovered"
        if status == "Recovered":
            for share in shares_of(harness, session):
                agent.delete(session.set_id, session.copies[share], share)
        elif status != "gone":
            agent.must(Opnum.AbortShadowCopySet, session.set_id)
        another = agent.start()
        agent.must(Opnum.AbortShadowCopySet, another)
    assert harness.daemon.ask("list-sets") == []
    assert_in_order(harness)
