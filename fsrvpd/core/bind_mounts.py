"""Mounts of a directory at another place, by system call.

Every function raises OSError with errno and path. Paths may be those of open descriptors
(`path_of`), which nobody can rename. Spec: mount(2), umount(2).
"""

from __future__ import annotations

import os

from fsrvpd.core.native import ffi, lib

READ_ONLY, NO_SETUID, NO_DEVICES, NO_EXECUTION = 1, 2, 4, 8
_FDINFO_SIZE = 4096  # the number is in the third of its short lines
_REMOUNT, _BIND, _MOVE, _PRIVATE = 0x20, 0x1000, 0x2000, 0x40000


def path_of(fd: int) -> str:
    """The path by which a system call finds what a descriptor of this process has open."""
    return f"/proc/self/fd/{fd}"


def bind(source: str, target: str) -> None:
    """Show the directory `source` at `target`, too."""
    _mount(source, target, _BIND)


def restrict(mount_point: str, flags: int) -> None:
    """Set READ_ONLY and the like for this mount alone. EBUSY: a file is open for writing."""
    _mount("", mount_point, _REMOUNT | _BIND | flags)


def make_private(mount_point: str) -> None:
    """What is mounted below is not shown elsewhere, nor the other way round."""
    _mount("", mount_point, _PRIVATE)


def move(source: str, target: str) -> None:
    """EINVAL: `source` lies on a mount that is shared with other namespaces."""
    _mount(source, target, _MOVE)


def detach(mount_point: str) -> None:
    """Unmount; files that are open stay open. EINVAL: it is no mount point."""
    _check(lib.fsrvp_detach(os.fsencode(mount_point)), mount_point)


def unmount(mount_point: str) -> None:
    """Unmount what nobody uses. EBUSY: somebody has a file or a directory open there."""
    _check(lib.fsrvp_unmount(os.fsencode(mount_point)), mount_point)


def is_mount_point(path: str) -> bool:
    """Whether something is mounted at a directory, be it another directory of the same file
    system, which `os.path.ismount` misses. A path that does not exist is none."""
    try:
        here = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        above = os.open("..", os.O_PATH | os.O_CLOEXEC, dir_fd=here)
        try:
            return mount_id(here) != mount_id(above) or os.path.samestat(
                os.fstat(here), os.fstat(above)
            )
        finally:
            os.close(above)
    finally:
        os.close(here)


def mount_id(fd: int) -> int:
    """The number, in mountinfo, of the mount on which a descriptor lies. Spec: proc(5)."""
    file = os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY)
    try:
        words = os.read(file, _FDINFO_SIZE).split(maxsplit=6)
    finally:
        os.close(file)
    return int(words[words.index(b"mnt_id:") + 1])


def is_read_only(fd: int) -> bool:
    """Whether the mount of a descriptor is. The mount table says it; statvfs would ask storage,
    which may not answer."""
    wanted = b"%d" % mount_id(fd)
    with open("/proc/self/mountinfo", "rb") as table:
        fields = next(line.split(b" ", 6) for line in table if line.split(b" ", 1)[0] == wanted)
    return b"ro" in fields[5].split(b",")


def _mount(source: str, target: str, flags: int) -> None:
    given = os.fsencode(source) if source else ffi.NULL
    _check(lib.fsrvp_mount_at(given, os.fsencode(target), flags), target)


def _check(returned: int, path: str) -> None:
    if returned < 0:
        raise OSError(-returned, os.strerror(-returned), path)
