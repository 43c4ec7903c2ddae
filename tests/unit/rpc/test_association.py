from __future__ import annotations

import struct
from typing import Any, Sequence

import pytest

from fsrvpd.core import ndr
from fsrvpd.core.messages import Opnum, PathSupportedResponse, SetContext, StatusResponse
from fsrvpd.core.ndr import Syntax
from fsrvpd.rpc.association import MAX_OUTSTANDING, Association, RpcRequest
from fsrvpd.rpc.faults import Fault, Nak
from fsrvpd.rpc.reassembly import MAX_STUB
from tests.oracle import pdu
from tests.oracle.pdu import Context

PLAIN = [Context(0, pdu.INTERFACE, [pdu.NDR])]
SET_CONTEXT = ndr.encode_request(SetContext(0x19), Syntax.NDR)


def associate(contexts: Sequence[Context] = PLAIN, **options: Any) -> Association:
    association = Association(7)
    assert association.receive(pdu.bind(contexts, **options)) == []
    assert pdu.read(*association.outgoing()).kind == pdu.BIND_ACK
    return association


def answers(association: Association) -> list[pdu.Answer]:
    return [pdu.read_answer(pdu.read(data)) for data in association.outgoing()]


def only_fault(association: Association) -> int:
    (answer,) = answers(association)
    assert answer.status != 0
    return answer.status


def nak_reason(association: Association) -> int:
    header = pdu.read(*association.outgoing())
    assert header.kind == pdu.BIND_NAK
    assert association.closed
    (reason,) = struct.unpack_from("<H", header.body)
    return int(reason)


def test_a_bind_is_acknowledged() -> None:
    association = Association(7)
    association.receive(pdu.bind(PLAIN, call_id=9))
    header = pdu.read(*association.outgoing())
    assert (header.kind, header.flags, header.call_id) == (pdu.BIND_ACK, 3, 9)
    ack = pdu.read_bind_ack(header.body)
    assert ack == (4280, 4280, 7, b"\\PIPE\\fssagentrpc\0", [(0, 0, pdu.NDR)])
    assert not association.closed


def test_a_call_comes_out_and_its_answer_goes_back() -> None:
    association = associate()
    (call,) = association.receive(pdu.request(Opnum.SetContext, SET_CONTEXT, call_id=3))
    assert call == RpcRequest(3, 0, Opnum.SetContext, SET_CONTEXT, Syntax.NDR, False)
    association.respond(call, StatusResponse(0x80042316))
    (answer,) = answers(association)
    assert answer == (4, 0, struct.pack("<I", 0x80042316), 0)
    assert association.outgoing() == []


@pytest.mark.parametrize("size", [1, 7, 16, 30])
def test_bytes_may_come_in_pieces_of_any_size(size: int) -> None:
    association = Association(7)
    stream = pdu.bind(PLAIN) + b"".join(
        pdu.request(Opnum.SetContext, SET_CONTEXT, call_id=number) for number in (1, 2)
    )
    calls = []
    for start in range(0, len(stream), size):
        for call in association.receive(stream[start : start + size]):
            association.respond(call, StatusResponse(0))
            calls.append(call.call_id)
    assert calls == [1, 2]
    assert len(association.outgoing()) == 3


def test_big_endian_clients_are_understood() -> None:
    association = associate(big_endian=True)
    stub = ndr.encode_request(SetContext(0x19), Syntax.NDR, big_endian=True)
    (call,) = association.receive(pdu.request(Opnum.SetContext, stub, big_endian=True))
    assert call.big_endian
    assert ndr.decode_request(call.opnum, call.stub, call.syntax, call.big_endian) == (0x19,)
    association.respond(call, StatusResponse(0))
    assert answers(association)[0].stub == bytes(4)


def test_an_object_uuid_is_tolerated() -> None:
    (call,) = associate().receive(pdu.request(1, SET_CONTEXT, flags=3 | pdu.OBJECT))
    assert call.stub == SET_CONTEXT


def test_the_syntax_of_a_call_is_that_of_its_context() -> None:
    association = associate([Context(4, pdu.INTERFACE, [pdu.NDR64])])
    (call,) = association.receive(pdu.request(1, SET_CONTEXT, context_id=4))
    assert call.syntax is Syntax.NDR64


