"""Shares in memory, with clusters of PostgreSQL in them."""

from __future__ import annotations

import errno
import struct
from typing import Iterator, Mapping, NamedTuple, Optional

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import ShareRoot
from fsrvpd.requestor.writers.ports import SharedTree
from fsrvpd.requestor.writers.postgresql_cluster import Checkpoint, Cluster, Tablespace

SEGMENT = 1 << 20
IDENTIFIER = (1 << 63) + 5  # PostgreSQL prints it as a negative number
REDO, TIMELINE = 0x1_0030_0000 + 40, 3
WAL = "000000030000000100000003"
SINCE = Checkpoint(REDO + 56, TIMELINE)


def control(*, state: int = 6, checkpoint: int = SINCE.location, timeline: int = TIMELINE) -> bytes:
    fields = struct.pack("<Q8xI4x8xQQI", IDENTIFIER, state, checkpoint, REDO, timeline)
    return fields + b"\0" * 8000


CONTROL = control()
HISTORY = Tablespace("16400", "history", "/srv/fast/history", ("5",))
CLUSTER = Cluster(150004, IDENTIFIER, "202209061", "/srv/nas/pg/main", SEGMENT, False, ())


class Missing(RequestorError):
    errno = errno.ENOENT

    def __init__(self) -> None:
        super().__init__("x", "it is not there", "")


class MemoryEntry(NamedTuple):
    name: str
    is_directory: bool
    size: int
    file_id: int


class MemoryFile:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def __enter__(self) -> MemoryFile:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is open."""


class MemoryTree:
    """`files` by path; a directory is what has a file in it, or has None as content."""

    def __init__(self, files: Mapping[str, Optional[bytes]], first_id: int = 1) -> None:
        self.files = dict(files)
        self._first_id = first_id

    def entry(self, path: str) -> MemoryEntry:
        for number, (name, data) in enumerate(sorted(self.files.items()), self._first_id):
            if name == path:
                return MemoryEntry(path, data is None, len(data or b""), number)
            if name.startswith(f"{path}\\"):
                return MemoryEntry(path, True, 0, 0)
        raise Missing

    def entries(self, path: str) -> Iterator[MemoryEntry]:
        raise Missing

    def open(self, path: str) -> MemoryFile:
        data = self.files.get(path)
        if data is None:
            raise Missing
        return MemoryFile(data)


def share(name: str, files: Mapping[str, Optional[bytes]], first_id: int = 1) -> SharedTree:
    unc = f"\\\\nas\\{name}"
    return SharedTree(ShareRoot(unc, unc, "nas", name, ""), MemoryTree(files, first_id))


def data_directory(path: str = "pg\\main", *, wal: bool = True) -> dict[str, Optional[bytes]]:
    names: dict[str, Optional[bytes]] = {
        "PG_VERSION": b"15\n",
        "global\\pg_control": CONTROL,
        "pg_wal\\archive_status": None,
    }
    if wal:
        names[f"pg_wal\\{WAL}"] = b"\0" * SEGMENT
    return {f"{path}\\{name}" if path else name: data for name, data in names.items()}


def tablespace(path: str, database: str = "5") -> dict[str, Optional[bytes]]:
    return {f"{path}\\PG_15_202209061\\{database}": None}
