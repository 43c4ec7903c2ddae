"""`Process`: the process of one mount, for whoever starts it."""

from __future__ import annotations

import select
import subprocess
import sys
from contextlib import suppress

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount.documents import STAY, Order, failure_from_line, order_to_line
from fsrvpd.requestor.state.locks import Lock

SERVER = "fsrvpd.requestor.mount.server"
_LONGEST_START = 90.0  # seconds
_LONGEST_END = 10.0  # seconds


class Process:
    """Started at once. It holds `lock`, which is held here, for as long as it runs."""

    def __init__(self, order: Order, lock: Lock, *, is_kept: bool) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-m", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if is_kept else None,
            pass_fds=[] if lock.descriptor is None else [lock.descriptor],
            cwd="/",
            start_new_session=True,  # a terminal's signals are for COMMAND and for us
        )
        with suppress(BrokenPipeError):  # if it has ended, `wait_until_mounted` says so
            self._write(order_to_line(order))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def wait_until_mounted(self, point: str) -> None:
        """Raises: RequestorError."""
        line = self._answer()
        if not line:
            cause = "the process that is to serve it has ended, or does not answer"
            raise RequestorError(point, cause, "see its messages above")
        error = failure_from_line(line)
        if error is not None:
            raise error

    def let_stay(self) -> None:
        """The mount does not end with this process."""
        with suppress(OSError):
            self._write(STAY)
        self.let_go()

    def let_go(self) -> None:
        """The mount ends when its pipe does."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def end(self) -> None:
        """Wait for its end, for as long as it may take. Its mount may be left."""
        self.let_go()
        try:
            self._process.wait(_LONGEST_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _write(self, line: bytes) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _answer(self) -> bytes:
        """A line, b"" if there is none in time."""
        pipe = self._process.stdout
        if pipe is None:
            return b""
        ready, _, _ = select.select([pipe], [], [], _LONGEST_START)
        return pipe.readline() if ready else b""
