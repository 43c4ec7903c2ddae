"""Mounts snapshots, of block devices and of directories, and unmounts them.

XFS refuses a second file system of one UUID unless told otherwise, and either kind wants
to replay its journal even where it could not: on a device that cannot be written to. The
journal of a frozen file system is empty, so nothing is lost by leaving it alone.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress

from fsrvpd.core.bind_mounts import is_mount_point
from fsrvpd.core.mounts import MOUNT_ROOT
from fsrvpd.errors import StorageError
from fsrvpd.providers.os_errors import as_storage_error
from fsrvpd.providers.storage_command import run

_ALWAYS = "nodev,nosuid"
_READ_ONLY = {"xfs": "ro,nouuid,norecovery", "ext4": "ro,noload"}
_WRITABLE = {"xfs": "rw,nouuid", "ext4": "rw"}
KINDS = tuple(_READ_ONLY)
_UMOUNT_FAILED = 32  # umount(8): its exit status where the mount is busy
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)  # s, between attempts to unmount
_SUPERBLOCKS = 2048  # bytes that hold the magic numbers of both
_XFS_MAGIC = b"XFSB"
_EXT4_MAGIC, _EXT4_OFFSET = b"\x53\xef", 1024 + 56


def mount(device: str, mount_point: str, *, writable: bool) -> None:
    """Mount the file system on a device. Raises: StorageError."""
    kind = _kind(device)
    _make_point(mount_point)
    run(
        ["mount", "-t", kind, "-o", mount_options(kind, writable), device, mount_point], mount_point
    )


def mount_options(kind: str, writable: bool) -> str:
    """For a snapshot of a file system of one of `KINDS`."""
    return f"{_ALWAYS},{(_WRITABLE if writable else _READ_ONLY)[kind]}"


def bind(directory: str, mount_point: str, *, writable: bool) -> None:
    """Show a directory at another path, too. Raises: StorageError."""
    _make_point(mount_point)
    options = f"bind,{_ALWAYS},{'rw' if writable else 'ro'}"
    run(["mount", "-o", options, directory, mount_point], mount_point)


def make_bind_read_only(mount_point: str) -> None:
    """Make this mount read-only, but not the directory that it shows. Raises: StorageError."""
    run(["mount", "-o", f"remount,bind,{_ALWAYS},ro", mount_point], mount_point)


def make_read_only(mount_point: str) -> None:
    """Everything written is on the disk when this returns. Raises: StorageError."""
    run(["mount", "-o", "remount,ro", mount_point], mount_point)


def unmount(mount_point: str) -> None:
    """Removes the mount point, too. Neither need exist. Raises: StorageError."""
    if is_mount_point(mount_point):
        _umount(mount_point)
    with as_storage_error("remove the mount point", mount_point), suppress(FileNotFoundError):
        os.rmdir(mount_point)


def _umount(mount_point: str) -> None:
    """Somebody may look into it for a moment; and a process that has just been forked has all that
    another thread had open, until it runs its program. By command, which ends if storage hangs.
    Raises: StorageError."""
    for pause in _PAUSES:
        try:
            run(["umount", mount_point], mount_point)
            return
        except StorageError as error:
            if error.exit_status != _UMOUNT_FAILED:
                raise
        time.sleep(pause)
    run(["umount", mount_point], mount_point)


def _make_point(mount_point: str) -> None:
    """With the directories above it, which a reboot removes, too. Users reach a snapshot through
    another mount, and pass only the outermost of these directories."""
    with as_storage_error("make the mount point", mount_point):
        _make_directory(mount_point)
        os.chmod(os.path.dirname(mount_point), 0o700)  # an earlier version let users pass


def _make_directory(path: str) -> None:
    if not os.path.isdir(path):
        _make_directory(os.path.dirname(path))
        with suppress(FileExistsError):
            os.mkdir(path, 0o711 if path == MOUNT_ROOT else 0o700)


def _kind(device: str) -> str:
    """Raises: StorageError unless it is one of `KINDS`."""
    with as_storage_error("read the snapshot", device), open(device, "rb", buffering=0) as file:
        start = file.read(_SUPERBLOCKS)
    if start.startswith(_XFS_MAGIC):
        return "xfs"
    if start[_EXT4_OFFSET:].startswith(_EXT4_MAGIC):
        return "ext4"
    raise StorageError(device, "holds neither XFS nor ext4", error_number=errno.EINVAL)
