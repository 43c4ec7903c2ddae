"""One call through smbd: fsrvpd, Samba's own agent, and the floor, in turn.

A call is a chain: client, smbd, agent, smbd, client. Only one of them works at a time. All run
on one processor, which then never sleeps: otherwise the time that processors take to wake each
other up would be measured as well. Other load on the machine can only lengthen a call. It makes
times differ by half from one minute to the next, but it changes the ratio of two consecutive
bursts much less. So in each of many short rounds each agent has one burst, of which the median
counts, and the median of the rounds' ratios is stable.

Samba's Python module makes the unsigned calls. It cannot sign or seal, so rpcclient makes those
calls. Each client keeps one connection for all rounds. rpcclient's times include some 30 us of
its own.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from statistics import median
from typing import Callable, Iterator, Mapping, Sequence

from benchmarks.servers import Server

ROUNDS = 40
CALLS = 100  # of each method in a burst
METHODS = ("GetSupportedVersion", "IsPathSupported")

Burst = Callable[[int], Mapping[str, Sequence[float]]]  # s by method, for a number of calls
Medians = dict[str, dict[str, list[float]]]  # s, by method and server


@contextmanager
def one_processor() -> Iterator[None]:
    """Bind this process, and processes started in the block, to one processor."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(all_of_them)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


def unsigned(servers: Mapping[str, Server]) -> Medians:
    return _rounds({name: server.caller() for name, server in servers.items()})


def secured(servers: Mapping[str, Server], binding: str) -> Medians:
    return _rounds({name: server.secured_caller(binding) for name, server in servers.items()})


def _rounds(bursts: Mapping[str, Burst]) -> Medians:
    """Return the median of each burst."""
    found: Medians = {method: {name: [] for name in bursts} for method in METHODS}
    for burst in bursts.values():
        burst(CALLS)  # warm-up
    for _ in range(ROUNDS):
        for name, burst in bursts.items():
            times = burst(CALLS)
            for method in METHODS:
                found[method][name].append(median(times[method]))
    return found
