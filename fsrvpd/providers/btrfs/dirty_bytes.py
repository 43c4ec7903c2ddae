"""How much a btrfs file system has yet to write, as the kernel accounts for it.

Observed on Linux 6.18: data that no extent holds yet counts as `bytes_may_use`, data being
written as `bytes_reserved`; metadata of the running transaction as `bytes_reserved`.
"""

from __future__ import annotations

import os
from math import inf
from pathlib import Path
from uuid import UUID

_SYSFS = Path("/sys/fs/btrfs")
_COUNTERS = ("data/bytes_may_use", "data/bytes_reserved", "metadata/bytes_reserved")


def dirty_bytes(file_system: UUID, sysfs: Path = _SYSFS) -> float:
    """Return bytes, or infinity if the kernel has no number, as for mixed block groups."""
    space = sysfs / str(file_system) / "allocation"
    try:
        return sum(_read(f"{space}/{counter}") for counter in _COUNTERS)
    except (OSError, ValueError):
        return inf


def _read(counter: str) -> int:
    """Three calls; `Path.read_text` makes eight."""
    file = os.open(counter, os.O_RDONLY)
    try:
        return int(os.read(file, 32))
    finally:
        os.close(file)
