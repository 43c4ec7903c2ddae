"""Opening the pipe and binding, before the first call: fsrvpd and Samba's own agent in turn.

One rpcclient stays in its SMB session. `sign` with another mechanism makes it close its pipe, so
that its next call opens a new one, binds, and calls. The times of a whole rpcclient include its
start and its SMB session.
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median
from typing import Callable, Mapping, Sequence

from benchmarks.latency import Medians
from benchmarks.servers import Server, said

ROUNDS = 12
BINDS = 12  # of each kind in a burst
COMMANDS = 4  # whole rpcclients in a burst
MECHANISMS = {"NTLM, signed": "NTLMSSP", "NTLM in SPNEGO, signed": "NTLMSSP_SPNEGO"}
COMMAND = "a whole rpcclient [spnego,sign]"
# Runs a command for each line that it reads, and tells its time in seconds.
TIMED = """
import subprocess, sys, time
for _ in sys.stdin:
    began = time.perf_counter()
    done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    seconds = time.perf_counter() - began
    print(seconds if b" supports " in done.stdout else done.stdout, flush=True)
"""

Burst = Callable[[], Mapping[str, Sequence[float]]]  # s, by kind


def measure(servers: Mapping[str, Server]) -> Medians:
    """Return the median of each burst, by kind and server."""
    bursts = {name: _burst(server) for name, server in servers.items()}
    found: Medians = {kind: {name: [] for name in servers} for kind in (*MECHANISMS, COMMAND)}
    for burst in bursts.values():
        burst()  # warm-up
    for _ in range(ROUNDS):
        for name, burst in bursts.items():
            for kind, times in burst().items():
                found[kind][name].append(median(times))
    return found


def _burst(server: Server) -> Burst:
    client = server.rpcclient("spnego,sign")
    argv = [*server.rpcclient_argv("spnego,sign"), "-c", f"fss_is_path_sup {server.shares[0]}"]
    command = server.lab.converse([sys.executable, "-c", TIMED, *argv])

    def burst() -> Mapping[str, Sequence[float]]:
        times: dict[str, list[float]] = {kind: [] for kind in MECHANISMS}
        for _ in range(BINDS):
            for kind, mechanism in MECHANISMS.items():
                said(client, f"sign {mechanism}")
                times[kind].append(called(client))
        return {**times, COMMAND: [float(said(command, "")) for _ in range(COMMANDS)]}

    return burst


def called(client: subprocess.Popen[str]) -> float:
    began = time.perf_counter()
    answer = said(client, "fss_get_sup_version")
    if " supports " not in answer:
        raise ValueError(answer)
    return time.perf_counter() - began
