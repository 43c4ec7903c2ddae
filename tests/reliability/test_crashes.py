"""Killed at any point where something durable happens, the daemon recovers.

Each point is a durable write, a call of a provider or of the registry, a system call of a
provider that changes a disk, or a call of the registry worker into Samba's library that
changes its databases. At each point the daemon is killed before the call, is killed after it,
and gets an error from it. Then the disks, Samba's registry, the state and the client's view
are compared.
"""

from __future__ import annotations

import os
import shutil

from tests.reliability.assertions import assert_as_told, end_all, write
from tests.reliability.fault_injection.client_session import (
    BTRFS,
    SHARES,
    TO_ABORT,
    TO_DELETION,
    ClientSession,
)
from tests.reliability.fault_injection.fault_points import (
    AFTER,
    BEFORE,
    ERROR,
    KILL,
    KILL_ALL,
    Plan,
)
from tests.reliability.harness import Harness, assert_in_order, start_over

END = ("registry.unexpose", "btrfs.delete", "reflink.delete", "worker.delete")
SOAK = bool(os.environ.get("FSRVPD_SOAK"))


def run_session(
    harness: Harness, ends: tuple[str, ...], plan: Plan, shares: tuple[str, ...] = SHARES
) -> ClientSession:
    """Run the daemon once with the plan, and one client session in it."""
    for volume in ("projects", "vault"):  # so that each session has to create it
        shutil.rmtree(
            harness.nas.lab.seen(harness.nas.volumes[volume] / ".fsrvpd"), ignore_errors=True
        )
    harness.nas.lose_mounts()
    write(harness, "old\n")
    harness.daemon.start(plan)
    session = ClientSession(harness.nas, ends, shares)
    session.go()
    write(harness, "new\n")
    return session


def fault_points_of(
    harness: Harness, ends: tuple[str, ...], shares: tuple[str, ...] = SHARES
) -> list[str]:
    """List the points of a session without a fault at which the call succeeded."""
    session = run_session(harness, ends, Plan(), shares)
    assert session.told == len(session.steps) - 1
    assert_in_order(harness)
    assert harness.daemon.ask("list-sets") == []
    harness.daemon.stop()
    return harness.daemon.returned()


def stumble(
    harness: Harness, ends: tuple[str, ...], plan: Plan, shares: tuple[str, ...] = SHARES
) -> None:
    session = run_session(harness, ends, plan, shares)
    assert harness.daemon.struck(), f"{plan} was never reached"
    if plan.fault == ERROR:
        harness.daemon.stop()
    elif "worker." in plan.point and plan.fault == KILL:
        harness.daemon.stop()  # only the worker was killed, and was replaced
    else:
        harness.daemon.wait()
    harness.daemon.start()
    assert_in_order(harness)
    assert_as_told(harness, session)
    end_all(harness, session)
    harness.daemon.stop()


def stumble_at_all(
    harness: Harness,
    ends: tuple[str, ...],
    chosen: list[Plan],
    shares: tuple[str, ...] = SHARES,
) -> None:
    failures = []
    for plan in chosen:
        begin = len(harness.daemon.read_log())
        try:
            stumble(harness, ends, plan, shares)
        except Exception as error:
            failures.append(f"{plan}: {error}\n{harness.daemon.read_log()[begin:]}")
            start_over(harness)
    fault_points = len({plan.point for plan in chosen})
    print(f"\n{fault_points} points, {len(chosen)} faults, {len(failures)} failures")
    assert not failures, "\n".join(failures)


def plans(fault_points: list[str]) -> list[Plan]:
    """Plan every fault at every point; or, in a tenth of the time, one fault in turn where each
    call is made for the last time, of those for each copy and mount."""
    everything = []
    last = {point.partition("#")[0]: point for point in fault_points}
    for number, point in enumerate(fault_points if SOAK else last.values()):
        faults = [(BEFORE, KILL), (AFTER, KILL), (BEFORE, ERROR)]
        if point.startswith("worker."):
            faults += [(BEFORE, KILL_ALL), (AFTER, KILL_ALL)]
        chosen = faults if SOAK else [faults[number % len(faults)]]
        everything += [Plan(point, *fault) for fault in chosen]
    return everything


def test_every_point_to_deletion(harness: Harness) -> None:
    stumble_at_all(harness, TO_DELETION, plans(fault_points_of(harness, TO_DELETION)))


def test_every_point_to_abort(harness: Harness) -> None:
    """Points that a session up to its deletion passes as well are left out."""
    common = {point for point in fault_points_of(harness, TO_DELETION) if not point.startswith(END)}
    fault_points = [point for point in fault_points_of(harness, TO_ABORT) if point not in common]
    stumble_at_all(harness, TO_ABORT, plans(fault_points))


def test_every_point_of_a_commit_that_records_itself(harness: Harness) -> None:
    """Of a set on btrfs alone: no sync follows the snapshot, and the start finds it."""
    begins = ("store.apply#1", "btrfs.plan", "btrfs.create", "store.apply#2", "registry.expose")
    found = fault_points_of(harness, TO_DELETION, BTRFS)
    fault_points = [point for point in found if point.startswith(begins)]
    kills = [Plan(point, side, KILL) for point in fault_points for side in (BEFORE, AFTER)]
    stumble_at_all(harness, TO_DELETION, kills, BTRFS)
