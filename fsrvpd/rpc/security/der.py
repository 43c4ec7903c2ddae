"""The subset of DER that SPNEGO needs: definite lengths and one-byte tags.

Spec: X.690 10.1, 8.1.2; peers that implement MS-SPNG send no more than that.
"""

from __future__ import annotations

from typing import Optional

from fsrvpd.errors import AuthenticationError

OCTET_STRING = 0x04
OID = 0x06
ENUMERATED = 0x0A
SEQUENCE = 0x30
APPLICATION = 0x60


def context(number: int) -> int:
    """The tag of an explicitly tagged, constructed field [number]."""
    return 0xA0 | number


def encode(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + content


class DerReader:
    """A cursor over the elements of one constructed value. Raises: AuthenticationError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def peek(self) -> Optional[int]:
        """The next tag, None at the end."""
        return self._data[self._offset] if self._offset < len(self._data) else None

    def take(self, tag: int) -> bytes:
        """The content of the next element, which must have this tag."""
        if self.peek() != tag:
            raise AuthenticationError(f"DER: tag {self.peek()} instead of {tag:#x}")
        self._offset += 1
        size = self._length()
        start, self._offset = self._offset, self._offset + size
        if self._offset > len(self._data):
            raise AuthenticationError(f"DER: {size} bytes announced, but fewer follow")
        return self._data[start : self._offset]

    def optional(self, tag: int) -> Optional[bytes]:
        return self.take(tag) if self.peek() == tag else None

    def sequence(self) -> DerReader:
        return DerReader(self.take(SEQUENCE))

    def end(self) -> None:
        if self.peek() is not None:
            raise AuthenticationError("DER: bytes left over")

    def rest(self) -> bytes:
        return self._data[self._offset :]

    def _length(self) -> int:
        """In the fewest bytes, as DER requires, and at most two: no token exceeds 64 KiB."""
        first = self._byte()
        if first < 0x80:
            return first
        count = first & 0x7F
        if count not in (1, 2):
            raise AuthenticationError("DER: an indefinite length, or one beyond 64 KiB")
        size = 0
        for _ in range(count):
            size = size << 8 | self._byte()
        if size < (0x80 if count == 1 else 0x100):
            raise AuthenticationError("DER: a length in more bytes than it needs")
        return size

    def _byte(self) -> int:
        if self._offset >= len(self._data):
            raise AuthenticationError("DER: cut short in a length")
        self._offset += 1
        return self._data[self._offset - 1]


def whole(data: bytes, tag: int) -> bytes:
    """The content of the one element that `data` is. Raises: AuthenticationError."""
    reader = DerReader(data)
    content = reader.take(tag)
    reader.end()
    return content
