"""Mounts copies and unmounts them, and is killed at a step of that which a test chooses.

`python -m tests.requestor.mounting CREDENTIALS` reads an order a line, and forks: the child runs a
command of fsrvpshadow, or `mounts` alone, and is killed before a step if that is ordered. What
became of it is printed on a line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from fsrvpd.core.messages import new_guid
from fsrvpd.requestor.ctl import mount, removal, run  # noqa: F401 (before the fork, for its speed)
from fsrvpd.requestor.ctl.main import main as command
from fsrvpd.requestor.ctl.opening import open_requestor  # noqa: F401
from fsrvpd.requestor.mount import kernel, places
from fsrvpd.requestor.mount.mounts import Mounts
from fsrvpd.requestor.mount.process import Process
from fsrvpd.requestor.ports import ShareRoot
from fsrvpd.requestor.smb.agent_connection import SmbAgentConnection
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.state.files import StateFiles
from fsrvpd.requestor.state.locks import Lock
from fsrvpd.requestor.state.mounts import MountFiles
from tests.paths import ROOT
from tests.requestor.command_host import Host

STEPS: Sequence[Tuple[Any, str]] = (
    *((MountFiles, "write"), (MountFiles, "forget"), (StateFiles, "write")),
    *((StateFiles, "forget"), (SmbAgentConnection, "call")),
    *((places, "make"), (places, "remove"), (kernel, "unmount"), (kernel, "read_ahead")),
    *((Process, "__init__"), (Process, "wait_until_mounted"), (Process, "let_stay")),
    *((Process, "let_go"), (Process, "end"), (Lock, "leave")),
)


class Outcome(NamedTuple):
    """`steps` are those that it came to, `status` is its exit status: -9 if it was killed."""

    status: int
    steps: Sequence[str]


class Mounting:
    """The test's end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def do(self, *argv: str, stop: Optional[int] = None, output: str = os.devnull) -> Outcome:
        """Run a command, which writes to `output`, and is killed before the step `stop`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"argv": argv, "stop": stop, "output": output}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Outcome(*json.loads(self._process.stdout.readline()))


@contextmanager
def open_mounting(host: Host) -> Iterator[Mounting]:
    environment = [f"{name}={value}" for name, value in host.environment.items()]
    argv = [sys.executable, "-m", "tests.requestor.mounting", host.credentials]
    with host.lab.converse(["env", f"PYTHONPATH={ROOT}", *environment, *argv]) as process:
        yield Mounting(process)


class Copy(NamedTuple):
    root: ShareRoot
    unc: str


class CopySet(NamedTuple):
    set_id: bytes
    copies: Sequence[Copy]


def lead(stop: Optional[int], steps: List[str]) -> None:
    """Let this process be killed before a step, and note those that it comes to."""

    def led(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            if len(steps) == stop:
                os.kill(os.getpid(), signal.SIGKILL)
            steps.append(name)
            return function(*arguments, **more)

        return call

    for owner, name in STEPS:
        function = getattr(owner, name)
        setattr(owner, name, led(f"{owner.__name__.rpartition('.')[2]}.{name}", function))


def mounts(credentials: str, copies: Sequence[str]) -> int:
    """Mount copies for as long as nothing lasts."""
    found = []
    for unc in copies:
        host, _, share = unc[2:].partition("\\")
        live = share.partition("@")[0]
        found.append(Copy(ShareRoot(unc, rf"\\{host}\{live}", host, live, ""), unc))
    who = dict(line.split(" = ") for line in Path(credentials).read_text().splitlines())
    with Mounts(MountFiles.of_user(), Credentials(who["username"], who["password"])) as mounted:
        mounted.mount(CopySet(new_guid(), found), "walk")
    return 0


def carry_out(credentials: str, argv: Sequence[str], output: str) -> int:
    os.dup2(os.open(output, os.O_WRONLY), 1)
    if argv[0] == "mounts":
        return mounts(credentials, argv[1:])
    return command(["-A", credentials, *argv])


def main(credentials: str) -> None:
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            steps: List[str] = []
            lead(order["stop"], steps)
            status = carry_out(credentials, order["argv"], order["output"])
            os.write(writer, json.dumps(steps).encode())
            os._exit(status)
        os.close(writer)
        _, status = os.waitpid(pid, 0)
        with os.fdopen(reader) as pipe:
            steps = json.loads(pipe.read() or "[]")
        print(json.dumps([os.waitstatus_to_exitcode(status), steps]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
