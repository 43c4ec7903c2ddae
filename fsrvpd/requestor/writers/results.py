"""A directory for what has to be restored beside the copies, which is there as long as its run.

It is locked (flock) by the process that made it. One that nobody locks was left by a run that was
killed: the job's next run or `clean` removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Optional

PREFIX = "writer-"  # of its name, beside the mounts of a job


class Results:
    """Not made yet."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock: Optional[int] = None

    def make(self) -> Path:
        """Raises: OSError."""
        self.directory.mkdir(mode=0o700, parents=True)
        self._lock = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self.directory

    def remove(self) -> None:
        """With the job's directory, if nothing else is in it. Raises nothing; may be called twice,
        and before it was made, for what a killed run has left."""
        if self.directory.is_dir():
            _remove(self.directory)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def remove_left(above: Path, *, dry_run: bool = False) -> list[Path]:
    """Remove those in the jobs' directories in `above` that were left. Returns their paths."""
    found = []
    for directory in sorted(above.glob(f"*/{PREFIX}*")):
        if not directory.is_symlink() and directory.is_dir() and not os.path.ismount(directory):
            found += [directory] if _take(directory, dry_run=dry_run) else []
    return found


def _take(directory: Path, *, dry_run: bool) -> bool:
    """Whether nobody had it."""
    try:
        lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # its run has ended in the meantime
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not dry_run:
            _remove(directory)
        return True
    except OSError:
        return False
    finally:
        os.close(lock)


def _remove(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    with suppress(OSError):
        directory.parent.rmdir()
