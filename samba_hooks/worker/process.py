"""The daemon's side of a worker: starts it, asks it, and replaces it when it dies or hangs."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
from typing import NamedTuple, Optional, Sequence

from fsrvpd.errors import FsrvpdError
from samba_hooks.worker import wire

SHUTDOWN_GRACE = 5.0  # s that a worker may take to end


class WorkerDied(FsrvpdError):
    """Two workers ended during one request."""


class WorkerTimedOut(FsrvpdError):
    """A worker did not answer in time, and was killed."""


class Child(NamedTuple):
    process: subprocess.Popen[bytes]
    connection: socket.socket


class WorkerProcess:
    """One request at a time; the owner has a lock for that. The first request starts the worker.

    `module` is what the worker runs, `options` are its arguments, `name` is for messages. `timeout`
    is in seconds and for each request.
    """

    def __init__(
        self, module: str, options: Sequence[str], name: str, timeout: float, log: logging.Logger
    ) -> None:
        self._module = module
        self._options = tuple(options)
        self._name = name
        self.timeout = timeout
        self._log = log
        self._child: Optional[Child] = None

    def ask(self, message: wire.Message) -> wire.Message:
        """The answer. What Samba logged meanwhile is logged.

        A request must be one that can be repeated without harm: it is repeated once with a new
        worker when its worker died, but not when that timed out. Raises: WorkerDied,
        WorkerTimedOut.
        """
        request = message["request"]
        self._log.debug("%s: %s", self._name, request)
        try:
            answer = self._exchange(message)
        except wire.Closed:
            self._log.warning("%s died during %s; retrying with a new one", self._name, request)
            try:
                answer = self._exchange(message)
            except wire.Closed as error:
                raise WorkerDied(
                    f"{request} failed: the {self._name} died twice in Samba's library;"
                    " check Samba's log and `testparm`"
                ) from error
        for line in answer["log"]:
            level = logging.WARNING if line["level"] else logging.ERROR
            self._log.log(level, "samba: %s", line["text"])
        return answer

    def close(self) -> None:
        """Stop the worker. A later request would start another."""
        if self._child is not None:
            self._child.connection.close()
            _reap(self._child.process)
            self._child = None

    def _exchange(self, message: wire.Message) -> wire.Message:
        """Raises: Closed if the worker died, WorkerTimedOut."""
        child = self._child = self._child or self._start()
        try:
            child.connection.settimeout(self.timeout)
            wire.send(child.connection, message)
            return wire.receive(child.connection, time.monotonic() + self.timeout)
        except socket.timeout as error:
            self._discard(child)
            raise WorkerTimedOut(
                f"{message['request']}: the {self._name} timed out after {self.timeout:g} s and"
                " was killed"
            ) from error
        except wire.Closed:
            self._discard(child)
            raise

    def _start(self) -> Child:
        ours, theirs = socket.socketpair()
        argv = [sys.executable, "-I", "-m", self._module, f"--socket={theirs.fileno()}"]
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - our own module, an argument vector
                [*argv, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._log.info("%s started, pid %d", self._name, process.pid)
        return Child(process, ours)

    def _discard(self, child: Child) -> None:
        child.process.kill()
        child.process.wait()
        child.connection.close()
        self._child = None


def _reap(process: subprocess.Popen[bytes]) -> None:
    """It ends when its socket is closed; if not, it is killed."""
    try:
        process.wait(SHUTDOWN_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
