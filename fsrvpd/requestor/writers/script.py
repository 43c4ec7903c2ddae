"""Runs a freeze or thaw script of the user's: in a process group of its own, within a time.

Only the script is waited for, not what it leaves running: a common hook of QEMU's guest agent keeps
a database locked from the background until it is called again. So its output goes to a file, where
a pipe would be held open.

A script outlives a client that is killed, and would freeze after the keeper has thawed. So those
that freeze have a mark in their environment, by which whoever thaws finds and kills them first. It
gets the number of their process: what they start inherits the mark, and may be a service.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Optional, Sequence, Tuple

from fsrvpd.requestor.writers.ports import WriterFailed

_PAUSE = 0.005  # s
_KILL_TIMEOUT = 2.0  # s for a killed script to end; one that hangs in the kernel does not
_LONGEST_OUTPUT = 500  # bytes of it in an error
_MARK = "FSRVPSHADOW_SCRIPT"
# By a shell, which is marked without a number: only the process itself knows that before it begins.
_MARKING = ("/bin/sh", "-c", f'export {_MARK}="$0 $$"; exec "$@"')


class Script:
    """One command with its words. Another thread may `stop` it while it runs, and another process
    `kill_marked`."""

    def __init__(self, writer: str, argv: Sequence[str], *, mark: str = "") -> None:
        self.argv: Tuple[str, ...] = tuple(argv)
        self._mark = mark
        self._writer = writer
        self._lock = threading.Lock()
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._is_stopped = False

    def run(self, timeout: float) -> None:
        """Raises: WriterFailed if it cannot be started, ends with another status than 0, or has
        not ended after `timeout` seconds; all that it has started is killed then."""
        with tempfile.TemporaryFile() as output:
            process = self._start(output)
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.stop()
                cause = f"{self.argv[0]} has not ended after {timeout:g} s, and was killed"
                raise WriterFailed(self._writer, cause, "look what it waits for") from None
            except BaseException:
                self.stop()
                raise
            if status != 0:
                kill_group(process)
                cause = f"{self.argv[0]} ended with {_status(status)}: {_last_words(output)}"
                raise WriterFailed(self._writer, cause, "correct it, or run it by hand")

    def stop(self) -> None:
        """It is not started any more. If it runs it is killed with all that it has started; what it
        has left running once it has ended is left alone."""
        with self._lock:
            self._is_stopped = True
            process = self._process
        if process is not None and process.poll() is None:
            kill_group(process)

    def _start(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_stopped:
                raise WriterFailed(self._writer, f"{self.argv[0]} is not started: it is too late")
            try:
                self._process = subprocess.Popen(  # noqa: S603 (the user's own command)
                    self._marked(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    start_new_session=True,
                    env={**os.environ, _MARK: self._mark},
                )
            except OSError as error:
                cause = f"cannot run {self.argv[0]}: {error.strerror or error}"
                raise WriterFailed(self._writer, cause, "correct its path or its mode") from error
            return self._process

    def _marked(self) -> Sequence[str]:
        """Raises: OSError where the shell would have nothing to run."""
        if not self._mark:
            return self.argv
        program = self.argv[0]
        path = os.path.join("/", program)  # where it runs
        if shutil.which(path if "/" in program else program) is None:
            os.stat(path)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return (*_MARKING, self._mark, *self.argv)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """With the process's whole session, if it leads one, and without waiting for what cannot be
    killed."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_KILL_TIMEOUT)


def kill_marked(mark: str) -> None:
    """Kill the scripts that run with a mark, each with all that it has started, whoever has started
    them; what one that has ended has left running is left alone. "" is the mark of none."""
    for name in filter(str.isdigit, os.listdir("/proc") if mark else ()):
        pid = int(name)
        with suppress(OSError):  # it has ended, or is another user's
            if os.getsid(pid) == pid and _is_marked(pid, mark):
                os.killpg(pid, signal.SIGKILL)
                _wait_for_its_end(pid, mark)


def _is_marked(pid: int, mark: str) -> bool:
    """Raises: OSError."""
    marks = {f"{_MARK}={mark}".encode(), f"{_MARK}={mark} {pid}".encode()}
    return not marks.isdisjoint(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))


def _wait_for_its_end(pid: int, mark: str) -> None:
    """Its environment is gone by then. Raises: OSError if that was before."""
    deadline = time.monotonic() + _KILL_TIMEOUT
    while _is_marked(pid, mark) and time.monotonic() < deadline:
        time.sleep(_PAUSE)


def _status(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"


def _last_words(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _LONGEST_OUTPUT))
    lines = output.read().decode("utf-8", "replace").split("\n")
    return "; ".join(filter(None, map(str.strip, lines))) or "it printed nothing"
