"""A client that freezes writers, which a test leads step by step; run in a lab by `Freezer` below.

    python -m tests.requestor.freezer STATE SECONDS WRITER...

WRITER is `socket:PATH`, `domain:NAME@URI` or `fsfreeze:PATH`; SECONDS is the keeper's limit. After
each step it prints its name and waits for a line.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Mapping, Optional

from fsrvpd.requestor.state.frozen import FrozenFiles
from fsrvpd.requestor.writers import agent_socket
from fsrvpd.requestor.writers.agent_socket import FREEZE, THAW, AgentSocket, Connection
from fsrvpd.requestor.writers.fsfreeze import FsfreezeWriter
from fsrvpd.requestor.writers.guest_agent import GuestAgentWriter
from fsrvpd.requestor.writers.keeping import KeeperProcess
from fsrvpd.requestor.writers.ports import Writer
from fsrvpd.requestor.writers.virsh import Virsh
from lab import Lab
from lab.namespaces import only_child, wait_until
from tests.paths import ROOT

_STEPS = 8  # at most
_NUMBERS = itertools.count(1)


class Freezer:
    """The test's end."""

    def __init__(self, lab: Lab, state: Path, *writers: str, seconds: float = 60.0) -> None:
        argv = [sys.executable, "-m", "tests.requestor.freezer", state, str(seconds), *writers]
        self._output = lab.directory / f"freezer-{next(_NUMBERS)}"
        script = 'exec "$@" 2> "$0"'
        command = ["sh", "-c", script, self._output, "env", f"PYTHONPATH={ROOT}", *argv]
        self._process = lab.converse(command)
        self.lab = lab
        self._step = ""

    @property
    def said(self) -> str:
        """Its standard error."""
        return self._output.read_text()

    def go_on(self, until: str) -> None:
        """Let it work until a step is done."""
        assert self._process.stdout is not None
        while self._step != until:
            if self._step:
                self.begin()
            self._step = self._process.stdout.readline().strip()
            assert self._step, f"it ended before it was {until}"

    @property
    def pid(self) -> int:
        """Outside of the lab."""
        return only_child(self._process.pid)

    def begin(self) -> None:
        """The next step, without a wait for its end."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def keeper(self) -> Optional[int]:
        """The keeper's id in the lab."""
        for pid, argv in self.lab.processes().items():
            if argv[-1].endswith("writers.keeper"):
                return pid
        return None

    def stop(self) -> None:
        """SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.kill(self._process.pid, signal.SIGCONT)  # nsenter stops with its child
        with suppress(BrokenPipeError):
            self._process.communicate(timeout=20)

    def kill_with_keeper(self) -> None:
        """kill -9 of both, and neither learns of the other's end."""
        keeper = self.keeper()
        if keeper is not None:
            self.lab.run(["kill", "-STOP", str(keeper)])
        self.kill()
        if keeper is not None:
            self.lab.run(["kill", "-KILL", str(keeper)])
        wait_until("both are dead", lambda: self.keeper() is None)

    def end(self) -> int:
        """Let it end, with status 0 if it does so by itself."""
        self._process.communicate("\n" * _STEPS, timeout=30)
        return self._process.returncode


def main(state: str, seconds: str, *words: str) -> None:
    writers = [_writer(word) for word in words]
    keeper = KeeperProcess(FrozenFiles(Path(state)))
    for writer in writers:
        writer.prepare()
    _done("prepared")
    keeper.start([recipe for writer in writers if (recipe := writer.thaw_recipe())])
    _done("started")
    keeper.freezing(float(seconds))
    _done("watched")
    for writer in writers:
        writer.freeze()
    _done("frozen")
    for writer in writers:
        writer.thaw()
    _done("thawed")
    keeper.thawed()
    _done("told")


def _writer(word: str) -> Writer:
    kind, _, value = word.partition(":")
    if kind == "socket":
        return GuestAgentWriter(value, AgentSocket(value))
    if kind == "domain":
        return GuestAgentWriter(value, Virsh(*value.split("@")))
    return FsfreezeWriter(value, [value])


def _done(step: str) -> None:
    print(step, flush=True)
    sys.stdin.readline()


class Stopping(Connection):
    """After what it has asked, before it hears the answer, the test has its turn."""

    _asked: Mapping[str, str] = {FREEZE: "asked to freeze", THAW: "asked to thaw"}

    def execute(self, command: str, timeout: Optional[float] = None) -> Any:
        self._command = command
        return super().execute(command, timeout)

    def _send(self, data: bytes) -> None:
        super()._send(data)
        step = self._asked.get(getattr(self, "_command", ""))
        if step:
            _done(step)


if __name__ == "__main__":
    agent_socket.Connection = Stopping  # type: ignore[misc]
    main(*sys.argv[1:])
