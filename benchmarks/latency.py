"""One call through smbd: fsrvpd, Samba's own agent, and the floor, in turn.

A call is a chain: client, smbd, agent, smbd, client, and only one of them has anything to do
at a time. So that it is measured and not how long processors take to wake each other up, all
of them run on one processor, which then never sleeps. What else the machine does can only
lengthen a call, and makes times differ by half from one minute to the next, but not so much
the ratio of two bursts that follow each other: in many short rounds each agent has its burst,
whose median counts; the median of the rounds' ratios is what is stable.

Unsigned calls are made by Samba's Python module, signed and sealed ones by rpcclient,
because that module cannot; each stays for all rounds, on one connection. rpcclient's own
share, some 30 us, is in its times.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from statistics import median
from typing import Callable, Iterator, Mapping, Sequence

from benchmarks.beds import Bed

ROUNDS = 40
CALLS = 100  # of each method in a burst
METHODS = ("GetSupportedVersion", "IsPathSupported")

Burst = Callable[[int], Mapping[str, Sequence[float]]]  # times in s by method, of so many calls
Medians = dict[str, dict[str, list[float]]]  # s, by method and bed


@contextmanager
def one_processor() -> Iterator[None]:
    """What is started meanwhile stays on it."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(all_of_them)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


def unsigned(beds: Mapping[str, Bed]) -> Medians:
    return _rounds({name: bed.caller() for name, bed in beds.items()})


def secured(beds: Mapping[str, Bed], binding: str) -> Medians:
    return _rounds({name: bed.secured_caller(binding) for name, bed in beds.items()})


def _rounds(bursts: Mapping[str, Burst]) -> Medians:
    """The median of each burst."""
    found: Medians = {method: {name: [] for name in bursts} for method in METHODS}
    for burst in bursts.values():
        burst(CALLS)  # whatever is done once
    for _ in range(ROUNDS):
        for name, burst in bursts.items():
            times = burst(CALLS)
            for method in METHODS:
                found[method][name].append(median(times[method]))
    return found
