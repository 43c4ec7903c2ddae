"""Block devices with snapshots on them, mounted and unmounted.

XFS refuses a second file system of one UUID unless told otherwise, and either kind wants
to replay its journal even where it could not: on a device that cannot be written to. The
journal of a frozen file system is empty, so nothing is lost by leaving it alone.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from fsrvpd.errors import StorageError
from fsrvpd.providers import ground, home
from fsrvpd.providers.commands import run
from fsrvpd.providers.failures import reported

PLACE = "/run/fsrvpd"  # below it, a directory a provider
_ALWAYS = "nodev,nosuid"
_READ_ONLY = {"xfs": "ro,nouuid,norecovery", "ext4": "ro,noload"}
_WRITABLE = {"xfs": "rw,nouuid", "ext4": "rw"}
KINDS = tuple(_READ_ONLY)
_SUPERBLOCKS = 2048  # bytes that hold the magic numbers of both
_XFS_MAGIC = b"XFSB"
_EXT4_MAGIC, _EXT4_OFFSET = b"\x53\xef", 1024 + 56


def make_shelf(directory: str, listable: bool) -> None:
    """Where snapshots of one kind are mounted: passed through by users, and listed if that
    is wanted. Raises: OSError, StorageError."""
    outer, name = os.path.split(directory)
    os.makedirs(outer, home.PASSABLE, exist_ok=True)
    with ground.directory(outer) as fd:
        home.make_directory(name, fd)
    with ground.directory(directory) as fd:
        home.listable(fd, listable)


def mount(device: str, place: str, *, writable: bool) -> None:
    """Raises: StorageError."""
    kind = _kind(device)
    _make_point(place)
    options = (_WRITABLE if writable else _READ_ONLY)[kind]
    run(["mount", "-t", kind, "-o", f"{_ALWAYS},{options}", device, place], place)


def bind(directory: str, place: str, *, writable: bool) -> None:
    """Show a directory at `place` too. Raises: StorageError."""
    _make_point(place)
    options = f"bind,{_ALWAYS},{'rw' if writable else 'ro'}"
    run(["mount", "-o", options, directory, place], place)


def make_bind_read_only(place: str) -> None:
    """There alone: what it is bound to stays as it is. Raises: StorageError."""
    run(["mount", "-o", f"remount,bind,{_ALWAYS},ro", place], place)


def make_read_only(place: str) -> None:
    """What was written is on the disk when this returns. Raises: StorageError."""
    run(["mount", "-o", "remount,ro", place], place)


def unmount(place: str) -> None:
    """Remove the mount point, too; what is not there is no error. Raises: StorageError."""
    if os.path.ismount(place):
        run(["umount", place], place)
    with reported("remove the mount point", place), suppress(FileNotFoundError):
        os.rmdir(place)


def _make_point(place: str) -> None:
    """After a reboot what is above it is missing, too."""
    with reported("make the mount point", place):
        os.makedirs(os.path.dirname(place), home.PASSABLE, exist_ok=True)
        os.makedirs(place, 0o700, exist_ok=True)


def _kind(device: str) -> str:
    """Raises: StorageError unless it is one of `KINDS`."""
    with reported("read the snapshot", device), open(device, "rb", buffering=0) as file:
        start = file.read(_SUPERBLOCKS)
    if start.startswith(_XFS_MAGIC):
        return "xfs"
    if start[_EXT4_OFFSET:].startswith(_EXT4_MAGIC):
        return "ext4"
    raise StorageError(device, "holds neither XFS nor ext4", error_number=errno.EINVAL)