def test_a_context_can_be_added_later() -> None:
    association = associate()
    association.receive(
        pdu.bind([Context(1, pdu.INTERFACE, [pdu.NDR64])], kind=pdu.ALTER_CONTEXT, call_id=5)
    )
    header = pdu.read(*association.outgoing())
    assert (header.kind, header.call_id) == (pdu.ALTER_CONTEXT_RESPONSE, 5)
    ack = pdu.read_bind_ack(header.body)
    assert ack == (4280, 4280, 7, b"", [(0, 0, pdu.NDR64)])
    for context_id, syntax in ((0, Syntax.NDR), (1, Syntax.NDR64)):
        (call,) = association.receive(pdu.request(0, b"", context_id=context_id))
        assert call.syntax is syntax
        association.fault(call, Fault.BAD_STUB_DATA)


def test_a_context_cannot_change_its_syntax() -> None:
    association = associate()
    association.receive(pdu.bind([Context(0, pdu.INTERFACE, [pdu.NDR64])], kind=pdu.ALTER_CONTEXT))
    assert only_fault(association) == Fault.PROTOCOL_ERROR
    assert association.closed


def test_a_client_joins_the_group_that_it_names() -> None:
    association = Association(7)
    association.receive(pdu.bind(PLAIN, group=12))
    assert pdu.read_bind_ack(pdu.read(*association.outgoing()).body).group == 12


def test_an_unknown_opnum_is_a_fault_and_the_association_lives_on() -> None:
    association = associate()
    assert association.receive(pdu.request(13, b"")) == []
    assert only_fault(association) == Fault.OP_RANGE_ERROR
    assert len(association.receive(pdu.request(0, b""))) == 1


def test_an_unknown_context_is_a_fault_and_the_association_lives_on() -> None:
    association = associate()
    for flags in (pdu.FIRST, 0, pdu.LAST):
        assert association.receive(pdu.request(0, b"", context_id=5, flags=flags)) == []
        assert only_fault(association) == Fault.UNKNOWN_INTERFACE
    assert len(association.receive(pdu.request(0, b""))) == 1


def test_a_rejected_context_cannot_be_called() -> None:
    association = associate([*PLAIN, Context(1, pdu.INTERFACE, [pdu.FEATURES])])
    association.receive(pdu.request(0, b"", context_id=1))
    assert only_fault(association) == Fault.UNKNOWN_INTERFACE


def test_a_fault_says_whether_the_call_was_executed() -> None:
    association = associate()
    association.receive(pdu.request(13, b""))
    assert pdu.read(*association.outgoing()).flags == 3 | pdu.DID_NOT_EXECUTE
    (call,) = association.receive(pdu.request(1, b""))
    association.fault(call, Fault.BAD_STUB_DATA)
    header = pdu.read(*association.outgoing())
    assert header.flags == 3
    assert pdu.read_answer(header) == (32, 0, b"", Fault.BAD_STUB_DATA)


# -- fragments


def test_fragments_are_joined() -> None:
    association = associate()
    stub = bytes(range(200))
    for place in range(0, 200, 50):
        flags = (pdu.FIRST if place == 0 else 0) | (pdu.LAST if place == 150 else 0)
        calls = association.receive(pdu.request(0, stub[place : place + 50], flags=flags))
        assert [call.stub for call in calls] == ([stub] if place == 150 else [])


@pytest.mark.parametrize(
    "other",
    [
        {"flags": pdu.FIRST},
        {"flags": pdu.FIRST, "call_id": 2},
        {"flags": 0, "call_id": 2},
        {"flags": 0, "opnum": 1},
        {"flags": 0, "big_endian": True},
    ],
    ids=str,
)
def test_fragments_of_requests_do_not_mix(other: dict[str, Any]) -> None:
    association = associate(flags=3 | pdu.CONCURRENT)
    association.receive(pdu.request(0, b"", flags=pdu.FIRST))
    association.receive(pdu.request(**{"opnum": 0, "stub": b"", **other}))
    assert only_fault(association) == Fault.PROTOCOL_ERROR
    assert association.closed


