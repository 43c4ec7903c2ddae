"""Descriptors of directories, through which a path cannot be led elsewhere."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Iterator

DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def closing_fd(fd: int) -> Iterator[int]:
    """Closes a descriptor at the end of the block."""
    try:
        yield fd
    finally:
        os.close(fd)


def exists(path: str) -> bool:
    """Whether a path exists, be it a dangling link. Raises: OSError where that cannot be said, for
    which `os.path.lexists` returns False: a volume that is out of reach has not lost its files."""
    try:
        os.stat(path, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def exists_at(name: str, directory: int) -> bool:
    """Whether directory/name exists, be it a dangling link. Raises: OSError."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
