"""The alternate data streams of a file. Spec: MS-FSCC 2.4.49 (FileStreamInformation)."""

from __future__ import annotations

import struct
from typing import List, NamedTuple

from fsrvpd.requestor.files.messages import Malformed

_STREAM = struct.Struct("<IIQQ")
_DATA = ":$DATA"


class Stream(NamedTuple):
    """`name` without colon before it, and without `:$DATA`; it is hostile. `size` in bytes."""

    name: str
    size: int


def parsed(data: bytes) -> List[Stream]:
    """Without the unnamed one, which is the file. Raises: Malformed."""
    found: List[Stream] = []
    place = 0
    while data:
        if len(data) < place + _STREAM.size:
            raise Malformed("a stream that is cut short")
        following, length, size, _ = _STREAM.unpack_from(data, place)
        begin = place + _STREAM.size
        if begin + length > len(data) or length % 2 or size >> 63:
            raise Malformed("a stream that cannot be")
        whole = data[begin : begin + length].decode("utf-16-le", "surrogatepass")
        name = whole[1:] if whole[:1] == ":" else whole
        name = name[: -len(_DATA)] if name.endswith(_DATA) else name
        if name:
            found.append(Stream(name, size))
        if not following:
            break
        if following < _STREAM.size + length:
            raise Malformed("streams that lie in one another")
        place += following
    return found
