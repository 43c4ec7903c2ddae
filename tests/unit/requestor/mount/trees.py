"""A tree in memory in place of a `FileTree`, for tests of mounts."""

from __future__ import annotations

from errno import EACCES, ENOENT
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from fsrvpd.requestor.files.records import Entry, FileFailure

DIRECTORY = 0x10
SPARSE = 0x200
MOMENT = 133_500_000_000_000_000  # in 2024, as a FILETIME


def entry(name: str, size: int = 0, **more: int) -> Entry:
    fields = {
        "allocated": size,
        "created": MOMENT,
        "accessed": MOMENT + 1,
        "modified": MOMENT + 2,
        "changed": MOMENT + 3,
        "attributes": 0x20,
        "file_id": 0,
        "reparse_tag": 0,
        **more,
    }
    return Entry(
        name=name, is_directory=bool(fields["attributes"] & DIRECTORY), size=size, **fields
    )


class MemoryFile(NamedTuple):
    entry: Entry
    content: bytes
    log: List[Tuple[str, int]]
    ranges: Optional[Sequence[Tuple[int, int]]] = None
    piece: int = 1 << 20

    def read(self, offset: int, length: int) -> bytes:
        self.log.append(("read", offset))
        return self.content[offset : offset + length]

    def chunks(self, offset: int = 0, length: Optional[int] = None) -> Iterator[bytes]:
        self.log.append(("chunks", offset))
        while offset < len(self.content):
            yield self.content[offset : offset + self.piece]
            offset += self.piece

    def data_ranges(self) -> Sequence[Tuple[int, int]]:
        return [(0, len(self.content))] if self.ranges is None else self.ranges

    def close(self) -> None:
        self.log.append(("close", 0))


class MemoryTree:
    """Paths as in SMB. `refused` may not be read, nor their facts."""

    def __init__(self) -> None:
        self.found: Dict[str, Entry] = {"": entry("", attributes=DIRECTORY)}
        self.contents: Dict[str, bytes] = {}
        self.alternate: Dict[str, Dict[str, bytes]] = {}
        self.descriptors: Dict[str, bytes] = {}
        self.ranges: Dict[str, Sequence[Tuple[int, int]]] = {}
        self.refused: set[str] = set()
        self.asked: List[Tuple[str, str]] = []

    def add(self, path: str, content: bytes = b"", **more: int) -> None:
        name = path.rpartition("\\")[2]
        self.found[path] = entry(name, more.pop("size", len(content)), **more)
        self.contents[path] = content

    def entry(self, path: str) -> Entry:
        self.asked.append(("entry", path))
        self._need(path)
        return self.found[path]

    def entries(self, path: str) -> Iterator[Entry]:
        self.asked.append(("entries", path))
        self._need(path)
        for each, found in self.found.items():
            if each and each.rpartition("\\")[0] == path:
                yield found

    def open(self, path: str, stream: str = "") -> MemoryFile:
        self._need(path)
        content = self.alternate[path][stream] if stream else self.contents[path]
        return MemoryFile(self.found[path], content, [], self.ranges.get(path))

    def streams(self, path: str) -> Sequence[Tuple[str, int]]:
        self.asked.append(("streams", path))
        self._need(path)
        return [(name, len(data)) for name, data in self.alternate.get(path, {}).items()]

    def security_descriptor(self, path: str) -> bytes:
        self.asked.append(("security_descriptor", path))
        self._need(path)
        return self.descriptors.get(path, b"descriptor of " + path.encode())

    def close(self) -> None:
        self.asked.append(("close", ""))

    def _need(self, path: str) -> None:
        if path in self.refused:
            raise _failure(path, "refused", EACCES)
        if path not in self.found:
            raise _failure(path, "not there", ENOENT)


def _failure(path: str, cause: str, number: int) -> FileFailure:
    return FileFailure(path, cause, "", errno=number)
