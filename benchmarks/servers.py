"""Three servers of the pipe, each behind its own smbd with the same configuration.

ours     fsrvpd
samba    Samba's own rpcd_fsrvp, started by samba-dcerpcd as by default
floor    a bare loop that answers fixed bytes: the lowest possible cost of a daemon in Python
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable, Iterator, Mapping, Optional, Sequence

from lab import FsrvpdProcess, Lab, LabProcess, Samba, Share
from lab.namespaces import wait_until

CLIENT = Path(__file__).with_name("client.py")
SLOW_FLUSH = Path(__file__).with_name("slow_flush.c")
COMMIT_FLOOR = Path(__file__).with_name("commit_floor.c")
FLOOR = Path(__file__).with_name("floor.py")
PYTHON = "/usr/bin/python3"  # which has the package `samba`
SHARES = 100
PAUSE = 0.013  # s; with this many shares, a second passes between two snapshots of each
BACK_OFF = 0.05  # s, after an agent has refused a set
VOLUME_SIZE = 8 << 30
# Each client reaches the server at an address of its own, from one of its own: see _give_addresses.
CLIENTS = 64
SERVER_OF, CLIENT_OF = "127.0.1.{}", "127.0.2.{}"
OPTIONS = {
    "interfaces": " ".join(
        ["127.0.0.9/8", *(f"{SERVER_OF.format(n)}/8" for n in range(1, CLIENTS + 1))]
    ),
    "log level": "0",
    "fsrvpd:require rpc integrity": "no",
    "fsrvpd:max sets per client": "10000",
    "rpcd_fsrvp:num_workers": "1",  # each worker has its own state
}
Times = Mapping[str, Sequence[float]]  # s, by method or sequence


class Server:
    """One server, and clients that call it. With `slow_flush` its flushes can be lengthened, and
    clients count them."""

    def __init__(self, lab: Lab, name: str, slow_flush: bool = False) -> None:
        self.name = name
        self.lab = lab
        self._slow_flush = lab.directory / "slow_flush"
        self._environment: dict[str, str] = {}
        if slow_flush:
            library = lab.directory / "slow_flush.so"
            lab.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, SLOW_FLUSH])
            self._slow_flush.write_bytes(bytes(64))
            self._environment = {
                "LD_PRELOAD": str(library),
                "SLOW_FLUSH": str(self._slow_flush),
            }
        self.volume = lab.volume("btrfs", "volume", VOLUME_SIZE)
        self.shares = [f"s{number:03}" for number in range(SHARES)]
        self.samba = Samba(lab, map(self._share, self.shares), OPTIONS, own_agent=name == "samba")
        self.samba.start(self._environment)
        self.daemon: Optional[FsrvpdProcess] = None
        self.floor: Optional[LabProcess] = None
        self._sets = 0  # number that exist
        self._give_addresses()

    def _give_addresses(self) -> None:
        routes = (
            f"ip route add local {SERVER_OF.format(n)}/32 dev lo table local"
            f" src {CLIENT_OF.format(n)}"
            for n in range(1, CLIENTS + 1)
        )
        self.lab.run(["sh", "-ec", "\n".join(routes)])

    def strive(self, clients: int, shares: int, seconds: float) -> list[Times]:
        """What each of several clients measures that make sets at the same time."""
        running = []
        for number in range(1, clients + 1):
            rotated = [self.shares[(number + each) % shares] for each in range(shares)]
            arguments = [SERVER_OF.format(number), self.samba.root.login, ",".join(rotated)]
            argv = [PYTHON, CLIENT, "strive", *arguments, str(seconds), str(BACK_OFF)]
            running.append(self.lab.converse(argv))
        for client in running:
            assert client.stdin is not None
            client.stdin.write("\n")
            client.stdin.flush()
        found: list[Times] = []
        for client in running:
            assert client.stdout is not None
            line = client.stdout.readline()
            if not line:
                raise RuntimeError(f"a client of {self.name} ended with status {client.wait()}")
            found.append(json.loads(line))
        return found

    def _share(self, name: str) -> Share:
        path = self.volume / name
        self.lab.run(["btrfs", "subvolume", "create", path])
        options = {"vfs objects": "btrfs", "btrfs:manipulate snapshots": "yes"}
        return Share(name, path, options)

    def serve(self) -> None:
        if self.name == "ours":
            self.daemon = FsrvpdProcess(self.lab, self.samba, debug_level=1)
            words = [f"{name}={value}" for name, value in self._environment.items()]
            self.daemon.start(before=["env", *words])
        elif self.name == "floor":
            self.samba.pipe.parent.mkdir(mode=0o700, exist_ok=True)
            self.floor = self.lab.popen([sys.executable, FLOOR, self.samba.pipe])
            wait_until("the floor listens", lambda: self.lab.seen(self.samba.pipe).exists())

    def lengthen_flushes(self, seconds: float) -> None:
        with self._slow_flush.open("r+b") as file:
            file.write(int(seconds * 1e6).to_bytes(8, sys.byteorder))

    def floor_of_commit(self, number: int) -> list[tuple[float, float]]:
        """The snapshot alone, and with everything it cannot do without, in s: see
        commit_floor.c."""
        program = self.lab.directory / "commit_floor"
        self.lab.run(["gcc", "-O2", "-o", program, COMMIT_FLOOR])
        argv = [program, self.volume / self.shares[0], str(number)]
        lines = self.lab.run(argv, environment=self._environment).stdout.splitlines()
        pairs = (map(float, line.split()) for line in lines)
        return [(alone / 1e6, everything / 1e6) for alone, everything in pairs]

    def caller(self) -> Callable[[int], Times]:
        """Start a client that makes the given number of calls of each method for each request."""
        arguments = [self.samba.address, self.samba.root.login, self.shares[0]]
        client = self.lab.converse([PYTHON, CLIENT, "calls", *arguments])

        def burst(number: int) -> Times:
            times: Times = json.loads(said(client, str(number)))
            return times

        return burst

    def rpcclient_argv(self, binding: str) -> list[str]:
        login = ["-U", self.samba.root.login, f"ncacn_np:{self.samba.address}[{binding}]"]
        return ["rpcclient", "-s", str(self.samba.conf), *login]

    def rpcclient(self, binding: str) -> subprocess.Popen[str]:
        return self.lab.converse(self.rpcclient_argv(binding))

    def secured_caller(self, binding: str) -> Callable[[int], Times]:
        """The same with rpcclient and `sign` or `seal`. A refusal of the agent is an error."""
        client = self.rpcclient(binding)
        lines = {
            "GetSupportedVersion": "fss_get_sup_version",
            "IsPathSupported": f"fss_is_path_sup {self.shares[0]}",
        }

        def call(line: str) -> float:
            began = time.perf_counter()
            answer = said(client, line)
            if " supports " not in answer:
                raise ValueError(f"{line}: {answer}")
            return time.perf_counter() - began

        def burst(number: int) -> Times:
            return {method: [call(line) for _ in range(number)] for method, line in lines.items()}

        return burst

    def cycles(self, number: int) -> Times:
        return self._client("cycles", ",".join(self.shares), number, PAUSE)

    def grow_to(self, number: int) -> None:
        """Make sets and keep them until there are `number`."""
        self._client("grow", ",".join(self.shares), number - self._sets, PAUSE)
        self._sets = number

    def _client(self, verb: str, shares: str, number: int, pause: float) -> Times:
        arguments = [self.samba.address, self.samba.root.login, shares, str(number), str(pause)]
        counted = {key: self._environment[key] for key in {"SLOW_FLUSH"} & {*self._environment}}
        argv = ["env", *(f"{key}={value}" for key, value in counted.items()), PYTHON, CLIENT]
        done = self.samba.run([*argv, verb, *arguments], timeout=1800)
        if "Refused" in done.stderr:
            print(f"({self.name}: {done.stderr.strip().splitlines()[-1]})", flush=True)
        times: Times = json.loads(done.stdout)
        return times


def said(client: subprocess.Popen[str], line: str) -> str:
    """Send a line to a client. Returns the line that it answers."""
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(f"{line}\n")
    client.stdin.flush()
    return client.stdout.readline()


@contextmanager
def servers(*names: str, slow_flush: bool = False) -> Iterator[dict[str, Server]]:
    with ExitStack() as stack:
        opened = {name: Server(stack.enter_context(Lab()), name, slow_flush) for name in names}
        for server in opened.values():
            server.serve()
        yield opened
