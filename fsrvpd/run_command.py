"""Runs a command of the system: every command but long-lived helpers is run here.

By argument vector, never through a shell, in the C locale and with a time limit. Success is
the exit status alone: the wording of messages changes with versions and languages. Each
layer turns `CommandFailed` into one of its own errors.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Mapping, NamedTuple, Optional, Sequence

from fsrvpd.errors import FsrvpdError

DEFAULT_TIMEOUT = 60.0  # s
_KILL_TIMEOUT = 2.0  # s for a killed command to end; one that hangs in the kernel does not
_MAX_MESSAGE = 2000  # characters of stderr in an error's text
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Output(NamedTuple):
    """What a command printed. Bytes that are not UTF-8 are surrogates in `stdout`."""

    stdout: str
    stderr: str  # without blanks around it


_NOTHING = Output("", "")


class CommandFailed(FsrvpdError):
    """A command could not be started, timed out, or failed.

    `status` is the exit status, negative for a signal, and None if the command did not end by
    itself. `error_number` is the errno of a failed start, else 0.
    """

    def __init__(
        self,
        argv: Sequence[str],
        cause: str,
        *,
        status: Optional[int] = None,
        output: Output = _NOTHING,
        error_number: int = 0,
    ) -> None:
        super().__init__(cause)
        self.argv = tuple(argv)
        self.status = status
        self.stdout = output.stdout
        self.stderr = output.stderr
        self.error_number = error_number


def run(
    argv: Sequence[str],
    *,
    timeout: float = DEFAULT_TIMEOUT,
    environment: Optional[Mapping[str, str]] = None,
    output: int = subprocess.PIPE,
    keep_open: Sequence[int] = (),
) -> Output:
    """What a command prints that ends with status 0 within `timeout` seconds; `stdout` is
    empty if it is written to the file open as `output`.

    The command gets only a PATH, LC_ALL=C and `environment`, of our open files only those in
    `keep_open`, and no input. Raises: CommandFailed.
    """
    began = time.monotonic()
    process = _start(argv, environment or {}, output, keep_open)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _kill(process)
        raise CommandFailed(argv, f"{argv[0]} timed out after {timeout:g} s") from None
    except BaseException:
        _kill(process)
        raise
    printed = Output(
        (out or b"").decode("utf-8", "surrogateescape"), err.decode("utf-8", "replace").strip()
    )
    _log(argv, process.returncode, time.monotonic() - began)
    if process.returncode != 0:
        cause = _cause(argv, process.returncode, printed.stderr)
        raise CommandFailed(argv, cause, status=process.returncode, output=printed)
    return printed


def _log(argv: Sequence[str], status: int, seconds: float) -> None:
    """Only where something else logs: fsrvpctl and fsrvp-snap do not import logging, which is
    slow, and brings dataclasses and inspect since Python 3.14."""
    logging = sys.modules.get("logging")
    if logging is not None:
        log = logging.getLogger(__name__)
        log.debug("%s: status %d, %.0f ms", shlex.join(argv), status, seconds * 1000)


def _start(
    argv: Sequence[str], environment: Mapping[str, str], output: int, keep_open: Sequence[int]
) -> subprocess.Popen[bytes]:
    """Start a command in a new session, so that its child processes can be killed with it."""
    try:
        return subprocess.Popen(  # noqa: S603 (an argument vector, no shell)
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            pass_fds=keep_open,
            env={"PATH": _PATH, **environment, "LC_ALL": "C"},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        number = error.errno or 0
        cause = f"cannot run {argv[0]}: {os.strerror(number)}"
        raise CommandFailed(argv, cause, error_number=number) from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it with all that it started, without waiting for what cannot be killed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.communicate(timeout=_KILL_TIMEOUT)
    except subprocess.TimeoutExpired:
        for pipe in filter(None, (process.stdout, process.stderr)):
            pipe.close()


def _cause(argv: Sequence[str], status: int, stderr: str) -> str:
    lines = [line.strip() for line in stderr[-_MAX_MESSAGE:].splitlines()]
    why = "; ".join(filter(None, lines)) or "no error message"
    return f"{argv[0]} failed (exit status {status}): {why}"
