"""Killed at every point where something durable happens, the daemon comes back to order.

Each point is a durable write, a call of a provider or of the registry, a system call of a
provider that changes a disk, or a call of the registry worker into Samba's library that
changes its databases. At each the daemon is killed before and after, and is told that the
call failed; after it three truths and the client's view are compared.
"""

from __future__ import annotations

import os
import shutil

from tests.lab import LabError
from tests.reliability.bed import Bed, assert_in_order, start_over
from tests.reliability.judge import assert_as_told, end_all, write
from tests.reliability.walk.journey import TO_ABORT, TO_DELETION, Journey
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


def the_points(bed: Bed, ends: tuple[str, ...]) -> list[str]:
    """Of a walk without a fault: those where what was called did not fail."""
    journey = walk(bed, ends, Plan())
    assert journey.told == len(journey.steps) - 1
    assert_in_order(bed)
    assert bed.daemon.ask("list-sets") == []
    bed.daemon.stop()
    return bed.daemon.returned()


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
