"""Killed at every point where something durable happens, the daemon comes back to order.

Each point is a durable write, a call of a provider or of the registry, a system call of a
provider that changes a disk, or a call of the registry worker into Samba's library that
changes its databases. At each the daemon is killed before and after, and is told that the
call failed; after it three truths and the client's view are compared.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from fsrvpd.core.messages import Opnum, format_guid
from tests.interop.raw_agent import RawAgent
from tests.lab import LabError
from tests.reliability.bed import Bed, assert_in_order, start_over
from tests.reliability.walk.journey import SHARES, TO_ABORT, TO_DELETION, Journey
from tests.reliability.walk.points import AFTER, BEFORE, ERROR, KILL, KILL_ALL, Plan

END = ("registry.unexpose", "btrfs.delete", "reflink.delete", "worker.delete")
SOAK = bool(os.environ.get("FSRVPD_SOAK"))


def walk(bed: Bed, ends: tuple[str, ...], plan: Plan) -> Journey:
    """One life of the daemon with the plan, and one journey in it."""
    for volume in ("projects", "vault"):  # so that it is made anew each time
        shutil.rmtree(bed.site.lab.seen(bed.site.volumes[volume] / ".fsrvpd"), ignore_errors=True)
    write(bed, "old\n")
    bed.daemon.start(plan)
    journey = Journey(bed.site, ends)
    journey.go()
    write(bed, "new\n")
    return journey


def write(bed: Bed, text: str) -> None:
    for share in SHARES:
        (bed.site.lab.seen(directory_of(bed, share)) / "old.txt").write_text(text)


def directory_of(bed: Bed, share: str) -> Any:
    volumes = bed.site.volumes
    return volumes["vault"] / "vault" if share == "vault" else volumes["projects"]


def the_points(bed: Bed, ends: tuple[str, ...]) -> list[str]:
    """Of a walk without a fault: those where what was called did not fail."""
    journey = walk(bed, ends, Plan())
    assert journey.told == len(journey.steps) - 1
    assert_in_order(bed)
    assert bed.daemon.ask("list-sets") == []
    bed.daemon.stop()
    return bed.daemon.returned()


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


def stumble(bed: Bed, ends: tuple[str, ...], plan: Plan) -> None:
    journey = walk(bed, ends, plan)
    assert bed.daemon.struck(), f"{plan} was never reached"
    if plan.fault == ERROR:
        bed.daemon.stop()
    elif "worker." in plan.point and plan.fault == KILL:
        bed.daemon.stop()  # only the worker died, and another took its place
    else:
        bed.daemon.wait()
    bed.daemon.start()
    assert_in_order(bed)
    assert_as_told(bed, journey)
    end_all(bed, journey)
    bed.daemon.stop()


def stumble_at_all(bed: Bed, ends: tuple[str, ...], chosen: list[Plan]) -> None:
    failures = []
    for plan in chosen:
        begin = len(bed.daemon.read_log())
        try:
            stumble(bed, ends, plan)
        except (AssertionError, LabError) as error:
            failures.append(f"{plan}: {error}\n{bed.daemon.read_log()[begin:]}")
            start_over(bed)
    points = len({plan.point for plan in chosen})
    print(f"\n{points} points, {len(chosen)} faults, {len(failures)} failures")
    assert not failures, "\n".join(failures)


def plans(points: list[str]) -> list[Plan]:
    """Every fault at every point, or one at each in turn, which takes a sixth of the time."""
    everything = []
    for number, point in enumerate(points):
        faults = [(BEFORE, KILL), (AFTER, KILL), (BEFORE, ERROR)]
        if point.startswith("worker."):
            faults += [(BEFORE, KILL_ALL), (AFTER, KILL_ALL)]
        chosen = faults if SOAK else [faults[number % len(faults)]]
        everything += [Plan(point, *fault) for fault in chosen]
    return everything


def test_every_point_to_deletion(bed: Bed) -> None:
    stumble_at_all(bed, TO_DELETION, plans(the_points(bed, TO_DELETION)))


def test_every_point_to_abort(bed: Bed) -> None:
    """Only those that are not on the way to deletion as well."""
    common = {point for point in the_points(bed, TO_DELETION) if not point.startswith(END)}
    points = [point for point in the_points(bed, TO_ABORT) if point not in common]
    stumble_at_all(bed, TO_ABORT, plans(points))
