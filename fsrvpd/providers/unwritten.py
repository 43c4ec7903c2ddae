"""How much a btrfs file system has yet to write, as the kernel accounts for it.

Observed on Linux 6.18: data that no extent holds yet counts as `bytes_may_use`, data under
way as `bytes_reserved`; metadata of the running transaction as `bytes_reserved`.
"""

from __future__ import annotations

from math import inf
from pathlib import Path
from uuid import UUID

_SYSFS = Path("/sys/fs/btrfs")
_COUNTERS = ("data/bytes_may_use", "data/bytes_reserved", "metadata/bytes_reserved")


def unwritten(file_system: UUID) -> float:
    """In bytes; infinity where the kernel does not say, as with mixed block groups."""
    space = _SYSFS / str(file_system) / "allocation"
    try:
        return sum(int((space / counter).read_text()) for counter in _COUNTERS)
    except (OSError, ValueError):
        return inf
