"""The verification trailer behind the stub of a request of a client that authenticates."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from fsrvpd.core.messages import StatusResponse
from fsrvpd.rpc.association import RpcRequest
from fsrvpd.rpc.faults import Fault
from fsrvpd.rpc.verification_trailer import SIGNATURE
from tests.oracle import pdu
from tests.oracle.pdu import Context
from tests.unit.rpc.secured_client import SET_CONTEXT, SecuredClient
from tests.unit.rpc.security.initiators import Impacket


def client(**options: Any) -> SecuredClient:
    made = SecuredClient(Impacket(), **options)
    made.authenticate()
    return made


def trailer_of(*commands: tuple[int, bytes]) -> bytes:
    data = SIGNATURE
    for number, (kind, content) in enumerate(commands, 1):
        end = 0x4000 if number == len(commands) else 0
        data += struct.pack("<HH", kind | end, len(content)) + content
    return data


def pcontext(transfer: pdu.Syntax = pdu.NDR) -> bytes:
    content = b""
    for uuid, version in (pdu.INTERFACE, transfer):
        content += uuid.bytes_le + struct.pack("<I", version)
    return content


def header2(call_id: int = 1, opnum: int = 1, order: int = 0x10) -> bytes:
    return struct.pack("<BxxxBxxxIHH", 0, order, call_id, 0, opnum)


def outcome(trailer: bytes, **options: Any) -> tuple[SecuredClient, list[RpcRequest]]:
    peer = client(**options)
    return peer, peer.send(peer.request(SET_CONTEXT + trailer))


def test_true_trailer_is_cut_off() -> None:
    """As Samba 4.17 sends them, with header signing and without."""
    commands = [(1, struct.pack("<I", 1)), (2, pcontext())]
    _, (call,) = outcome(trailer_of(*commands))
    assert call.stub == SET_CONTEXT
    commands[0] = (1, bytes(4))
    commands.append((3, header2()))
    _, (call,) = outcome(trailer_of(*commands), header_signing=False)
    assert call.stub == SET_CONTEXT


def test_every_request_has_its_own() -> None:
    """A trailer that was right for one request may be wrong for the next."""
    of_the_first = trailer_of((2, pcontext()), (3, header2()))
    peer, (call,) = outcome(of_the_first)
    peer.association.respond(call, StatusResponse(0))
    peer.opened(peer.only())
    assert peer.send(peer.request(SET_CONTEXT + of_the_first, call_id=2)) == []
    assert peer.fault() == Fault.ACCESS_DENIED


def test_what_holds_for_all_is_cut_off_from_each() -> None:
    trailer = trailer_of((1, struct.pack("<I", 1)), (2, pcontext()))
    peer = client()
    for number, data in enumerate((b"", b"1234", trailer, b"")):
        (call,) = peer.send(peer.request(SET_CONTEXT + data + trailer, call_id=number))
        assert call.stub == SET_CONTEXT + data
        peer.association.respond(call, StatusResponse(0))
        peer.opened(peer.only())


def test_it_is_not_true_of_another_context() -> None:
    peer = client()
    other = [Context(1, pdu.INTERFACE, [pdu.NDR64])]
    peer.send(pdu.bind(other, kind=pdu.ALTER_CONTEXT, flags=peer.flags, call_id=9))
    assert peer.only().kind == pdu.ALTER_CONTEXT_RESPONSE
    trailer = trailer_of((2, pcontext()))
    (call,) = peer.send(peer.request(SET_CONTEXT + trailer))
    peer.association.respond(call, StatusResponse(0))
    peer.opened(peer.only())
    assert peer.send(peer.request(SET_CONTEXT + trailer, context_id=1, call_id=2)) == []
    assert peer.fault() == Fault.ACCESS_DENIED


def test_of_a_big_endian_client() -> None:
    peer = client()
    stub = b"\0\0\0\x19" + trailer_of((3, header2(order=0)))
    padding = -len(stub) % 16
    verifier = struct.pack(">BBBBI", peer.auth_type, peer.level, padding, 0, peer.context_id)
    whole = pdu.request(1, stub + bytes(padding), big_endian=True, verifier=verifier + bytes(16))
    token = peer.initiator.mic(whole[:-16])
    (call,) = peer.send(whole[:-16] + token)
    assert call.stub == b"\0\0\0\x19"


@pytest.mark.parametrize(
    "lie",
    [
        (1, struct.pack("<I", 1)),
        (2, b"other interface" + bytes(25)),
        (2, bytes(8)),
        (3, struct.pack("<BxxxBxxxIHH", 0, 0x10, 1, 0, 2)),
        (3, struct.pack("<BxxxBxxxIHH", 0, 0x10, 1, 1, 1)),
        (3, struct.pack("<BxxxBxxxIHH", 0, 0x10, 2, 0, 1)),
        (3, struct.pack("<BxxxBxxxIHH", 0, 0x00, 1, 0, 1)),
        (3, struct.pack("<BxxxBxxxIHH", 2, 0x10, 1, 0, 1)),
        (0x8000 | 9, b""),
    ],
)
def test_lie_ends_the_association(lie: tuple[int, bytes]) -> None:
    peer, calls = outcome(trailer_of(lie), header_signing=False)
    assert calls == []
    assert peer.fault() == Fault.ACCESS_DENIED
    assert peer.association.closed


def test_other_transfer_syntax_is_a_lie() -> None:
    peer, calls = outcome(trailer_of((2, pcontext(pdu.NDR64))))
    assert calls == []
    assert peer.fault() == Fault.ACCESS_DENIED


def test_unknown_command_may_be_skipped() -> None:
    _, (call,) = outcome(trailer_of((9, b"1234"), (2, pcontext())))
    assert call.stub == SET_CONTEXT


@pytest.mark.parametrize(
    "trailer",
    [SIGNATURE, SIGNATURE + b"\1\0\4\0", SIGNATURE + b"\1\0\3\0abc", SIGNATURE + b"\1\0\0\x80"],
)
def test_trailer_that_is_cut_short(trailer: bytes) -> None:
    peer, calls = outcome(trailer + b"\0" * (-len(trailer) % 4))
    assert calls == []
    assert peer.fault() == Fault.ACCESS_DENIED


def test_signature_at_an_odd_place_is_data() -> None:
    _, (call,) = outcome(b"ab" + SIGNATURE)
    assert call.stub == SET_CONTEXT + b"ab" + SIGNATURE
