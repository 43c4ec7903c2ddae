"""System calls on files that Python does not offer. All raise OSError with errno and path."""

from __future__ import annotations

import errno
import os

from fsrvpd.core._native import ffi, lib
from fsrvpd.core.system_calls import Name, check


def clone_file(destination: int, source: int) -> None:
    """Make an open, empty `destination` share all extents of `source` (FICLONE).

    EOPNOTSUPP: the file system has no reflinks. EXDEV: they lie on different ones.
    """
    check(lib.fsrvp_clone_file(destination, source), destination)


def sync_file_system(file: int) -> None:
    """Write back everything of the file system on which `file` lies (syncfs)."""
    check(lib.fsrvp_sync_file_system(file), file)


def file_system_magic(file: int) -> int:
    """The number by which statfs names the kind of file system: `btrfs.SUPER_MAGIC`…"""
    magic = ffi.new("uint64_t *")
    check(lib.fsrvp_file_system_magic(file, magic), file)
    return int(magic[0])


def file_system_uuid(file: int) -> bytes:
    """The 16 bytes by which the file system of `file` is known, now and after a reboot.

    ENOTTY: it has none, or the kernel cannot tell (Linux before 6.9, unless it is XFS).
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
    """Open a path that must not leave `directory`, by `..`, link or mount of /proc.

    Any symbolic link on the way is ELOOP unless `symlinks`; then only one that leads out
    is refused (EXDEV). Mount points are crossed. `mode` is for O_CREAT and O_TMPFILE.
    Returns a descriptor that is not inherited. ENOSYS before Linux 5.6.
    """
    returned = lib.fsrvp_open_beneath(directory, os.fsencode(path), flags, mode, symlinks)
    return check(returned, directory, path)
