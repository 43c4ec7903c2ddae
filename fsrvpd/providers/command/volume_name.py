"""Identifies a mounted volume of any kind."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from uuid import UUID

from fsrvpd.core import btrfs, files
from fsrvpd.core.live_mounts import LiveMounts

_BY_UUID = "/dev/disk/by-uuid"


def volume_name_of(root: int, mounts: LiveMounts) -> str:
    """Return the file system's UUID if the kernel reports one, else what was mounted."""
    with suppress(OSError):
        return f"command:{_uuid(root)}"
    mount = mounts.lookup(os.readlink(f"/proc/self/fd/{root}"))
    return f"command:{mount.fs_type}:{mount.source}:{mount.root}"


def _uuid(root: int) -> UUID:
    """Raises: OSError when it has none, or the kernel does not tell it (Linux before 6.9)."""
    if files.file_system_magic(root) == btrfs.SUPER_MAGIC:
        return UUID(bytes=btrfs.file_system_uuid(root))
    with suppress(OSError):
        return UUID(bytes=files.file_system_uuid(root))
    device = os.fstat(root).st_dev
    for name in os.listdir(_BY_UUID):
        if os.stat(os.path.join(_BY_UUID, name)).st_rdev == device:
            return UUID(name)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), _BY_UUID)
