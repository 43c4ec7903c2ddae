"""Whether a client still has what it was told, and can end it."""

from __future__ import annotations

from pathlib import Path

from fsrvpd.core.messages import Opnum, format_guid
from tests.interop.raw_agent import RawAgent
from tests.reliability.bed import Bed, assert_in_order
from tests.reliability.walk.journey import SHARES, Journey


def write(bed: Bed, text: str) -> None:
    for share in SHARES:
        (bed.site.lab.seen(directory_of(bed, share)) / "old.txt").write_text(text)


def directory_of(bed: Bed, share: str) -> Path:
    volumes = bed.site.volumes
    return volumes["vault"] / "vault" if share == "vault" else volumes["projects"]


def status_of(bed: Bed, journey: Journey) -> str:
    wanted = format_guid(journey.set_id) if journey.set_id else ""
    found = [each["status"] for each in bed.daemon.ask("list-sets") if each["set"] == wanted]
    return found[0] if found else "gone"


def assert_as_told(bed: Bed, journey: Journey) -> None:
    """What was answered holds; what was not may have happened or not, but whole."""
    status = status_of(bed, journey)
    if journey.was_told("delete") or journey.was_told("abort"):
        assert status == "gone"
    elif journey.was_asked("delete") or journey.was_asked("abort"):
        assert status in ("gone", "Recovered", "Exposed", "Committed")
    elif journey.was_told("recover"):
        assert status == "Recovered"
    elif journey.was_told("expose"):
        assert status in ("Exposed", "Recovered")
    elif journey.was_told("commit"):
        assert status in ("Committed", "Exposed")
    else:
        assert status in ("gone", "Started", "Added", "Committed")
    if status in ("Exposed", "Recovered"):
        assert_served(bed, journey)


def assert_served(bed: Bed, journey: Journey) -> None:
    """To a client that was not there: the right share, and its content of then."""
    with RawAgent(bed.site) as agent:
        for share in shares_of(bed, journey):
            name = agent.mapping(journey.set_id, journey.copies[share], share).share
            assert agent.read(name, "old.txt") == b"old\n"
            if not journey.was_asked("recover"):
                assert agent.may_write(name)
            elif status_of(bed, journey) == "Recovered":
                assert not agent.may_write(name)


def shares_of(bed: Bed, journey: Journey) -> list[str]:
    """The shares that are mapped in the journey's set."""
    return [
        mapped["share"]
        for each in bed.daemon.ask("list-sets")
        if each["set"] == format_guid(journey.set_id)
        for copy in each["copies"]
        for mapped in copy["shares"]
    ]


def end_all(bed: Bed, journey: Journey) -> None:
    """A client can always end what is there, and then nothing is left."""
    with RawAgent(bed.site) as agent:
        status = status_of(bed, journey)
        if status == "Exposed" and journey.was_asked("recover"):
            agent.advance(Opnum.RecoveryCompleteShadowCopySet, journey.set_id)
            status = "Recovered"
        if status == "Recovered":
            for share in shares_of(bed, journey):
                agent.delete(journey.set_id, journey.copies[share], share)
        elif status != "gone":
            agent.must(Opnum.AbortShadowCopySet, journey.set_id)
        another = agent.start()
        agent.must(Opnum.AbortShadowCopySet, another)
    assert bed.daemon.ask("list-sets") == []
    assert_in_order(bed)
