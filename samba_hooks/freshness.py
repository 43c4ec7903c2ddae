"""Whether Samba's configuration is still what it was, found out without asking Samba.

Costs one stat a configuration file and one read of four bytes: registry.tdb counts its
changes in its header (TDB_SEQNUM), and every transaction of `net conf`, smbd or
ours moves that number. Samba: lib/tdb/common/tdb_private.h, struct tdb_header;
source3/registry/reg_db.h, REG_TDB_FLAGS.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple, Optional, Tuple

_MAGIC = b"TDB file\n"
_SEQUENCE_OFFSET = 48
_SEQUENCE_SIZE = 4

FileStamp = Tuple[str, int, int, int]  # path, mtime in ns, size, inode; zeros when missing


class ConfigVersion(NamedTuple):
    """`registry` is the path of registry.tdb, empty where a cluster keeps it elsewhere: such
    a version is never known to be current. `sequence` is -1 when there is no registry."""

    files: Tuple[FileStamp, ...]
    registry: str
    sequence: int


NOWHERE = ConfigVersion((), "", -1)


def stamp(path: str) -> FileStamp:
    try:
        facts = os.stat(path)
    except OSError:
        return path, 0, 0, 0
    return path, facts.st_mtime_ns, facts.st_size, facts.st_ino


class Freshness:
    """Keeps registry.tdb open for reading. Not for use by two threads at once."""

    def __init__(self) -> None:
        self._path = ""
        self._fd = -1

    def is_current(self, version: ConfigVersion) -> bool:
        if not version.registry:
            return False
        for known in version.files:
            if stamp(known[0]) != known:
                return False
        return self.sequence(version.registry) == version.sequence

    def sequence(self, registry: str) -> int:
        """The registry's change counter, -1 when there is no registry yet."""
        if self._fd < 0 or registry != self._path:
            self._open(registry)
        if self._fd < 0:
            return -1
        raw = os.pread(self._fd, _SEQUENCE_SIZE, _SEQUENCE_OFFSET)
        return int.from_bytes(raw, sys.byteorder)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _open(self, registry: str) -> None:
        self.close()
        self._path = registry
        descriptor = _open_or_none(registry)
        if descriptor is None:
            return
        if os.pread(descriptor, len(_MAGIC), 0) == _MAGIC:
            self._fd = descriptor
        else:
            os.close(descriptor)


def _open_or_none(path: str) -> Optional[int]:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
