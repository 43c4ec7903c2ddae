"""Small files that survive a loss of power, and that are read only if nobody else may write them.

A file is replaced as a whole and synced, with its directory. A writer that is killed leaves what
was there before or what is to be there, and perhaps a file whose name ends in `.new`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fsrvpd.requestor.errors import RequestorError

NEW = ".new"  # behind the suffix of a file that is being written


class Unreadable(Exception):
    """The text says why, and is fit for a message."""


def replace(path: Path, data: bytes) -> None:
    """Raises: OSError; then the file is as it was."""
    new = path.with_name(path.name + NEW)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(new, flags, 0o600), "wb") as writer:
        writer.write(data)
        writer.flush()
        os.fsync(writer.fileno())
    os.replace(new, path)
    sync(path.parent)


def sync(directory: Path) -> None:
    """Raises: OSError."""
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def make_directories(*directories: Path) -> None:
    """Each in the one before it, for their owner alone. Raises: OSError."""
    if not directories[-1].is_dir():
        for directory in directories:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync(directory.parent)


def load(path: Path, most: int) -> bytes:
    """The contents, `most` bytes at most. Raises: FileNotFoundError; Unreadable."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(path, flags)
        with os.fdopen(file, "rb") as reader:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode) or found.st_size > most:
                raise Unreadable("no file of a record's size")
            if _others_write(found):
                raise Unreadable("others may write to it")
            return reader.read(most + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error


def check_owner(directory: Path) -> None:
    """Who may write to the directory can take records away, so that nobody cleans up, and hold
    locks for ever. Raises: RequestorError."""
    try:
        found = os.stat(directory)
    except OSError:
        return  # not there yet, or whoever needs it says what is wrong
    if _others_write(found):
        cause = "others may write to the directory of the state"
        next_step = f"chown {os.geteuid()} {directory}; chmod 700 {directory}"
        raise RequestorError(str(directory), cause, next_step)


def _others_write(found: os.stat_result) -> bool:
    return found.st_uid not in (0, os.geteuid()) or bool(found.st_mode & 0o022)
