"""Volumes that are mounted and hold a home of ours, whether or not a share leads there.

Only file systems on block devices are looked at: who asks one in a network may wait for
ever. Nothing inside a home is a volume, though a snapshot that is mounted there looks so,
nor is one where we mount those that have no other place.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Iterator, List

from fsrvpd.core import btrfs, files
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.providers import home, snapshot_mounts

_BLOCK_DEVICES = "/dev/"


def roots(mounts: LiveMounts) -> List[str]:
    """Directories at which such volumes begin; of btrfs subvolumes inside others too."""
    found: List[str] = []
    for mount in (mounts.lookup("/"), *mounts.below("/")):
        point = mount.mount_point
        ours = f"/{home.NAME}/" in point or point.startswith(f"{snapshot_mounts.PLACE}/")
        if mount.source.startswith(_BLOCK_DEVICES) and not ours:
            with suppress(OSError):  # it may be unmounted meanwhile
                found += _homes(point)
    return found


def _homes(point: str) -> Iterator[str]:
    fd = os.open(point, home.DIRECTORY)
    try:
        if files.file_system_magic(fd) != btrfs.SUPER_MAGIC:
            if _has_home(fd):
                yield point
        elif btrfs.is_subvolume_root(fd):
            yield from _subvolumes(fd, point)
    finally:
        os.close(fd)


def _has_home(root: int) -> bool:
    try:
        os.stat(home.NAME, dir_fd=root, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _subvolumes(root: int, path: str) -> Iterator[str]:
    """Those with a home, from `path` on down. A home is itself a subvolume. What is mounted
    over hides: it is looked at as a mount of its own."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with suppress(OSError):  # removed, or hidden by a mount
            fd = files.open_beneath(root, below or ".", home.DIRECTORY)
            try:
                inside = [child.path for child in btrfs.children(fd)]
            finally:
                os.close(fd)
            if home.NAME in inside:
                yield os.path.join(path, below).rstrip("/") or "/"
            waiting += [os.path.join(below, each) for each in inside if _is_outside(each)]


def _is_outside(path: str) -> bool:
    return home.NAME not in path.split("/")
