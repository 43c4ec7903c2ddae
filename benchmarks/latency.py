"""One call through smbd: fsrvpd, Samba's own agent, and the floor, one after the other.

The machine's noise hits all of them, and can only lengthen: of many short bursts each
one's best counts. Signed and sealed calls are made with rpcclient, since Samba's Python
module can make only unsigned ones on this pipe; what is measured there is a mean, the
share of rpcclient included.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Mapping

from benchmarks.beds import Bed

BURSTS = 25
CALLS = 300  # of each method in a burst
RPC_BURSTS = 6
RPC_CALLS = 1000
COMMANDS = {
    "GetSupportedVersion": "fss_get_sup_version",
    "IsPathSupported": "fss_is_path_sup {share}",
}
Medians = dict[str, dict[str, list[float]]]  # s, by method and bed


def unsigned(beds: Mapping[str, Bed]) -> Medians:
    """The median of each burst."""
    found: Medians = {}
    for _ in range(BURSTS):
        for bed in beds.values():
            for method, times in bed.calls(CALLS).items():
                found.setdefault(method, {}).setdefault(bed.name, []).append(median(times))
    return found


def secured(beds: Mapping[str, Bed], binding: str) -> Medians:
    """One mean: the best run of many calls, less the best of one call."""
    found: Medians = {}
    for method, command in COMMANDS.items():
        few: dict[str, list[float]] = {}
        many: dict[str, list[float]] = {}
        for _ in range(RPC_BURSTS):
            for bed in beds.values():
                line = command.format(share=bed.shares[0])
                few.setdefault(bed.name, []).append(_run(bed, binding, [line]))
                many.setdefault(bed.name, []).append(_run(bed, binding, [line] * RPC_CALLS))
        found[method] = {
            name: [(min(many[name]) - min(few[name])) / (RPC_CALLS - 1)] for name in beds
        }
    return found


def _run(bed: Bed, binding: str, commands: list[str]) -> float:
    began = time.perf_counter()
    bed.samba.rpcclient(";".join(commands), binding=binding)
    return time.perf_counter() - began
