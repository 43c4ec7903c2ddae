"""Subvolumes destroyed with the subvolumes inside them.

Whoever could write into a snapshot before it was sealed could make some there, on btrfs
without any privilege, and the kernel destroys no subvolume that holds others.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import Iterator

from fsrvpd.core import btrfs
from fsrvpd.providers.ground import open_below


def destroy(directory: int, name: str) -> None:
    """Destroy directory/name, from the inside out; nothing happens when there is none.

    Raises: OSError.
    """
    while True:
        try:
            btrfs.destroy_subvolume(directory, name)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
        with _opened(directory, name) as top:
            _destroy_one_inside(top)


def _destroy_one_inside(top: int) -> None:
    """Destroy one subvolume inside an open one, such that holds no others."""
    outer, inner = "", _first_inside(top, "")
    while inner and (further := _first_inside(top, inner)):
        outer, inner = inner, further
    if not inner:
        return
    with _opened(top, outer) as holder:
        if btrfs.is_read_only(holder):
            btrfs.set_read_only(holder, False)
    with _opened(top, os.path.dirname(inner)) as holder:
        btrfs.destroy_subvolume(holder, os.path.basename(inner))


def _first_inside(top: int, path: str) -> str:
    """The path, from `top`, of a subvolume inside the one at `path`, "" without any."""
    with _opened(top, path) as subvolume:
        child = next(btrfs.children(subvolume), None)
    return os.path.join(path, child.path) if child else ""


@contextmanager
def _opened(directory: int, path: str) -> Iterator[int]:
    fd = open_below(directory, path)
    try:
        yield fd
    finally:
        os.close(fd)
