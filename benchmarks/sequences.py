"""Whole create and delete sequences through smbd, with more and more sets."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from statistics import median
from typing import Iterator, Mapping, NamedTuple

from benchmarks.servers import Server, Times
from tests.reliability.pipe_agent import until_answered

LEVELS = (0, 100, 300, 1000)  # sets that exist
OURS_ALONE = (2000, 5000)
ROUNDS = 5
CYCLES = 8  # for each agent in a round


class Level(NamedTuple):
    sets: int
    times: Mapping[str, Mapping[str, list[float]]]  # s, by server and sequence or method

    def median(self, server: str, sequence: str) -> float:
        return median(self.times[server][sequence])

    def best(self, server: str, sequence: str) -> float:
        return min(self.times[server][sequence])

    def without(self, server: str, sequence: str, step: str) -> float:
        """Return the median time of a sequence without one of its steps."""
        times = self.times[server]
        return median(whole - part for whole, part in zip(times[sequence], times[step]))


class Start(NamedTuple):
    """Memory and start-up time with the sets of the last level."""

    resident: float  # bytes, while sets were made
    resident_after_start: float  # bytes
    seconds: float  # from start to the answer to the first call


def measure(servers: Mapping[str, Server]) -> Iterator[Level]:
    """Measure one level after the other. All levels take minutes."""
    for sets in LEVELS + OURS_ALONE:
        taking_part = [
            server for server in servers.values() if sets in LEVELS or server.name == "ours"
        ]
        for server in taking_part:
            server.grow_to(sets)
        yield Level(sets, _cycles(taking_part))


def _cycles(servers: list[Server]) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {server.name: {} for server in servers}
    for _ in range(ROUNDS):
        for server in servers:
            _add(found[server.name], server.cycles(CYCLES))
    return found


def _add(to: dict[str, list[float]], times: Times) -> None:
    for name, seconds in times.items():
        to.setdefault(name, []).extend(seconds)


def restart(server: Server) -> Start:
    """Measure memory and start-up of fsrvpd with the sets that exist now."""
    assert server.daemon is not None
    before = resident(server.daemon.pid)
    server.daemon.stop()
    began = time.perf_counter()
    starting = threading.Thread(target=server.daemon.start)
    starting.start()
    until_answered(server, server.shares[0])
    seconds = time.perf_counter() - began
    starting.join()
    server.daemon.ask("prune", "--dry-run")  # waits for the reconciliation at the start
    return Start(before, resident(server.daemon.pid), seconds)


def resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1]) * 1024
    raise ValueError(f"process {pid} has no memory")
