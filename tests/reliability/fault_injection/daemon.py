"""`FaultyDaemon`: fsrvpd in a lab, forked from a forkserver, with a fault planned."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from fsrvpd.ctl.client import ask
from fsrvpd.errors import FsrvpdError
from fsrvpd.samba_command_line import control_socket
from lab import FsrvpdProcess, Lab, LabError, LabProcess, Samba
from lab.namespaces import wait_until
from tests.reliability.fault_injection.fault_points import RETURNED, Plan

ROOT = Path(__file__).parent.parent.parent.parent


class ForkServer:
    def __init__(self, lab: Lab) -> None:
        self._path = lab.directory / "forkserver"
        self._process: LabProcess = lab.popen(
            [sys.executable, "-m", "tests.reliability.fault_injection.forkserver", self._path],
            output=lab.directory / "log.forkserver",
            environment={"PYTHONPATH": str(ROOT)},
        )
        wait_until("the forkserver listens", self._path.exists)

    def spawn(self, argv: list[str], output: Path, directory: Optional[Path]) -> Life:
        connection = socket.socket(socket.AF_UNIX)
        wait_until("the forkserver answers", lambda: connection.connect_ex(str(self._path)) == 0)
        request = {"argv": argv, "output": str(output), "directory": directory and str(directory)}
        connection.sendall(json.dumps(request).encode() + b"\n")
        return Life(connection, self._process.pid)


class Life:
    """One daemon process, a child of the forkserver."""

    def __init__(self, connection: socket.socket, forkserver: int) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        inside = int(self._lines.readline())
        self.pid = _as_seen_from_here(inside, forkserver)
        self._status: Optional[int] = None

    def poll(self) -> Optional[int]:
        if self._status is None:
            self._connection.settimeout(0)
            with suppress(BlockingIOError):
                self._read()
        return self._status

    def signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float = 20.0) -> int:
        if self._status is None:
            self._connection.settimeout(timeout)
            self._read()
        assert self._status is not None
        return self._status

    def _read(self) -> None:
        line = self._lines.readline()
        if line:
            self._status = int(line)
            self.close()

    def close(self) -> None:
        self._lines.close()
        self._connection.close()


def _as_seen_from_here(inside: int, forkserver: int) -> int:
    children = Path(f"/proc/{forkserver}/task/{forkserver}/children").read_text().split()
    for child in children:
        status = Path(f"/proc/{child}/status").read_text()
        [names] = [line for line in status.splitlines() if line.startswith("NSpid:")]
        if int(names.split()[-1]) == inside:
            return int(child)
    raise LabError(f"the forkserver has no child {inside}")


class FaultyDaemon(FsrvpdProcess):
    def __init__(self, lab: Lab, samba: Samba) -> None:
        super().__init__(lab, samba)
        self._forkserver = ForkServer(lab)
        self._life: Optional[Life] = None
        self._plans = 0
        self.directory = lab.directory

    def start(self, plan: Optional[Plan] = None) -> None:
        """Start it and wait until it answers a ping. With a plan, fault points are counted."""
        directory = None
        if plan is not None:
            self._plans += 1
            directory = self.directory = self.lab.directory / f"plan.{self._plans}"
            directory.mkdir()
            (directory / "plan").write_text(json.dumps(plan))
        if self._life is not None:
            self._life.close()
        argv = ["-F", "-s", str(self.samba.conf), "-d", "3"]
        self._life = self._forkserver.spawn(argv, self.log, directory)
        wait_until("fsrvpd answers a ping, or has ended", self._is_up_or_down)

    def fault_points(self) -> list[str]:
        """List the points that the process with the latest plan passed, in order."""
        return [line for line in self._record() if not line.endswith(RETURNED)]

    def returned(self) -> list[str]:
        """List those of them where the call did not fail."""
        return [line[: -len(RETURNED)] for line in self._record() if line.endswith(RETURNED)]

    def _record(self) -> list[str]:
        return (self.directory / "fault_points").read_text().splitlines()

    def struck(self) -> bool:
        """Return whether the fault of the latest plan has happened."""
        return (self.directory / "struck").exists()

    def release(self) -> None:
        """Let a hanging call continue."""
        (self.directory / "released").touch()

    def is_alive(self) -> bool:
        return self._life is not None and self._life.poll() is None

    def close(self) -> None:
        """Kill it if it still runs, and close the connection to the forkserver."""
        if self.is_alive():
            self.kill()
        if self._life is not None:
            self._life.close()

    def terminate(self) -> None:
        """Ask it to end, as an admin does. `wait` waits for the end."""
        assert self._life is not None
        self._life.signal(signal.SIGTERM)

    def workers(self) -> list[int]:
        """List its registry workers, by process id outside the lab."""
        assert self._life is not None
        tasks = Path(f"/proc/{self._life.pid}/task").glob("*/children")
        children = [int(pid) for task in tasks for pid in task.read_text().split()]
        return [pid for pid in children if not _is_accounts_worker(pid)]

    def wait(self) -> int:
        assert self._life is not None
        return self._life.wait()

    def ask(self, message: str, *parameters: str) -> Any:
        seen = self.lab.seen(self.samba.place("state directory"))
        return ask(control_socket(str(seen)), message, parameters)

    def _is_up_or_down(self) -> bool:
        if not self.is_alive():
            return True
        try:
            return bool(self.ask("ping"))
        except (FsrvpdError, OSError):
            return False

    def _end(self, number: signal.Signals) -> int:
        if self._life is None:
            raise LabError("fsrvpd was not started")
        self._life.signal(number)
        return self._life.wait()


def _is_accounts_worker(pid: int) -> bool:
    return b"samba_hooks.accounts.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