def test_a_fragment_without_its_first_is_refused() -> None:
    association = associate()
    association.receive(pdu.request(0, b"", flags=pdu.LAST))
    assert only_fault(association) == Fault.PROTOCOL_ERROR
    assert association.closed


def test_an_orphaned_request_is_forgotten() -> None:
    association = associate()
    association.receive(pdu.request(0, b"abc", flags=pdu.FIRST, call_id=1))
    association.receive(pdu.message(pdu.ORPHANED, b"", call_id=1))
    (call,) = association.receive(pdu.request(0, b"", call_id=2))
    assert call.stub == b""


def test_cancelling_changes_nothing() -> None:
    association = associate()
    (call,) = association.receive(pdu.request(1, b""))
    for kind in (pdu.CO_CANCEL, pdu.ORPHANED):
        assert association.receive(pdu.message(kind, b"")) == []
    association.respond(call, StatusResponse(0))
    assert answers(association)[0].stub == bytes(4)


def test_a_request_that_never_ends_is_cut_off() -> None:
    association = associate()
    association.receive(pdu.request(0, b"", flags=pdu.FIRST))
    for _ in range(MAX_STUB // 4000):
        association.receive(pdu.request(0, bytes(4000), flags=0))
        assert not association.closed
    association.receive(pdu.request(0, bytes(4000), flags=0))
    assert association.closed
    assert only_fault(association) == Fault.ACCESS_DENIED


def test_a_request_in_countless_empty_fragments_is_cut_off() -> None:
    association = associate()
    association.receive(pdu.request(0, b"", flags=pdu.FIRST))
    empty = pdu.request(0, b"", flags=0) * 100
    rounds = 0
    while not association.closed:
        association.receive(empty)
        rounds += 1
    assert rounds < 50
    assert only_fault(association) == Fault.ACCESS_DENIED


def test_responses_are_cut_to_what_the_client_receives() -> None:
    association = associate(max_fragment=1500)
    (call,) = association.receive(pdu.request(Opnum.IsPathSupported, b""))
    association.respond(call, PathSupportedResponse(0, True, "x" * 1000))
    fragments = association.outgoing()
    headers = [pdu.read(data) for data in fragments]
    assert [header.flags for header in headers] == [pdu.FIRST, pdu.LAST]
    assert len(fragments[0]) == 1496
    parts = [pdu.read_answer(header) for header in headers]
    assert parts[0].alloc_hint == len(parts[0].stub) + parts[1].alloc_hint
    assert parts[1].alloc_hint == len(parts[1].stub)
    stub = b"".join(part.stub for part in parts)
    assert ndr.decode_response(Opnum.IsPathSupported, stub, Syntax.NDR) == (0, True, "x" * 1000)


@pytest.mark.parametrize(("offered", "taken"), [(0, 1432), (2000, 2000), (5840, 4280)])
def test_the_fragment_size_is_negotiated(offered: int, taken: int) -> None:
    association = Association(7)
    association.receive(pdu.bind(PLAIN, max_fragment=offered))
    ack = pdu.read_bind_ack(pdu.read(*association.outgoing()).body)
    assert (ack.max_transmit, ack.max_receive) == (taken, taken)


# -- several calls


def test_calls_may_be_outstanding_together_when_that_was_negotiated() -> None:
    association = associate(flags=3 | pdu.CONCURRENT)
    for number in range(MAX_OUTSTANDING):
        assert len(association.receive(pdu.request(0, b"", call_id=number))) == 1
    assert association.receive(pdu.request(0, b"", call_id=99)) == []
    assert only_fault(association) == Fault.SERVER_TOO_BUSY
    assert not association.closed


def test_multiplexing_is_agreed_to() -> None:
    association = Association(7)
    association.receive(pdu.bind(PLAIN, flags=3 | pdu.CONCURRENT))
    assert pdu.read(*association.outgoing()).flags == 3 | pdu.CONCURRENT


def test_calls_may_not_be_outstanding_together_otherwise() -> None:
    association = associate()
    association.receive(pdu.request(0, b"", call_id=1))
    assert association.receive(pdu.request(0, b"", call_id=2)) == []
    assert only_fault(association) == Fault.PROTOCOL_ERROR
    assert association.closed


def test_a_call_id_may_not_be_outstanding_twice() -> None:
    association = associate(flags=3 | pdu.CONCURRENT)
    association.receive(pdu.request(0, b"", call_id=1))
    assert association.receive(pdu.request(0, b"", call_id=1)) == []
    assert only_fault(association) == Fault.PROTOCOL_ERROR


def test_a_call_is_answered_once() -> None:
    association = associate()
    (call,) = association.receive(pdu.request(1, b""))
    association.respond(call, StatusResponse(0))
    association.respond(call, StatusResponse(0))
    association.fault(call, Fault.BAD_STUB_DATA)
    assert len(association.outgoing()) == 1


# -- what is refused


def test_authentication_is_not_recognized() -> None:
    association = Association(7)
    association.receive(pdu.bind(PLAIN, verifier=bytes([10, 5, 0, 0, 0, 0, 0, 0]) + b"NTLMSSP"))
    assert nak_reason(association) == Nak.AUTHENTICATION_TYPE_NOT_RECOGNIZED
    assert association.receive(pdu.bind(PLAIN)) == []
    assert association.outgoing() == []


def test_a_signature_without_a_context_is_refused() -> None:
    association = associate()
    verifier = bytes([10, 5, 0, 0, 0, 0, 0, 0]) + bytes(16)
    assert association.receive(pdu.request(0, b"", verifier=verifier)) == []
    assert only_fault(association) == Fault.ACCESS_DENIED
    assert association.closed


@pytest.mark.parametrize("kind", sorted(set(range(21)) - {pdu.BIND}))
def test_the_first_pdu_is_a_bind(kind: int) -> None:
    association = Association(7)
    assert association.receive(pdu.message(kind, bytes(40))) == []
    assert nak_reason(association) == Nak.PROTOCOL_VERSION_NOT_SUPPORTED


@pytest.mark.parametrize(
    "kind",
    sorted(set(range(21)) - {pdu.REQUEST, pdu.ALTER_CONTEXT, pdu.CO_CANCEL, pdu.ORPHANED}),
)
def test_pdus_out_of_sequence_end_the_association(kind: int) -> None:
    association = associate()
    assert association.receive(pdu.message(kind, bytes(40))) == []
    assert only_fault(association) == Fault.PROTOCOL_ERROR
    assert association.closed
    assert association.close_reason


def test_a_bind_must_offer_something() -> None:
    for contexts in ([], [Context(0, pdu.INTERFACE, [])]):
        association = Association(7)
        association.receive(pdu.bind(contexts))
        assert nak_reason(association) == Nak.NOT_SPECIFIED


def test_a_bind_that_offers_too_much_is_refused() -> None:
    association = Association(7)
    association.receive(pdu.bind(PLAIN * 33))
    assert nak_reason(association) == Nak.LOCAL_LIMIT_EXCEEDED


def test_the_contexts_of_an_association_are_limited() -> None:
    association = associate()
    for number in range(1, 200):
        contexts = [Context(number, pdu.INTERFACE, [pdu.NDR])]
        association.receive(pdu.bind(contexts, kind=pdu.ALTER_CONTEXT))
        if association.closed:
            break
    assert number == 64


def test_another_version_of_the_protocol_is_refused() -> None:
    association = Association(7)
    association.receive(b"\x04" + pdu.bind(PLAIN)[1:])
    assert nak_reason(association) == Nak.PROTOCOL_VERSION_NOT_SUPPORTED


def test_an_endless_pdu_is_refused_before_it_is_stored() -> None:
    association = associate()
    header = pdu.request(0, bytes(6000))[:16]
    association.receive(header)
    assert only_fault(association) == Fault.PROTOCOL_ERROR
    assert association.closed


def test_what_came_before_the_end_is_still_handed_out() -> None:
    association = associate()
    calls = association.receive(pdu.request(1, SET_CONTEXT) + pdu.bind(PLAIN))
    assert len(calls) == 1
    assert association.closed
    association.respond(calls[0], StatusResponse(0))
    assert only_fault(association) == Fault.PROTOCOL_ERROR
