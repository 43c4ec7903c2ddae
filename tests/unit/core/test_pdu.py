from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.core import ndr, pdu
from fsrvpd.core.messages import Opnum, PathSupportedResponse
from fsrvpd.core.ndr import Syntax
from fsrvpd.core.pdu import BadPdu, PduType, Result
from tests.oracle import pdu as oracle
from tests.oracle.pdu import Context

VERIFIER = bytes([9, 6, 3, 0, 0x78, 0x56, 0x34, 0x12])
BIG_ENDIAN_VERIFIER = bytes([9, 6, 3, 0, 0x12, 0x34, 0x56, 0x78])


@pytest.mark.parametrize("big_endian", [False, True])
def test_a_request_is_parsed(big_endian: bool) -> None:
    data = oracle.request(5, b"abcdef", context_id=7, call_id=0x1020304, big_endian=big_endian)
    parsed = pdu.parse(data + b"the next one")
    assert parsed is not None
    assert parsed.type == PduType.REQUEST
    assert (parsed.call_id, parsed.context_id, parsed.opnum) == (0x1020304, 7, 5)
    assert (parsed.alloc_hint, parsed.flags) == (6, 3)
    assert parsed.big_endian == big_endian
    assert parsed.fragment_size == len(data)
    assert data[parsed.body : parsed.body + parsed.body_size] == b"abcdef"


def test_an_object_uuid_is_no_part_of_the_stub() -> None:
    data = oracle.request(5, b"abcdef", flags=3 | oracle.OBJECT)
    parsed = pdu.parse(data)
    assert parsed is not None
    assert data[parsed.body : parsed.body + parsed.body_size] == b"abcdef"


@pytest.mark.parametrize("big_endian", [False, True])
def test_a_verifier_and_its_padding_are_cut_off(big_endian: bool) -> None:
    verifier = (BIG_ENDIAN_VERIFIER if big_endian else VERIFIER) + b"token"
    data = oracle.request(5, b"abcdef" + b"pad", verifier=verifier, big_endian=big_endian)
    parsed = pdu.parse(data)
    assert parsed is not None
    assert data[parsed.body : parsed.body + parsed.body_size] == b"abcdef"
    assert data[parsed.token : parsed.token + parsed.token_size] == b"token"
    assert (parsed.auth_type, parsed.auth_level, parsed.auth_padding) == (9, 6, 3)
    assert parsed.auth_context_id == 0x12345678


@pytest.mark.parametrize("big_endian", [False, True])
def test_a_bind_is_parsed(big_endian: bool) -> None:
    contexts = [
        Context(1, oracle.INTERFACE, [oracle.NDR, oracle.NDR64]),
        Context(0x203, oracle.INTERFACE, [oracle.FEATURES]),
    ]
    data = oracle.bind(contexts, max_fragment=2000, group=77, big_endian=big_endian)
    parsed = pdu.parse(data)
    assert parsed is not None
    assert (parsed.max_transmit, parsed.max_receive, parsed.group) == (2000, 2000, 77)
    found = pdu.offers(data, parsed)
    assert [offer.context_id for offer in found] == [1, 0x203]
    for offer, context in zip(found, contexts):
        syntaxes = [uuid.bytes_le + bytes([number, 0, 0, 0]) for uuid, number in context.transfers]
        assert offer.transfer_syntaxes == syntaxes
        uuid, number = context.abstract
        assert offer.abstract_syntax == uuid.bytes_le + bytes([number, 0, 0, 0])


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 29])
def test_more_bytes_are_awaited(size: int) -> None:
    data = oracle.request(5, b"abcdef")
    assert len(data) == 30
    assert pdu.parse(data[:size]) is None


HEADER = oracle.request(5, b"")


