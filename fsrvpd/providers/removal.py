"""Removal of a directory with all that is in it, however deep and however large.

The tree is flattened as it is taken apart: a directory inside a directory is moved to the
top instead of being descended into. So there is no recursion, never more than three
descriptors are open, nothing is remembered, and no path is ever longer than one name.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from typing import Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(name: str, parent: int) -> None:
    """Remove the directory parent/name; nothing happens when there is none.

    Only for trees in which nobody else is at work. Raises: OSError.
    """
    try:
        top = os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        return
    try:
        names = _new_names()
        while _strip(top, top, names):
            for inner in os.listdir(top):
                _dissolve(inner, top, names)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _dissolve(name: str, top: int, names: Iterator[str]) -> None:
    """Remove top/name, moving the directories inside it to the top."""
    fd = os.open(name, _DIRECTORY, dir_fd=top)
    try:
        while _strip(fd, top, names):
            pass
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=top)


def _strip(directory: int, top: int, names: Iterator[str]) -> bool:
    """Unlink all files of a directory and move its directories to the top, unless it is
    the top itself. Returns whether any was there."""
    found = False
    with os.scandir(directory) as entries:
        for entry in entries:
            found = True
            if not entry.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    os.unlink(entry.name, dir_fd=directory)
            elif directory != top:
                os.rename(entry.name, next(names), src_dir_fd=directory, dst_dir_fd=top)
    return found


def _new_names() -> Iterator[str]:
    """Names that no file in the tree has."""
    prefix = uuid.uuid4().hex
    number = 0
    while True:
        number += 1
        yield f"{prefix}.{number}"
