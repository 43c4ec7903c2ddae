from __future__ import annotations

import struct
from contextlib import suppress
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.ndr_reader import NdrReader


class Refused(Exception):
    """What the reader is told to raise."""


def reader(data: bytes, offset: int = 0) -> NdrReader:
    return NdrReader(data, offset, Refused)


def test_numbers_are_aligned_from_the_first_byte() -> None:
    cursor = reader(bytes(range(24)), 1)
    assert cursor.u8() == 1
    assert cursor.u16() == 0x0302
    assert cursor.u32() == 0x07060504
    assert cursor.u8() == 8
    assert cursor.u64() == 0x1716151413121110
    assert cursor.remaining == 0


def test_a_string_ends_with_its_nul() -> None:
    assert reader(struct.pack("<III", 9, 0, 4) + b"ab\0x").string() == "ab"


@pytest.mark.parametrize("head", [(4, 1, 3), (4, 0, 5)])
def test_a_string_is_varying_from_0_and_within_its_size(head: tuple[int, int, int]) -> None:
    with pytest.raises(Refused, match="bad string header at offset 12"):
        reader(struct.pack("<III", *head) + bytes(8)).string()


def test_a_sid() -> None:
    raw = bytes([1, 2]) + (5).to_bytes(6, "big") + struct.pack("<II", 32, 544)
    assert reader(raw).sid() == "S-1-5-32-544"
    for spoilt in (b"\2" + raw[1:], raw[:1] + b"\x10" + raw[2:]):
        with pytest.raises(Refused, match="no SID at offset 0"):
            reader(spoilt).sid()


def test_a_count_is_held_against_the_bytes_that_remain() -> None:
    assert reader(struct.pack("<I", 2) + bytes(8)).count(4) == 2
    with pytest.raises(Refused, match="3 elements of 4 bytes announced at offset 4, 8 bytes left"):
        reader(struct.pack("<I", 3) + bytes(8)).count(4)


@given(
    st.binary(max_size=40),
    st.sampled_from(["u8", "u16", "u32", "u64", "pointer", "blob", "string", "sid"]),
)
def test_nothing_is_read_beyond_the_end(data: bytes, kind: str) -> None:
    cursor = reader(data)
    read: Callable[[], object] = getattr(cursor, kind)
    with suppress(Refused):
        read()
    assert 0 <= cursor.offset <= len(data)


def test_a_fork_does_not_move_its_origin() -> None:
    cursor = reader(bytes(8))
    cursor.fork().u64()
    assert cursor.offset == 0
