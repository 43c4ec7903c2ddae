"""System calls on files that Python does not offer.

Every function raises OSError with errno and path.
"""

from __future__ import annotations

import errno
import os

from fsrvpd.core.error_codes import Name, check
from fsrvpd.core.native import ffi, lib


def clone_file(destination: int, source: int) -> None:
    """Make an open, empty `destination` share all extents of `source` (FICLONE).

    EOPNOTSUPP: the file system has no reflinks. EXDEV: they are on two file systems. EINVAL:
    files of this kind cannot share. ETXTBSY: the source is an active swap file.
    """
    check(lib.fsrvp_clone_file(destination, source), destination)


def sync_file_system(file: int) -> None:
    """Write back everything of the file system on which `file` lies (syncfs)."""
    check(lib.fsrvp_sync_file_system(file), file)


def file_system_magic(file: int) -> int:
    """The number of the kind of file system, from statfs: `btrfs.SUPER_MAGIC`, for example."""
    magic = ffi.new("uint64_t *")
    check(lib.fsrvp_file_system_magic(file, magic), file)
    return int(magic[0])


def file_system_uuid(file: int) -> bytes:
    """The 16 bytes that identify the file system of `file`, now and after a reboot.

    ENOTTY: it has none, or the kernel cannot report it (Linux before 6.9, unless it is XFS).
    """
    uuid = ffi.new("uint8_t[16]")
    returned = lib.fsrvp_file_system_uuid(file, uuid)
    if returned == -errno.ENOTTY:
        returned = lib.fsrvp_xfs_uuid(file, uuid)
    check(returned, file)
    return bytes(uuid)


def open_beneath(
    directory: int, path: Name, flags: int, mode: int = 0, *, symlinks: bool = False
) -> int:
    """Open a path that must not leave `directory` through `..`, a link, or /proc.

    Every symbolic link in it is refused (ELOOP); with `symlinks`, only one that leads out
    (EXDEV). Mount points are crossed. `mode` is for O_CREAT and O_TMPFILE. Returns a
    descriptor that is not inherited. ENOSYS: Linux before 5.6.
    """
    returned = lib.fsrvp_open_beneath(directory, os.fsencode(path), flags, mode, symlinks)
    return check(returned, directory, path)


def inotify_open() -> int:
    """A descriptor of inotify, which is not inherited and does not block."""
    returned: int = lib.fsrvp_inotify_open()
    if returned < 0:
        raise OSError(-returned, os.strerror(-returned), "inotify")
    return returned


def inotify_add(inotify: int, directory: str) -> None:
    """Watch names in a directory: created, deleted and renamed ones, and itself. Adding a
    directory twice changes nothing."""
    returned: int = lib.fsrvp_inotify_add(inotify, os.fsencode(directory))
    if returned < 0:
        raise OSError(-returned, os.strerror(-returned), directory)
