"""Three servers of the pipe, each behind an smbd of its own with the same configuration.

ours     fsrvpd
samba    Samba's own rpcd_fsrvp, started by samba-dcerpcd as it is by default
floor    a bare loop that answers fixed bytes: the least that a daemon in Python can cost
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable, Iterator, Mapping, Optional, Sequence

from tests.lab import FsrvpdProcess, Lab, LabProcess, Samba, Share
from tests.lab.namespaces import wait_until

CLIENT = Path(__file__).with_name("client.py")
FLOOR = Path(__file__).with_name("floor.py")
PYTHON = "/usr/bin/python3"  # which has the package `samba`
SHARES = 100
PAUSE = 0.013  # s; with so many shares, a second for each between two snapshots
VOLUME_SIZE = 8 << 30
OPTIONS = {
    "log level": "0",
    "fsrvpd:require rpc integrity": "no",
    "fsrvpd:max sets per client": "10000",
    "rpcd_fsrvp:num_workers": "1",  # several would each keep a state of their own
}
Times = Mapping[str, Sequence[float]]  # s, by method or sequence


class Bed:
    """One server, and clients that call it."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.name = name
        self.lab = lab
        self.volume = lab.volume("btrfs", "volume", VOLUME_SIZE)
        self.shares = [f"s{number:03}" for number in range(SHARES)]
        self.samba = Samba(lab, map(self._share, self.shares), OPTIONS, own_agent=name == "samba")
        self.samba.start()
        self.daemon: Optional[FsrvpdProcess] = None
        self.floor: Optional[LabProcess] = None
        self._sets = 0  # that exist

    def _share(self, name: str) -> Share:
        path = self.volume / name
        self.lab.run(["btrfs", "subvolume", "create", path])
        options = {"vfs objects": "btrfs", "btrfs:manipulate snapshots": "yes"}
        return Share(name, path, options)

    def serve(self) -> None:
        if self.name == "ours":
            self.daemon = FsrvpdProcess(self.lab, self.samba, debug_level=1)
            self.daemon.start()
        elif self.name == "floor":
            self.samba.pipe.parent.mkdir(mode=0o700, exist_ok=True)
            self.floor = self.lab.popen([sys.executable, FLOOR, self.samba.pipe])
            wait_until("the floor listens", lambda: self.lab.seen(self.samba.pipe).exists())

    def caller(self) -> Callable[[int], Times]:
        """A client that stays: so many calls of each method, whenever it is asked."""
        arguments = [self.samba.address, self.samba.root.login, self.shares[0]]
        client = self.lab.converse([PYTHON, CLIENT, "calls", *arguments])

        def burst(number: int) -> Times:
            times: Times = json.loads(_said(client, str(number)))
            return times

        return burst

    def secured_caller(self, binding: str) -> Callable[[int], Times]:
        """The same with rpcclient, `sign` or `seal`; the agent's refusals are failures."""
        login = ["-U", self.samba.root.login, f"ncacn_np:{self.samba.address}[{binding}]"]
        client = self.lab.converse(["rpcclient", "-s", self.samba.conf, *login])
        lines = {
            "GetSupportedVersion": "fss_get_sup_version",
            "IsPathSupported": f"fss_is_path_sup {self.shares[0]}",
        }

        def call(line: str) -> float:
            began = time.perf_counter()
            answer = _said(client, line)
            if " supports " not in answer:
                raise ValueError(f"{line}: {answer}")
            return time.perf_counter() - began

        def burst(number: int) -> Times:
            return {method: [call(line) for _ in range(number)] for method, line in lines.items()}

        return burst

    def cycles(self, number: int) -> Times:
        return self._client("cycles", ",".join(self.shares), number, PAUSE)

    def grow_to(self, number: int) -> None:
        """Make sets and keep them, until there are so many."""
        self._client("grow", ",".join(self.shares), number - self._sets, PAUSE)
        self._sets = number

    def _client(self, verb: str, shares: str, number: int, pause: float) -> Times:
        arguments = [self.samba.address, self.samba.root.login, shares, str(number), str(pause)]
        done = self.samba.run([PYTHON, CLIENT, verb, *arguments], timeout=1800)
        if "Refused" in done.stderr:
            print(f"({self.name}: {done.stderr.strip().splitlines()[-1]})", flush=True)
        times: Times = json.loads(done.stdout)
        return times


def _said(client: subprocess.Popen[str], line: str) -> str:
    """The line with which a client answers."""
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(f"{line}\n")
    client.stdin.flush()
    return client.stdout.readline()


@contextmanager
def beds(*names: str) -> Iterator[dict[str, Bed]]:
    with ExitStack() as stack:
        opened = {name: Bed(stack.enter_context(Lab()), name) for name in names}
        for bed in opened.values():
            bed.serve()
        yield opened
