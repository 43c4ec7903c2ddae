"""Several file systems frozen at once, so that what is done meanwhile is of one moment.

Nobody can write to a frozen file system, the daemon's own log file included. So it is not
the daemon that freezes and thaws, but a process that outlives it and knows a limit: when
that is reached the moment has passed, and who froze is told.
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
from fsrvpd.providers import freezer

LIMIT = 10.0  # s, as long as VSS lets writers stand still
_THAWING = 10.0  # s for the freezer to end, once it was told to
# Before, the snapshot of a frozen volume fails: it wants to freeze it itself.
_NESTS_SINCE = (6, 8)


def can_hold_for_snapshots() -> bool:
    """Whether the kernel lets device mapper freeze what is frozen already."""
    match = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return match is not None and (int(match[1]), int(match[2])) >= _NESTS_SINCE


@contextmanager
def frozen(paths: Sequence[str], limit: float) -> Iterator[None]:
    """The file systems mounted at `paths`, for the time of the block.

    Raises: StorageError when one cannot be frozen, or when the block took too long.
    """
    process = _start(paths, limit)
    try:
        _wait_until_frozen(process, paths, limit)
        yield
    finally:
        status = _let_go(process)
    if status != freezer.ASKED:
        raise StorageError(paths[0], f"was frozen for longer than {limit:g} s and had to be let go")


def _start(paths: Sequence[str], limit: float) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 (an argument vector, no shell)
            [sys.executable, "-I", freezer.__file__, str(limit), *paths],
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
    said, why = b"", b""
    if process.stdout and process.stderr:
        ready, _, _ = select.select([process.stdout], [], [], limit + _THAWING)
        if not ready:
            raise StorageError(paths[0], f"is not frozen after {limit + _THAWING:g} s")
        said = process.stdout.readline()
        why = b"" if said else process.stderr.read()
    if said != freezer.FROZEN:
        text = why.decode("utf-8", "replace").strip()
        raise StorageError(paths[0], f"cannot be frozen together with the others: {text}")


def _let_go(process: subprocess.Popen[bytes]) -> int:
    """Its exit status, once nothing is frozen any more."""
    try:
        process.communicate(timeout=_THAWING)
    except subprocess.TimeoutExpired:  # in a system call that freezes or thaws
        raise StorageError("the freezer", f"process {process.pid} does not end") from None
    return process.returncode
