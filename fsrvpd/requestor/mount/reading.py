"""`Reader`: one open file, read in pieces by whatever reads from the mount.

The kernel asks for pieces of up to 1 MiB, several at once and not always in order. While they are
near each other they are cut from the chunks of one pipelined reading; others are read alone.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Deque, Iterator, Optional, Protocol, Sequence, Tuple

from fsrvpd.requestor.files.records import Entry

SMALL = 1 << 20  # bytes: such a file is read at once
BEHIND = 4 << 20  # bytes that are kept for pieces that come late
AHEAD = 4 << 20  # bytes that a piece may be ahead of what was read


class File(Protocol):
    """What is needed of an `OpenFile`."""

    @property
    def entry(self) -> Entry: ...

    def read(self, offset: int, length: int) -> bytes: ...

    def chunks(self, offset: int = 0, length: Optional[int] = None) -> Iterator[bytes]: ...

    def data_ranges(self) -> Sequence[Tuple[int, int]]: ...

    def close(self) -> None: ...


class Reader:
    """Threads may share one. Every method may raise RequestorError."""

    def __init__(self, file: File, size: int) -> None:
        self._file, self._size = file, size
        self._lock = threading.Lock()
        self._chunks: Optional[Iterator[bytes]] = None
        self._kept: Deque[bytes] = deque()
        self._begin = self._end = 0  # of what is kept
        self._expected = 0  # where a reading that goes on begins
        self._whole: Optional[bytes] = None
        self._ranges: Optional[Sequence[Tuple[int, int]]] = None

    def read(self, offset: int, length: int) -> bytes:
        """Fewer bytes at the end of the file only."""
        length = min(length, self._size - offset)
        if length <= 0:
            return b""
        with self._lock:
            if self._size <= SMALL:
                if self._whole is None:
                    self._whole = self._file.read(0, self._size)
                return self._whole[offset : offset + length]
            chunks = self._near(offset)
            if chunks is None:
                self._expected = offset + length
                return self._file.read(offset, length)
            self._expected = offset + length
            self._read_up_to(chunks, offset + length)
            return self._cut(offset, length)

    def seek_data(self, offset: int) -> Optional[int]:
        """Where data is next, at or behind an offset; None if there is none."""
        for begin, length in self._data():
            if begin + length > offset:
                return max(begin, offset)
        return None

    def seek_hole(self, offset: int) -> int:
        """Where the next hole is, at or behind an offset; the end of the file is one."""
        for begin, length in self._data():
            if begin > offset:
                break
            offset = max(offset, begin + length)
        return min(offset, self._size)

    def close(self) -> None:
        with self._lock:
            self._stop()
            self._file.close()

    def _data(self) -> Sequence[Tuple[int, int]]:
        with self._lock:
            if self._ranges is None:
                self._ranges = self._file.data_ranges()
            return self._ranges

    def _near(self, offset: int) -> Optional[Iterator[bytes]]:
        """The chunks of which a piece at this offset is, or will be; None: read it alone."""
        if self._chunks is not None:
            if self._begin <= offset <= self._end + AHEAD:
                return self._chunks
            if 0 < self._begin - offset <= BEHIND:  # late
                return None
        if abs(offset - self._expected) > AHEAD:
            return None
        begin = offset if offset > AHEAD else 0
        self._stop()
        self._chunks = self._file.chunks(begin)
        self._begin = self._end = begin
        return self._chunks

    def _stop(self) -> None:
        self._chunks = None
        self._kept.clear()

    def _read_up_to(self, chunks: Iterator[bytes], end: int) -> None:
        while self._end < end:
            try:
                chunk = next(chunks, b"")
            except BaseException:
                self._stop()  # a generator that has raised goes on no more
                raise
            if not chunk:
                return
            self._kept.append(chunk)
            self._end += len(chunk)
        while self._begin + len(self._kept[0]) <= end - BEHIND:
            self._begin += len(self._kept.popleft())

    def _cut(self, offset: int, length: int) -> bytes:
        parts = []
        at = self._begin
        for chunk in self._kept:
            if at + len(chunk) > offset:
                first = max(0, offset - at)
                last = min(len(chunk), offset + length - at)
                parts.append(chunk if (first, last) == (0, len(chunk)) else chunk[first:last])
            at += len(chunk)
            if at >= offset + length:
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)
