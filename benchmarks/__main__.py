"""Measure and print ratios: `python -m benchmarks [codec] [lookups] [rpc] [request]
[latency] [binds] [disks] [creators] [sequences] [shares] [requestor] [writers] [skew] [reading]`.
Without arguments all are measured.
`sequences` draws docs/create-time.svg; `disks`, `shares` and `reading` write their tables into
docs/performance.md.

The measurements behind smbd need root, as `make test` does.
"""

from __future__ import annotations

import sys
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Callable, Iterable

from benchmarks import (
    binds,
    codec,
    creators,
    disks,
    latency,
    lookups,
    machine,
    many_shares,
    member_binds,
    picture,
    reading,
    request_path,
    requestor,
    rpc_protection,
    sequences,
    skew,
    writers,
)
from benchmarks.sequences import Level
from benchmarks.servers import servers

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
END = "<!-- end -->\n"
PICTURE = Path(__file__).parent.parent / "docs" / "create-time.svg"
COLUMNS = ("fsrvpd p50", "Samba p50", "ratio", "fsrvpd best", "Samba best", "ratio")
STEPS = (
    "IsPathSupported",
    "StartShadowCopySet",
    "AddToShadowCopySet",
    "PrepareShadowCopySet",
    "CommitShadowCopySet",
    "ExposeShadowCopySet",
    "GetShareMapping",
    "RecoveryCompleteShadowCopySet",
)


