"""Answers whose lengths and places lie."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files.messages import Malformed
from tests.unit.requestor.files import peer


def test_what_an_open_says() -> None:
    found = m.created(peer.answer(peer.opened(7, 0x220).body))
    assert (found.size, found.attributes, found.file_id) == (7, 0x220, peer.FILE_ID)
    assert found.times == (1, 2, 3, 4)


def test_data_of_answers() -> None:
    assert m.read_data(peer.answer(peer.read(b"data").body)) == b"data"
    assert m.queried(peer.answer(peer.queried(b"info").body)) == b"info"
    assert m.control_data(peer.answer(peer.controlled(b"ranges").body)) == b"ranges"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        struct.pack("<HBBIII", 17, 80, 0, 1, 0, 0),
        struct.pack("<HBBIII", 17, 80, 0, 0xFFFFFFFF, 0, 0) + b"x",
        struct.pack("<HBBIII", 17, 10, 0, 4, 0, 0) + b"data",
        struct.pack("<HBBIII", 17, 255, 0, 4, 0, 0) + b"data",
    ],
)
def test_data_that_is_not_there(body: bytes) -> None:
    with pytest.raises(Malformed):
        m.read_data(peer.answer(body))


def test_a_size_below_zero() -> None:
    with pytest.raises(Malformed):
        m.created(peer.answer(peer.opened(1 << 63).body))


@given(st.binary(max_size=200))
def test_no_other_exception_comes_of_any_bytes(body: bytes) -> None:
    for parse in (m.created, m.read_data, m.queried, m.control_data):
        with suppress(Malformed):
            parse(peer.answer(body))


def test_a_request_tells_what_credits_pay_for() -> None:
    assert m.read(peer.FILE_ID, 0, 1 << 20).payload == 1 << 20
    assert m.create("a", 0, 0).payload == 0
