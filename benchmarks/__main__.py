"""Measure and print ratios: `python -m benchmarks [codec] [lookups] [request] [latency]
[sequences]`, all of them unless some are named. `sequences` draws docs/create-time.svg.

The parts behind smbd want root, as `make test` does.
"""

from __future__ import annotations

import sys
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Callable

from benchmarks import codec, latency, lookups, machine, picture, request_path, sequences
from benchmarks.beds import beds
from benchmarks.sequences import Level

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


def show_request() -> None:
    head("request, from socket to socket", "time")
    for name, seconds in request_path.measure().items():
        show(name, f"{seconds * 1e6:.2f} us")


def show_latency() -> None:
    head("call through smbd", "", "fsrvpd", "Samba", "ratio", "floor")
    with latency.one_processor(), beds("ours", "samba", "floor") as opened:
        _show_calls("unsigned", latency.unsigned(opened))
        secured = {name: bed for name, bed in opened.items() if name != "floor"}
        for binding in ("sign", "seal"):
            _show_calls(f"[{binding}]", latency.secured(secured, binding))


def _show_calls(binding: str, found: latency.Medians) -> None:
    """The best and the median of all rounds; of the ratios of each round, the median."""
    for method, times in found.items():
        ours, samba, *floor = (
            f"{min(rounds) * 1e6:.0f}, {median(rounds) * 1e6:.0f} us" for rounds in times.values()
        )
        ratio = median(map(truediv, times["ours"], times["samba"]))
        show(method, binding, ours, samba, f"{ratio:.2f}", *floor)


def show_sequences() -> None:
    levels: list[Level] = []
    head("sets", "sequence", *COLUMNS)
    with beds("ours", "samba") as opened:
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
    """Whether our steps cost more the more sets there are; Expose and the deletion are the two
    that change Samba's registry."""
    head("step, fsrvpd, p50", *(f"{level.sets} sets" for level in levels))
    for step in (*STEPS, "DeleteShareMapping"):
        show(step, *(f"{level.median('ours', step) * 1e3:.2f} ms" for level in levels))
    apart = [level.without("ours", "create", "ExposeShadowCopySet") for level in levels]
    show("create without Expose", *(f"{seconds * 1e3:.2f} ms" for seconds in apart))


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
    "request": show_request,
    "latency": show_latency,
    "sequences": show_sequences,
}


def main(wanted: list[str]) -> None:
    print(machine.describe())
    for name in wanted or PARTS:
        print(f"\n## {name} (load {machine.load()})")
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
