"""Freezes several file systems at once, so that what is done meanwhile is of one moment.

Nobody can write to a frozen file system, and the daemon's own log file may be on one. So it
is not the daemon that freezes and thaws, but a process that outlives it and knows a limit:
when that is reached the moment has passed, and the caller gets an error.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from contextlib import contextmanager
from typing import Iterator, Sequence

from fsrvpd.errors import StorageError
from fsrvpd.providers.lvm import freeze_helper

LIMIT = 10.0  # s, as long as VSS lets writers be frozen
_EXIT_TIMEOUT = 10.0  # s for the helper to end, once it was told to
# In earlier kernels a snapshot fails if the volume is frozen already: it freezes it itself.
_NESTED_FREEZE_SINCE = (6, 8)


def can_snapshot_frozen() -> bool:
    """Whether the kernel lets device mapper freeze what is frozen already."""
    match = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return match is not None and (int(match[1]), int(match[2])) >= _NESTED_FREEZE_SINCE


@contextmanager
def frozen(paths: Sequence[str], limit: float) -> Iterator[None]:
    """Freezes the file systems mounted at `paths` for the duration of the block.

    Raises: StorageError when one cannot be frozen, or when the block took longer than
    `limit` seconds.
    """
    process = _start(paths, limit)
    try:
        _wait_until_frozen(process, paths, limit)
        yield
    finally:
        status = _thaw(process)
    if status != freeze_helper.EXIT_THAWED:
        raise StorageError(paths[0], f"was frozen for longer than {limit:g} s and had to be thawed")


def _start(paths: Sequence[str], limit: float) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 (an argument vector, no shell)
            [sys.executable, "-I", freeze_helper.__file__, str(limit), *paths],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        cause = f"cannot be frozen: {os.strerror(error.errno or 0)} ({sys.executable})"
        raise StorageError(paths[0], cause, error_number=error.errno or 0) from error


def _wait_until_frozen(
    process: subprocess.Popen[bytes], paths: Sequence[str], limit: float
) -> None:
    line, message = b"", b""
    if process.stdout and process.stderr:
        ready, _, _ = select.select([process.stdout], [], [], limit + _EXIT_TIMEOUT)
        if not ready:
            raise StorageError(paths[0], f"is not frozen after {limit + _EXIT_TIMEOUT:g} s")
        line = process.stdout.readline()
        message = b"" if line else process.stderr.read()
    if line != freeze_helper.FROZEN:
        text = message.decode("utf-8", "replace").strip()
        raise StorageError(paths[0], f"cannot be frozen together with the others: {text}")


def _thaw(process: subprocess.Popen[bytes]) -> int:
    """Tell the helper to thaw; its exit status, once nothing is frozen any more."""
    try:
        process.communicate(timeout=_EXIT_TIMEOUT)
    except subprocess.TimeoutExpired:  # in a system call that freezes or thaws
        raise StorageError("the freeze helper", f"process {process.pid} does not end") from None
    return process.returncode
