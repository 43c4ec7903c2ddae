"""The client's side of DCE/RPC in plain Python, to test associations.

It is independent of the C core. Spec: C706 12.6.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Sequence
from uuid import UUID

REQUEST, RESPONSE, FAULT, BIND, BIND_ACK, BIND_NAK = 0, 2, 3, 11, 12, 13
ALTER_CONTEXT, ALTER_CONTEXT_RESPONSE, AUTH3 = 14, 15, 16
SHUTDOWN, CO_CANCEL, ORPHANED = 17, 18, 19
FIRST, LAST, CONCURRENT, DID_NOT_EXECUTE, OBJECT = 1, 2, 16, 32, 128
HEADER_SIGNING = 4  # in bind and alter_context, and their answers

Syntax = tuple[UUID, int]
INTERFACE: Syntax = (UUID("a8e0653c-2744-4389-a61d-7373df8b2292"), 1)
NDR: Syntax = (UUID("8a885d04-1ceb-11c9-9fe8-08002b104860"), 2)
NDR64: Syntax = (UUID("71710533-beba-4937-8319-b5dbef9ccc36"), 1)
FEATURES: Syntax = (UUID("6cb71c2c-9812-4540-0300-000000000000"), 1)
NOTHING: Syntax = (UUID(int=0), 0)


class Context(NamedTuple):
    context_id: int
    abstract: Syntax
    transfers: Sequence[Syntax]


def message(
    kind: int,
    body: bytes,
    *,
    flags: int = FIRST | LAST,
    call_id: int = 1,
    big_endian: bool = False,
    verifier: bytes = b"",
) -> bytes:
    """A PDU; the verifier is the 8 bytes before the token, and the token."""
    label, order = (b"\0\0\0\0", ">") if big_endian else (b"\x10\0\0\0", "<")
    data = body + verifier
    sizes = struct.pack(f"{order}HHI", 16 + len(data), max(len(verifier) - 8, 0), call_id)
    return struct.pack("BBBB", 5, 0, kind, flags) + label + sizes + data


def bind(
    contexts: Sequence[Context],
    *,
    kind: int = BIND,
    max_fragment: int = 4280,
    group: int = 0,
    flags: int = FIRST | LAST,
    call_id: int = 1,
    big_endian: bool = False,
    verifier: bytes = b"",
) -> bytes:
    order = ">" if big_endian else "<"
    body = struct.pack(f"{order}HHIBxxx", max_fragment, max_fragment, group, len(contexts))
    for context in contexts:
        body += struct.pack(f"{order}HBx", context.context_id, len(context.transfers))
        for uuid, version in (context.abstract, *context.transfers):
            body += uuid.bytes if big_endian else uuid.bytes_le
            body += struct.pack(f"{order}I", version)
    return message(
        kind, body, flags=flags, call_id=call_id, big_endian=big_endian, verifier=verifier
    )


def request(
    opnum: int,
    stub: bytes,
    *,
    context_id: int = 0,
    call_id: int = 1,
    flags: int = FIRST | LAST,
    big_endian: bool = False,
    verifier: bytes = b"",
) -> bytes:
    order = ">" if big_endian else "<"
    body = struct.pack(f"{order}IHH", len(stub), context_id, opnum)
    if flags & OBJECT:
        body += bytes(range(16))
    return message(
        REQUEST,
        body + stub,
        flags=flags,
        call_id=call_id,
        big_endian=big_endian,
        verifier=verifier,
    )


class Header(NamedTuple):
    kind: int
    flags: int
    call_id: int
    body: bytes


def read(data: bytes) -> Header:
    """A PDU of the server, which must be whole, alone and without verifier."""
    major, minor, kind, flags = data[:4]
    size, token_size, call_id = struct.unpack_from("<HHI", data, 8)
    assert (major, minor, data[4:8], size, token_size) == (5, 0, b"\x10\0\0\0", len(data), 0)
    return Header(kind, flags, call_id, data[16:])


class BindAck(NamedTuple):
    max_transmit: int
    max_receive: int
    group: int
    address: bytes
    results: list[tuple[int, int, Syntax]]


def read_bind_ack(body: bytes) -> BindAck:
    transmit, receive, group, length = struct.unpack_from("<HHIH", body)
    address = body[10 : 10 + length]
    offset = -(-(10 + length) // 4) * 4
    results = []
    for place in range(body[offset]):
        at = offset + 4 + 24 * place
        result, reason = struct.unpack_from("<HH", body, at)
        (version,) = struct.unpack_from("<I", body, at + 20)
        results.append((result, reason, (UUID(bytes_le=body[at + 4 : at + 20]), version)))
    assert len(body) == offset + 4 + 24 * body[offset]
    return BindAck(transmit, receive, group, address, results)


class Answer(NamedTuple):
    """A response (status 0) or a fault (no stub)."""

    alloc_hint: int
    context_id: int
    stub: bytes
    status: int


def read_answer(header: Header) -> Answer:
    alloc_hint, context_id, cancels = struct.unpack_from("<IHH", header.body)
    assert cancels == 0
    if header.kind == RESPONSE:
        return Answer(alloc_hint, context_id, header.body[8:], 0)
    assert header.kind == FAULT
    status, reserved = struct.unpack("<II", header.body[8:])
    assert reserved == 0
    return Answer(alloc_hint, context_id, b"", status)
