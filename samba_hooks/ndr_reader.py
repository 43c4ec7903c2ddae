"""A bounded cursor over NDR 2.0, little-endian, as Samba's daemons speak among themselves.

Nothing is read before it is known to be there: every short, misplaced or oversized
field is an `NpaError`, and no count is believed before the bytes it promises exist.
"""

from __future__ import annotations

import struct
from typing import Callable, TypeVar

from fsrvpd.errors import FsrvpdError

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")

T = TypeVar("T")


class NpaError(FsrvpdError):
    """What came over the pipe is not a named_pipe_auth request that we understand."""


class NdrReader:
    """Alignment counts from the first byte of `data`."""

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self._data = data
        self.offset = offset

    @property
    def remaining(self) -> int:
        return len(self._data) - self.offset

    def fork(self) -> NdrReader:
        """A second cursor at the same place, to try one of two readings."""
        return NdrReader(self._data, self.offset)

    def align(self, size: int) -> None:
        self._advance(-self.offset % size)

    def skip(self, size: int) -> None:
        self._advance(size)

    def u8(self) -> int:
        return self._data[self._advance(1)]

    def u16(self) -> int:
        self.align(2)
        return int(_U16.unpack_from(self._data, self._advance(2))[0])

    def u32(self) -> int:
        self.align(4)
        return int(_U32.unpack_from(self._data, self._advance(4))[0])

    def u64(self) -> int:
        self.align(8)
        return int(_U64.unpack_from(self._data, self._advance(8))[0])

    def pointer(self) -> bool:
        """Whether a unique pointer's referent follows later."""
        return self.u32() != 0

    def blob(self) -> None:
        """Step over a DATA_BLOB without looking at it: these hold keys and tickets."""
        self.skip(self.u32())

    def count(self, element_size: int) -> int:
        """An element count, believed only when that many elements can still follow."""
        count = self.u32()
        if count * element_size > self.remaining:
            raise NpaError(
                f"named_pipe_auth: {count} elements of {element_size} bytes announced at "
                f"offset {self.offset}, {self.remaining} bytes left"
            )
        return count

    def string(self) -> str:
        """A conformant-varying string in UTF-8, with its NUL cut off."""
        size, first, length = self.u32(), self.u32(), self.u32()
        if first != 0 or length > size:
            raise NpaError(f"named_pipe_auth: bad string header at offset {self.offset}")
        start = self._advance(length)
        raw = self._data[start : start + length].split(b"\0", 1)[0]
        return raw.decode("utf-8", "replace")

    def sid(self) -> str:
        """A dom_sid (no conformance count) in S-1-… form."""
        self.align(4)
        revision, count = self.u8(), self.u8()
        if revision != 1 or count > 15:
            raise NpaError(f"named_pipe_auth: no SID at offset {self.offset - 2}")
        authority = int.from_bytes(self._take(6), "big")
        parts = struct.unpack(f"<{count}I", self._take(4 * count))
        return "-".join(["S-1", str(authority), *map(str, parts)])

    def array(self, count: int, element: Callable[[], T]) -> list[T]:
        """`count` must come from a `count()` call: it has been held against the bytes left."""
        return [element() for _ in range(count)]

    def _take(self, size: int) -> bytes:
        start = self._advance(size)
        return self._data[start : start + size]

    def _advance(self, size: int) -> int:
        """The offset before the step."""
        start = self.offset
        if size > len(self._data) - start:
            raise NpaError(
                f"named_pipe_auth: cut short at offset {start}: "
                f"{size} bytes wanted, {self.remaining} left"
            )
        self.offset = start + size
        return start
