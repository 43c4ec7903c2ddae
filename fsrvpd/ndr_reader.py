"""A bounded cursor over NDR 2.0, little-endian: for structures inside other protocols.

(The C core reads the methods of MS-FSRVP.) Every field is read only when all of
it is there, and every count is checked against the bytes that remain. A field that is
short, misplaced or too large raises the error that the caller chose.
"""

from __future__ import annotations

import struct
from typing import Callable, TypeVar

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")

T = TypeVar("T")


class NdrReader:
    """Alignment counts from the first byte of `data`. `error` makes what is raised."""

    def __init__(self, data: bytes, offset: int, error: Callable[[str], Exception]) -> None:
        self._data = data
        self.offset = offset
        self.error = error

    @property
    def remaining(self) -> int:
        return len(self._data) - self.offset

    def fork(self) -> NdrReader:
        """A second cursor at the same place, to try one of two readings."""
        return NdrReader(self._data, self.offset, self.error)

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
        """Skip a DATA_BLOB of Samba without reading it: it may hold keys or tickets."""
        self.skip(self.u32())

    def count(self, element_size: int) -> int:
        """A count of elements, refused when fewer bytes remain than they need."""
        count = self.u32()
        if count * element_size > self.remaining:
            raise self.error(
                f"{count} elements of {element_size} bytes announced at offset {self.offset}, "
                f"{self.remaining} bytes left"
            )
        return count

    def string(self) -> str:
        """A conformant varying string in UTF-8, with its NUL cut off."""
        raw = self.take(self.varying_count()).split(b"\0", 1)[0]
        return raw.decode("utf-8", "replace")

    def varying_count(self) -> int:
        """The head of a conformant varying array: how many elements follow."""
        size, first, length = self.u32(), self.u32(), self.u32()
        if first != 0 or length > size:
            raise self.error(f"bad string header at offset {self.offset}")
        return length

    def sid(self) -> str:
        """A dom_sid (no conformance count) in S-1-… form."""
        self.align(4)
        revision, count = self.u8(), self.u8()
        if revision != 1 or count > 15:
            raise self.error(f"no SID at offset {self.offset - 2}")
        authority = int.from_bytes(self.take(6), "big")
        parts = struct.unpack(f"<{count}I", self.take(4 * count))
        return "-".join(["S-1", str(authority), *map(str, parts)])

    def array(self, count: int, element: Callable[[], T]) -> list[T]:
        """`count` must come from a call of `count()`, which checks it."""
        return [element() for _ in range(count)]

    def take(self, size: int) -> bytes:
        start = self._advance(size)
        return self._data[start : start + size]

    def _advance(self, size: int) -> int:
        """The offset before the step."""
        start = self.offset
        if size > len(self._data) - start:
            raise self.error(
                f"cut short at offset {start}: {size} bytes wanted, {self.remaining} left"
            )
        self.offset = start + size
        return start
