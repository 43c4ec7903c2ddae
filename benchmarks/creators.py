"""Several clients that make and delete sets on the same shares at the same time."""

from __future__ import annotations

from statistics import quantiles
from typing import Iterator, Mapping, NamedTuple

from benchmarks.servers import Server

CLIENTS = (1, 4, 16, 64)
SHARES = 20
SECONDS = 60.0


class Row(NamedTuple):
    """Of one server with a number of clients."""

    clients: int
    server: str
    sets_per_second: float
    window: float  # p99 of the freeze window, s


def measure(servers: Mapping[str, Server]) -> Iterator[Row]:
    for clients in CLIENTS:
        for name, server in servers.items():
            found = server.strive(clients, SHARES, SECONDS)
            sets = sum(len(times.get("delete", ())) for times in found)
            windows = [each for times in found for each in times.get("freeze window", ())]
            p99 = quantiles(windows, n=100)[-1] if len(windows) > 1 else float("nan")
            yield Row(clients, name, sets / SECONDS, p99)
