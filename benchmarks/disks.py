"""A set from its creation to its deletion on two disks: this machine's, and one whose flushes
take 8 ms longer, as a hard disk's do. Both agents take turns."""

from __future__ import annotations

from statistics import median, quantiles
from typing import Iterator, Mapping, NamedTuple, Optional, Sequence, Union

from benchmarks.servers import Server

DISKS = {"this disk": 0.0, "each flush 8 ms longer": 0.008}  # s
ROUNDS = 4
CYCLES = 8  # for each agent in a round
STEPS = (
    "PrepareShadowCopySet",
    "freeze window",
    "CommitShadowCopySet",
    "ExposeShadowCopySet",
    "RecoveryCompleteShadowCopySet",
    "create",
    "delete",
)
FLOOR = ("the snapshot alone", "Commit's system calls in C")

Times = Mapping[str, Sequence[float]]


class Row(NamedTuple):
    """Of one step on one disk; times in s, (p50, p90) of each agent."""

    disk: str
    step: str
    ours: tuple[float, float]
    samba: tuple[float, float]
    flushes: tuple[int, int]

    @property
    def ratio(self) -> float:
        return self.ours[0] / self.samba[0]


class Alone(NamedTuple):
    """What Samba's agent has no counterpart of, as (p50, p90) in s: where fsrvpd's Commit spends
    its time between the socket's recv and send, and what no agent can do faster."""

    disk: str
    what: str
    seconds: tuple[float, float]
    flushes: str = ""
    of_floor: Optional[float] = None


def measure(servers: Mapping[str, Server]) -> Iterator[Union[Row, Alone]]:
    for disk, delay in DISKS.items():
        for server in servers.values():
            server.lengthen_flushes(delay)
            server.cycles(1)  # to warm up
        found: dict[str, dict[str, list[float]]] = {name: {} for name in servers}
        for _ in range(ROUNDS):
            for name, server in servers.items():
                for what, numbers in server.cycles(CYCLES).items():
                    found[name].setdefault(what, []).extend(numbers)
        for step in STEPS:
            yield Row(
                disk,
                step,
                _middle(found["ours"][step]),
                _middle(found["samba"][step]),
                (_flushes(found["ours"], step), _flushes(found["samba"], step)),
            )
        floors = servers["ours"].floor_of_commit(ROUNDS * CYCLES)
        least = [_middle(times) for times in zip(*floors)]
        for what, seconds in zip(FLOOR, least):
            yield Alone(disk, what, seconds, "1")
        for name in (each for each in found["ours"] if each.startswith("in the agent")):
            seconds = _middle(found["ours"][name])
            whole = name.endswith("Commit")
            yield Alone(disk, name, seconds, of_floor=seconds[0] / least[-1][0] if whole else None)


def _middle(times: Sequence[float]) -> tuple[float, float]:
    return median(times), quantiles(times, n=10)[-1]


def _flushes(times: Times, step: str) -> int:
    """Those of a step, as often as most times; the snapshot counts as one."""
    if step in ("create", "delete"):
        whole = [name for name in times if name.startswith("flushes of ")]
        deletion = "flushes of DeleteShareMapping"
        chosen = [deletion] if step == "delete" else [each for each in whole if each != deletion]
    else:
        method = "CommitShadowCopySet" if step == "freeze window" else step
        chosen = [f"flushes of {method}"]
    return sum(int(median(times[name])) for name in chosen)


def lines(rows: Sequence[Union[Row, Alone]]) -> Iterator[str]:
    """A table for docs/performance.md."""
    yield "| disk | step | fsrvpd p50, p90 | Samba p50, p90 | ratio | flushes, Samba's |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for row in rows:
        if isinstance(row, Row):
            flushes = f"{row.flushes[0]}, {row.flushes[1]}"
            cells = [_ms(row.ours), _ms(row.samba), f"{row.ratio:.2f}", flushes]
            yield f"| {row.disk} | {row.step} | {' | '.join(cells)} |"
        else:
            ratio = f"{row.of_floor:.2f} of the row in C" if row.of_floor else ""
            yield f"| {row.disk} | {row.what} | {_ms(row.seconds)} | | {ratio} | {row.flushes} |"


def _ms(seconds: tuple[float, float]) -> str:
    return ", ".join(f"{each * 1e3:.2f}" for each in seconds) + " ms"