def show(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(*cells: str) -> None:
    print()
    show(*cells)
    show(*("---" for _ in cells))


def show_codec() -> None:
    head("message", "fsrvpd", "impacket", "times as fast")
    for row in codec.measure():
        ours, other = f"{row.ours * 1e6:.2f} us", f"{row.impacket * 1e6:.1f} us"
        show(row.message, ours, other, f"{row.impacket / row.ours:.0f}")


def show_lookups() -> None:
    head("lookup", "time")
    for name, seconds in lookups.measure().items():
        show(name, f"{seconds * 1e6:.2f} us")


def show_rpc() -> None:
    head("request, the RPC layer alone", "protection", "time")
    for (method, protection), seconds in rpc_protection.measure().items():
        show(method, protection, f"{seconds * 1e6:.2f} us")


def show_request() -> None:
    head("request, from socket to socket", "time")
    for name, seconds in request_path.measure().items():
        show(name, f"{seconds * 1e6:.2f} us")


def show_latency() -> None:
    head("call through smbd", "", "fsrvpd", "Samba", "ratio", "floor")
    with latency.one_processor(), servers("ours", "samba", "floor") as opened:
        _show_calls("unsigned", latency.unsigned(opened))
        secured = {name: server for name, server in opened.items() if name != "floor"}
        for binding in ("sign", "seal"):
            _show_calls(f"[{binding}]", latency.secured(secured, binding))


def _show_calls(binding: str, found: latency.Medians) -> None:
    """Print the best and the median time of all rounds, and the median of the rounds' ratios."""
    for method, times in found.items():
        ours, samba, *floor = (
            f"{min(rounds) * 1e6:.0f}, {median(rounds) * 1e6:.0f} us" for rounds in times.values()
        )
        ratio = median(map(truediv, times["ours"], times["samba"]))
        show(method, binding, ours, samba, f"{ratio:.2f}", *floor)


def show_binds() -> None:
    """The ratio is the median of the rounds' ratios."""
    head("open, bind and first call", *COLUMNS)
    with servers("ours", "samba") as opened:
        _show_binds(binds.measure(opened))
    _show_binds(member_binds.measure())


def _show_binds(found: latency.Medians) -> None:
    for kind, times in found.items():
        ours, samba = times["ours"], times["samba"]
        cells = [
            f"{value(rounds) * 1e3:.2f} ms" for value in (median, min) for rounds in (ours, samba)
        ]
        ratio = f"{median(map(truediv, ours, samba)):.2f}"
        show(kind, *cells[:2], ratio, *cells[2:], f"{min(ours) / min(samba):.2f}")


def show_disks() -> None:
    with servers("ours", "samba", slow_flush=True) as opened:
        rows = list(disks.measure(opened))
    _write("disks", disks.lines(rows))


def _write(part: str, lines: Iterable[str]) -> None:
    """Print a table, and put it into the page where that says which part wrote it."""
    table, begin = "\n".join(lines), f"<!-- python -m benchmarks {part} -->\n"
    print(table)
    before, _, rest = PAGE.read_text().partition(begin)
    after = rest.partition(END)[2]
    where = f"On an {machine.describe()}; load {machine.load()}."
    PAGE.write_text(f"{before}{begin}{where}\n\n{table}\n{END}{after}")


def show_creators() -> None:
    head("clients", "server", "sets per second", "freeze window, p99")
    with servers("ours", "samba") as opened:
        for row in creators.measure(opened):
            window = f"{row.window * 1e3:.1f} ms"
            show(row.clients, row.server, f"{row.sets_per_second:.1f}", window)


def show_sequences() -> None:
    levels: list[Level] = []
    head("sets", "sequence", *COLUMNS)
    with servers("ours", "samba") as opened:
        for level in sequences.measure(opened):
            levels.append(level)
            for sequence in ("create", "delete"):
                show(level.sets, sequence, *_times(level, sequence))
        start = sequences.restart(opened["ours"])
    head("step, with no sets", *COLUMNS)
    for step in STEPS:
        show(step, *_times(levels[0], step))
    _show_growth(levels)
    print(f"\nwith {levels[-1].sets} sets: {start.resident / 1e6:.0f} MB resident,")
    print(f"{start.resident_after_start / 1e6:.0f} MB after a restart,")
    print(f"{start.seconds:.2f} s from start to the answer to the first call")
    PICTURE.write_text(draw(levels))


def _show_growth(levels: list[Level]) -> None:
    """Show whether fsrvpd's steps take longer with more sets. Only Expose and the deletion change
    Samba's registry."""
    head("step, fsrvpd, p50", *(f"{level.sets} sets" for level in levels))
    for step in (*STEPS, "DeleteShareMapping"):
        show(step, *(f"{level.median('ours', step) * 1e3:.2f} ms" for level in levels))
    apart = [level.without("ours", "create", "ExposeShadowCopySet") for level in levels]
    show("create without Expose", *(f"{seconds * 1e3:.2f} ms" for seconds in apart))


def show_shares() -> None:
    _write("shares", many_shares.lines())


def show_requestor() -> None:
    head(
        "client",
        "create p50",
        "best",
        "of it the server",
        "round trips",
        "its share of the window",
        "process start",
    )
    for client, creates in requestor.measure().items():
        show(
            client,
            f"{requestor.middle(creates, lambda made: made.create) * 1e3:.2f} ms",
            f"{min(made.create for made in creates) * 1e3:.2f} ms",
            f"{requestor.middle(creates, lambda made: made.server) * 1e3:.2f} ms",
            creates[0].round_trips,
            f"{requestor.middle(creates, lambda made: made.client) * 1e3:.2f} ms",
            f"{requestor.middle(creates, lambda made: made.start) * 1e3:.0f} ms",
        )


def show_writers() -> None:
    head("writer", "window, median", "worst", "of it the freeze")
    for name, found in writers.measure().items():
        show(name, *(f"{ms:.1f} ms" for ms in (found.median, found.worst, found.freeze)))


def show_skew() -> None:
    head("two servers, one set", "median", "worst")
    found = skew.measure()
    for name, values in (
        ("between the answers to their commits", [each.skew for each in found]),
        ("from the first commit to the last answer", [each.window for each in found]),
    ):
        show(name, f"{median(values) * 1e3:.2f} ms", f"{max(values) * 1e3:.2f} ms")


def show_reading() -> None:
    _write("reading", reading.lines(reading.measure()))


def _times(level: Level, name: str) -> list[str]:
    cells = []
    for choose in (level.median, level.best):
        ours = choose("ours", name)
        cells.append(f"{ours * 1e3:.2f} ms")
        if "samba" in level.times:
            samba = choose("samba", name)
            cells += [f"{samba * 1e3:.2f} ms", f"{ours / samba:.2f}"]
        else:
            cells += ["", ""]
    return cells


def draw(levels: list[Level]) -> str:
    curves = {
        title: [
            (float(level.sets), level.median(name, "create") * 1e3)
            for level in levels
            if name in level.times
        ]
        for name, title in (("ours", "fsrvpd"), ("samba", "Samba's own agent"))
    }
    return picture.svg(curves, "Median time of a whole create sequence through smbd")


PARTS: dict[str, Callable[[], None]] = {
    "codec": show_codec,
    "lookups": show_lookups,
    "rpc": show_rpc,
    "request": show_request,
    "latency": show_latency,
    "binds": show_binds,
    "disks": show_disks,
    "creators": show_creators,
    "sequences": show_sequences,
    "shares": show_shares,
    "requestor": show_requestor,
    "writers": show_writers,
    "skew": show_skew,
    "reading": show_reading,
}


def main(wanted: list[str]) -> None:
    print(machine.describe())
    for name in wanted or PARTS:
        print(f"\n## {name} (load {machine.load()})")
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
