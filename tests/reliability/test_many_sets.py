"""Thousands of sets survive a crash, and the daemon starts with them and stays small."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Iterator, NamedTuple

import pytest

from fsrvpd.core.messages import Opnum, parse_guid
from lab import FsrvpdProcess, Lab, Samba
from tests.interop.nas import OPTIONS, TORTURE_SHARE, Nas, make_shares, make_volumes
from tests.reliability.pipe_agent import PipeAgent, until_answered

SETS = 5000 if os.environ.get("FSRVPD_SOAK") else 120
SETS_OF_A_CLIENT = 60
CLIENTS = 4  # at once
MOST_RESIDENT = 80e6  # bytes


class Start(NamedTuple):
    first_answer: float  # s after the daemon was started
    settled: float  # s until it had compared state, disks and registry
    resident: float  # bytes, at that time


@pytest.fixture
def crowded() -> Iterator[Nas]:
    with Lab() as lab:
        volumes = make_volumes(lab)
        samba = Samba(lab, make_shares(lab, volumes), OPTIONS)
        samba.start()
        samba.write(TORTURE_SHARE, "old.txt", "old\n")
        yield Nas(lab, samba, FsrvpdProcess(lab, samba, debug_level=1), volumes)


def make_sets(nas: Nas, client: int) -> None:
    """Make sets through the pipe, and read each of them back."""
    with PipeAgent(nas, f"10.66.{client // 250}.{client % 250}") as agent:
        for _ in range(min(SETS_OF_A_CLIENT, SETS - client * SETS_OF_A_CLIENT)):
            set_id = agent.start()
            copy_id = agent.add(set_id, TORTURE_SHARE)
            agent.expose(set_id)
            agent.mapping(set_id, copy_id, TORTURE_SHARE)
            agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)


def start(nas: Nas) -> Start:
    began = time.monotonic()
    starting = threading.Thread(target=nas.daemon.start)
    starting.start()
    until_answered(nas, TORTURE_SHARE)
    first_answer = time.monotonic() - began
    starting.join()
    assert nas.daemon.ask("prune") == []
    return Start(first_answer, time.monotonic() - began, resident(nas))


def resident(nas: Nas) -> float:
    with open(f"/proc/{nas.daemon.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * float(os.sysconf("SC_PAGESIZE"))


def test_all_outlive_a_crash(crowded: Nas) -> None:
    """Times are printed; only memory has a limit."""
    crowded.daemon.start()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = range(-(-SETS // SETS_OF_A_CLIENT))
        list(pool.map(lambda client: make_sets(crowded, client), clients))
    made = resident(crowded)
    before = crowded.daemon.ask("list-sets")
    assert [each["status"] for each in before] == ["Recovered"] * SETS
    crowded.daemon.kill()
    seen = start(crowded)
    assert crowded.daemon.ask("list-sets") == before
    print(
        f"\n{SETS} sets: first answer after {seen.first_answer:.2f} s, all compared after"
        f" {seen.settled:.2f} s; {made / 1e6:.0f} MB resident while they were made,"
        f" {seen.resident / 1e6:.0f} MB after the restart"
    )
    assert max(made, seen.resident) < MOST_RESIDENT
    for each in before[:: SETS // 10]:
        copy = each["copies"][0]
        assert crowded.samba.read(copy["shares"][0]["shadow_copy_share"], "old.txt") == "old\n"
        with PipeAgent(crowded, "192.0.2.1") as agent:
            agent.delete(parse_guid(each["set"]), parse_guid(copy["copy"]), TORTURE_SHARE)
    assert len(crowded.daemon.ask("list-sets")) == SETS - 10
    assert crowded.daemon.ask("prune") == []
