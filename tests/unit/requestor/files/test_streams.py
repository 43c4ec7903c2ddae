"""Streams of a file, from a server that may send anything."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.requestor.files.messages import Malformed
from fsrvpd.requestor.files.streams import Stream, parsed


def stream(name: str, size: int, *, more: bool = False) -> bytes:
    data = name.encode("utf-16-le")
    padded = data + bytes(-(24 + len(data)) % 8)
    return struct.pack("<IIQQ", 24 + len(padded) if more else 0, len(data), size, size) + (
        padded if more else data
    )


def test_names_and_sizes() -> None:
    data = stream("::$DATA", 9, more=True) + stream(":Zone.Identifier:$DATA", 26, more=True)
    assert parsed(data + stream(":ä:$DATA", 0)) == [Stream("Zone.Identifier", 26), Stream("ä", 0)]
    assert parsed(b"") == []


def test_another_kind_keeps_its_name() -> None:
    assert parsed(stream(":a:$INDEX_ALLOCATION", 1)) == [Stream("a:$INDEX_ALLOCATION", 1)]


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        stream(":a:$DATA", 1)[:-1],
        stream(":a:$DATA", 1 << 63),
        struct.pack("<I", 8) + stream(":a:$DATA", 1)[4:],
        stream(":a:$DATA", 1, more=True),
    ],
)
def test_what_cannot_be(data: bytes) -> None:
    with pytest.raises(Malformed):
        parsed(data)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    with suppress(Malformed):
        parsed(data)
