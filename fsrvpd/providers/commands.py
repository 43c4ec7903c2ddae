"""Every command that a provider runs is run here: by argument vector, never by a shell.

Whether it went well is told by its exit status alone; the wording of its messages is for
people, and changes with versions and languages.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import Dict, List, Mapping, Optional, Sequence

from fsrvpd.errors import StorageError

log = logging.getLogger(__name__)

PATIENCE = 60.0  # s
_AFTER_KILL = 2.0  # s for a killed command to go; one that hangs in the kernel does not
_MESSAGE_MAX = 2000  # of stderr in an error's text, characters
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(
    argv: Sequence[str],
    object: str,
    *,
    timeout: float = PATIENCE,
    environment: Optional[Mapping[str, str]] = None,
    output: int = subprocess.PIPE,
    keep_open: Sequence[int] = (),
) -> str:
    """The standard output of a command that ends with status 0 within `timeout` seconds;
    empty where that goes to the file open as `output`.

    `object` is what it works on, for messages. The command sees nothing of our own
    environment, and of our files those to `keep_open`. Raises: StorageError with argv, exit
    status and stderr.
    """
    began = time.monotonic()
    process = _start(argv, object, environment, output, keep_open)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _kill(process)
        raise _failure(argv, object, None, f"did not end in {timeout:g} s") from None
    except BaseException:
        _kill(process)
        raise
    stderr = err.decode("utf-8", "replace").strip()
    status = process.returncode
    log.debug("%s: status %d, %.0f ms", argv, status, (time.monotonic() - began) * 1000)
    if status != 0:
        raise _failure(argv, object, status, stderr)
    if stderr:
        log.info("%s: %s", argv[0], stderr)
    return os.fsdecode(out or b"")


def _start(
    argv: Sequence[str],
    object: str,
    environment: Optional[Mapping[str, str]],
    output: int,
    keep_open: Sequence[int],
) -> subprocess.Popen[bytes]:
    """In a session of its own, so that what it starts can be killed with it."""
    settings: Dict[str, str] = {"PATH": _PATH, "LC_ALL": "C", **(environment or {})}
    try:
        return subprocess.Popen(  # noqa: S603 (an argument vector, no shell)
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            pass_fds=keep_open,
            env=settings,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        cause = f"cannot run {argv[0]}: {os.strerror(error.errno or 0)}"
        number = error.errno or 0
        raise StorageError(object, cause, error_number=number, argv=argv) from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it with all that it started, without waiting for what cannot be killed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.communicate(timeout=_AFTER_KILL)
    except subprocess.TimeoutExpired:
        for pipe in filter(None, (process.stdout, process.stderr)):
            pipe.close()


def _failure(argv: Sequence[str], object: str, status: Optional[int], stderr: str) -> StorageError:
    ended = "" if status is None else f" (exit status {status})"
    lines: List[str] = stderr[-_MESSAGE_MAX:].splitlines()
    said = "; ".join(line.strip() for line in lines if line.strip()) or "it said nothing"
    error = StorageError(
        object, f"{argv[0]} failed{ended}: {said}", argv=argv, exit_status=status, stderr=stderr
    )
    log.warning("%s: %s", " ".join(argv), error)
    return error