def patched(place: int, *values: int) -> bytes:
    return HEADER[:place] + bytes(values) + HEADER[place + len(values) :]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (patched(0, 4), "version 5.0"),
        (patched(1, 1), "version 5.0"),
        (patched(4, 0x11), "data representation"),
        (patched(4, 0x30), "data representation"),
        (patched(5, 1), "data representation"),
        (patched(8, 15, 0), "length"),
        (patched(8, 23, 0), "length"),
        (patched(8, 0xD1, 0x16), "length"),
        (patched(3, 3 | oracle.OBJECT), "length"),
        (patched(10, 1, 0), "verifier"),
        (patched(10, 0xFF, 0xFF), "verifier"),
        (oracle.request(5, b"x", verifier=VERIFIER + b"token"), "verifier"),
    ],
)
def test_pdus_that_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadPdu, match=reason) as refused:
        pdu.parse(data)
    assert refused.value.pdu.call_id == 1


def test_only_what_may_carry_a_ticket_may_be_long() -> None:
    bind = oracle.message(oracle.BIND, bytes(60_000))
    assert pdu.parse(bind) is not None
    with pytest.raises(BadPdu, match="length"):
        pdu.parse(oracle.message(oracle.REQUEST, bytes(60_000))[:16])


def test_the_list_of_contexts_ends_where_the_verifier_begins() -> None:
    contexts = [Context(1, oracle.INTERFACE, [oracle.NDR])] * 2
    data = bytearray(oracle.bind(contexts[:1], verifier=bytes(8) + bytes(44)))
    data[24] = 2  # contexts
    parsed = pdu.parse(bytes(data))
    assert parsed is not None
    with pytest.raises(BadPdu, match="ends inside"):
        pdu.offers(bytes(data), parsed)


@pytest.mark.parametrize(("contexts", "syntaxes"), [(33, 1), (1, 17)])
def test_too_many_offers_are_refused(contexts: int, syntaxes: int) -> None:
    offered = [Context(1, oracle.INTERFACE, [oracle.NDR] * syntaxes)] * contexts
    data = oracle.bind(offered)
    parsed = pdu.parse(data)
    assert parsed is not None
    with pytest.raises(BadPdu, match="more contexts") as refused:
        pdu.offers(data, parsed)
    assert refused.value.too_many


def test_a_bind_ack_of_every_length_of_address() -> None:
    for length in range(8):
        data = pdu.bind_ack(
            PduType.BIND_ACK,
            5,
            [Result(3, 2), Result(0, 0, bytes(range(20)))],
            group=9,
            max_fragment=4280,
            address=bytes(length),
            flags=pdu.Flag.CONCURRENT_MULTIPLEXING,
        )
        header = oracle.read(data)
        assert header[:3] == (oracle.BIND_ACK, 3 | oracle.CONCURRENT, 5)
        ack = oracle.read_bind_ack(header.body)
        assert ack[:4] == (4280, 4280, 9, bytes(length))
        assert [result[:2] for result in ack.results] == [(3, 2), (0, 0)]


@given(st.text("aä€", max_size=1024), st.integers(64, 4280))
def test_responses_are_put_together_again(owner: str, max_fragment: int) -> None:
    response = PathSupportedResponse(0, True, owner)
    stub = ndr.encode_response(Opnum.IsPathSupported, response, Syntax.NDR)
    fragments = pdu.responses(3, 1, stub, max_fragment)
    assert all(len(data) <= max_fragment for data in fragments)
    headers = [oracle.read(data) for data in fragments]
    assert headers[0].flags & oracle.FIRST
    assert headers[-1].flags & oracle.LAST
    assert sum(header.flags & 3 for header in headers) == 3
    answers = [oracle.read_answer(header) for header in headers]
    assert b"".join(answer.stub for answer in answers) == stub
    assert answers[0].alloc_hint == len(stub)


@given(st.binary(max_size=100))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    for prefix in (b"", b"\5\0\x0b\3\x10\0\0\0" + len(data).to_bytes(2, "little")):
        try:
            parsed = pdu.parse(prefix + data)
            if parsed is not None:
                pdu.offers(prefix + data, parsed)
        except BadPdu:
            pass
