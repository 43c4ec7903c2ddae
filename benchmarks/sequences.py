"""Whole create and delete sequences through smbd, as sets accumulate."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from statistics import median
from typing import Iterator, Mapping, NamedTuple

from benchmarks.beds import Bed, Times
from tests.reliability.pipe_agent import until_answered

LEVELS = (0, 100, 300, 1000)  # sets that exist
OURS_ALONE = (2000, 5000)
ROUNDS = 5
CYCLES = 8  # of each agent in a round


class Level(NamedTuple):
    sets: int
    times: Mapping[str, Mapping[str, list[float]]]  # s, by bed and sequence or method

    def median(self, bed: str, sequence: str) -> float:
        return median(self.times[bed][sequence])

    def best(self, bed: str, sequence: str) -> float:
        return min(self.times[bed][sequence])

    def without(self, bed: str, sequence: str, step: str) -> float:
        """The median of what a sequence takes but for one of its steps."""
        times = self.times[bed]
        return median(whole - part for whole, part in zip(times[sequence], times[step]))


class Start(NamedTuple):
    """With the sets of the last level."""

    resident: float  # bytes, while sets were made
    resident_after_start: float  # bytes
    seconds: float  # from start to the answer to the first call


def measure(beds: Mapping[str, Bed]) -> Iterator[Level]:
    """One level after the other: the whole takes minutes."""
    for sets in LEVELS + OURS_ALONE:
        taking_part = [bed for bed in beds.values() if sets in LEVELS or bed.name == "ours"]
        for bed in taking_part:
            bed.grow_to(sets)
        yield Level(sets, _cycles(taking_part))


def _cycles(beds: list[Bed]) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {bed.name: {} for bed in beds}
    for _ in range(ROUNDS):
        for bed in beds:
            _add(found[bed.name], bed.cycles(CYCLES))
    return found


def _add(to: dict[str, list[float]], times: Times) -> None:
    for name, seconds in times.items():
        to.setdefault(name, []).extend(seconds)


def restart(bed: Bed) -> Start:
    """Memory and start-up of our daemon with the sets that exist now."""
    assert bed.daemon is not None
    before = resident(bed.daemon.pid)
    bed.daemon.stop()
    began = time.perf_counter()
    starting = threading.Thread(target=bed.daemon.start)
    starting.start()
    until_answered(bed, bed.shares[0])
    seconds = time.perf_counter() - began
    starting.join()
    bed.daemon.ask("prune", "--dry-run")  # after the comparison at the start
    return Start(before, resident(bed.daemon.pid), seconds)


def resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1]) * 1024
    raise ValueError(f"process {pid} has no memory")
