"""Finds the mounted volumes that hold a `.fsrvpd`, whether or not a share uses them.

Only file systems on block devices are looked at: a file system in a network may never
answer. What is mounted inside a `.fsrvpd` is a snapshot and no volume.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Iterator, List

from fsrvpd.core import btrfs, files
from fsrvpd.core.descriptors import DIRECTORY_FLAGS, closing_fd, exists_at
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.providers.catalog.own_directory import NAME, has_record

_BLOCK_DEVICES = "/dev/"
_OF_ONE_MACHINE = ("btrfs", "xfs", "ext4", "bcachefs", "zfs")


def mount_points(mounts: LiveMounts) -> List[str]:
    """Where such a volume may be. Asks no storage."""
    return [
        mount.mount_point
        for mount in (mounts.lookup("/"), *mounts.below("/"))
        if mount.source.startswith(_BLOCK_DEVICES) and f"/{NAME}/" not in mount.mount_point
    ]


def is_shared(mounts: LiveMounts, path: str) -> bool:
    """Whether several machines may have mounted a volume at a time. Raises: StorageError."""
    return mounts.lookup(path).fs_type not in _OF_ONE_MACHINE


def volumes_with_snapshots(mount_point: str) -> List[str]:
    """The roots of these volumes, those of btrfs subvolumes inside others included."""
    found: List[str] = []
    with suppress(OSError):  # it may be unmounted meanwhile
        found += _volumes_at(mount_point)
    return found


def _volumes_at(mount_point: str) -> Iterator[str]:
    with closing_fd(os.open(mount_point, DIRECTORY_FLAGS)) as fd:
        if files.file_system_magic(fd) != btrfs.SUPER_MAGIC:
            if exists_at(NAME, fd) or has_record(fd):
                yield mount_point
        elif btrfs.is_subvolume_root(fd):
            yield from _subvolumes(fd, mount_point)


def _subvolumes(root: int, path: str) -> Iterator[str]:
    """Those with a `.fsrvpd`, from `path` on down. What a mount hides is skipped: the mount is
    looked at by itself."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with suppress(OSError):  # removed, or hidden by a mount
            with closing_fd(files.open_beneath(root, below or ".", DIRECTORY_FLAGS)) as fd:
                inside = [child.path for child in btrfs.children(fd)]
                has_snapshots = NAME in inside or has_record(fd)
            if has_snapshots:
                yield os.path.join(path, below).rstrip("/") or "/"
            waiting += [os.path.join(below, each) for each in inside if _is_outside(each)]


def _is_outside(path: str) -> bool:
    return NAME not in path.split("/")
