"""Detects changes of Samba's configuration without asking Samba.

This takes one stat for each configuration file and one read of four bytes: registry.tdb counts
changes in its header (TDB_SEQNUM), and every transaction of `net conf`, smbd or fsrvpd moves
that number. Samba: lib/tdb/common/tdb_private.h, struct tdb_header; source3/registry/reg_db.h,
REG_TDB_FLAGS.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Mapping, NamedTuple, Optional, Tuple

_MAGIC = b"TDB file\n"
_SEQUENCE_OFFSET = 48
_SEQUENCE_SIZE = 4
_TICK = 10_000_000  # ns; the longest that a kernel has
_MOST_LOOKS = 5  # at a file that is written all the time


class FileStamp(NamedTuple):
    """All numbers are 0 for a file that does not exist."""

    path: str
    mtime: int = 0  # ns
    size: int = 0
    inode: int = 0


class ConfigVersion(NamedTuple):
    """`registry` is the path of registry.tdb, "" on a cluster, which keeps it elsewhere: such a
    version is never current. `sequence` is -1 if there is no registry."""

    files: Tuple[FileStamp, ...]
    registry: str
    sequence: int

    def to_json(self) -> Mapping[str, Any]:
        return {**self._asdict(), "files": [file._asdict() for file in self.files]}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> ConfigVersion:
        files = tuple(FileStamp(**file) for file in fields["files"])
        return cls(files, fields["registry"], fields["sequence"])


NOWHERE = ConfigVersion((), "", -1)


def stamp(path: str) -> FileStamp:
    try:
        facts = os.stat(path)
    except OSError:
        return FileStamp(path)
    return FileStamp(path, facts.st_mtime_ns, facts.st_size, facts.st_ino)


def settled_stamp(path: str) -> FileStamp:
    """A stamp that no later change of the file leaves as it is: the time of a file is that of the
    kernel's last tick, so a file that has just changed is looked at again after the next one."""
    for _ in range(_MOST_LOOKS):
        found = stamp(path)
        if not 0 <= time.time_ns() - found.mtime < _TICK:
            return found
        time.sleep(_TICK / 1e9)
    return FileStamp(path, mtime=-1)  # which no file has: it is read again next time


class ConfigChangeDetector:
    """Keeps registry.tdb open for reading. Not thread-safe."""

    def __init__(self) -> None:
        self._path = ""
        self._fd = -1

    def is_current(self, version: ConfigVersion) -> bool:
        if not version.registry:
            return False
        for known in version.files:
            if stamp(known.path) != known:
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
