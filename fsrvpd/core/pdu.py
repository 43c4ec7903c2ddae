"""PDUs of connection-oriented DCE/RPC: parses those of clients, writes those of the server.

One C call for each PDU. No state is kept: any number of threads may call.

Spec: C706 12.6, MS-RPCE 2.2.2.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple, Optional, Sequence

from fsrvpd.core.error_codes import reason, written
from fsrvpd.core.native import allocate, ffi, lib
from fsrvpd.core.ndr import Malformed

HEADER_SIZE = 16
RESPONSE_HEADER_SIZE = 24
MAX_FRAGMENT: int = lib.FSRVP_FRAGMENT_MAX


class PduType(IntEnum):
    REQUEST = lib.FSRVP_REQUEST
    RESPONSE = lib.FSRVP_RESPONSE
    FAULT = lib.FSRVP_FAULT
    BIND = lib.FSRVP_BIND
    BIND_ACK = lib.FSRVP_BIND_ACK
    BIND_NAK = lib.FSRVP_BIND_NAK
    ALTER_CONTEXT = lib.FSRVP_ALTER_CONTEXT
    ALTER_CONTEXT_RESPONSE = lib.FSRVP_ALTER_CONTEXT_RESPONSE
    AUTH3 = lib.FSRVP_AUTH3
    SHUTDOWN = lib.FSRVP_SHUTDOWN
    CO_CANCEL = lib.FSRVP_CO_CANCEL
    ORPHANED = lib.FSRVP_ORPHANED


class Flag:
    """Plain numbers: each `&` of an IntFlag makes a new object, which takes 1 us."""

    FIRST_FRAGMENT: int = lib.FSRVP_FIRST_FRAGMENT
    LAST_FRAGMENT: int = lib.FSRVP_LAST_FRAGMENT
    SUPPORT_HEADER_SIGNING: int = lib.FSRVP_SUPPORT_HEADER_SIGNING  # in bind and alter_context
    CONCURRENT_MULTIPLEXING: int = lib.FSRVP_CONCURRENT_MULTIPLEXING
    DID_NOT_EXECUTE: int = lib.FSRVP_DID_NOT_EXECUTE


class Pdu(NamedTuple):
    """Fields that its type does not have are 0. Offsets and sizes are in bytes."""

    type: int
    flags: int
    big_endian: int
    fragment_size: int
    call_id: int
    context_id: int
    opnum: int
    alloc_hint: int
    max_transmit: int
    max_receive: int
    group: int
    body: int  # offset; of a request: where its part of the stub begins
    body_size: int
    auth_type: int
    auth_level: int
    auth_padding: int
    auth_context_id: int
    token: int  # offset
    token_size: int  # 0: no verifier


class Verifier(NamedTuple):
    """The fields before a token. Spec: MS-RPCE 2.2.2.11, sec_trailer."""

    auth_type: int
    auth_level: int
    padding: int  # bytes at the end of the body that are not part of the stub
    context_id: int


VERIFIER_SIZE = 8
VERIFIER_ALIGNMENT = 16  # of the verifier in a response, counted from the end of its header


class BadPdu(Malformed):
    """A PDU that more bytes cannot complete. `pdu` has its type, flags and call id."""

    def __init__(self, pdu: Pdu, error: int) -> None:
        super().__init__(f"malformed PDU of type {pdu.type}: {reason(error)}")
        self.pdu = pdu
        self.wrong_version: bool = error == lib.FSRVP_PDU_VERSION
        self.too_many: bool = error == lib.FSRVP_PDU_TOO_MANY


class Offer(NamedTuple):
    """A presentation context in a bind. A syntax is UUID and version: 20 bytes."""

    context_id: int
    abstract_syntax: bytes
    transfer_syntaxes: Sequence[bytes]


class Result(NamedTuple):
    """The result for an offer: C706 12.6.3.1, p_result_t."""

    result: int
    reason: int
    syntax: bytes = bytes(20)


_PDU, _OUT = ffi.typeof("fsrvp_pdu *"), ffi.typeof("uint8_t[]")
_fields = Struct(f"{len(Pdu._fields)}I").unpack_from  # of fsrvp_pdu: the C core asserts it
_WHOLE = Flag.FIRST_FRAGMENT | Flag.LAST_FRAGMENT
_sizes = Struct("<HH").pack
_verifier = Struct("<BBBBI").pack


def parse(data: bytes) -> Optional[Pdu]:
    """The PDU at the start of `data`; None when it is not complete yet.

    Raises: BadPdu.
    """
    parsed = allocate(_PDU)
    error = lib.fsrvp_pdu_parse(data, len(data), parsed)
    if error == lib.FSRVP_TRUNCATED:
        return None
    pdu = Pdu._make(_fields(ffi.buffer(parsed)))
    if error < 0:
        raise BadPdu(pdu, error)
    return pdu


def offers(data: bytes, pdu: Pdu) -> list[Offer]:
    """The presentation contexts of a bind or alter_context. Raises: BadPdu."""
    parsed = ffi.new("fsrvp_pdu *", pdu._asdict())
    found = ffi.new("fsrvp_offer[]", lib.FSRVP_OFFERS_MAX)
    count = lib.fsrvp_pdu_offers(data, len(data), parsed, found)
    if count < 0:
        raise BadPdu(pdu, count)
    return [
        Offer(
            offer.context_id,
            bytes(offer.abstract_syntax),
            [bytes(syntax) for syntax in offer.transfer_syntaxes[0 : offer.count]],
        )
        for offer in found[0:count]
    ]


def bind_ack(
    kind: PduType,
    call_id: int,
    results: Sequence[Result],
    *,
    group: int,
    max_fragment: int,
    address: bytes,
    flags: int = 0,
) -> bytes:
    """BIND_ACK or ALTER_CONTEXT_RESPONSE. The address ends with its NUL or is empty; `flags`
    are set beside those of first and last fragment. Raises: ValueError."""
    out = allocate(_OUT, MAX_FRAGMENT)
    size = lib.fsrvp_write_bind_ack(
        kind,
        flags | _WHOLE,
        call_id,
        max_fragment,
        group,
        address,
        len(address),
        ffi.new("fsrvp_result[]", [tuple(result) for result in results]),
        len(results),
        out,
        MAX_FRAGMENT,
    )
    return written(out, size)


def bind_nak(call_id: int, why: int) -> bytes:
    out = allocate(_OUT, MAX_FRAGMENT)
    return written(out, lib.fsrvp_write_bind_nak(call_id, why, out, MAX_FRAGMENT))


def fault(call_id: int, context_id: int, status: int, *, executed: bool) -> bytes:
    flags = _WHOLE if executed else _WHOLE | Flag.DID_NOT_EXECUTE
    out = allocate(_OUT, MAX_FRAGMENT)
    size = lib.fsrvp_write_fault(flags, call_id, context_id, status, out, MAX_FRAGMENT)
    return written(out, size)


def responses(call_id: int, context_id: int, stub: bytes, max_fragment: int) -> list[bytes]:
    """The fragments of a response, each of `max_fragment` bytes at most."""
    room = max_fragment - RESPONSE_HEADER_SIZE
    if len(stub) <= room:
        return [_response(_WHOLE, call_id, context_id, len(stub), stub)]
    room &= ~7  # a multiple of 8 in every fragment but the last
    fragments = []
    for start in range(0, len(stub), room):
        part, left = stub[start : start + room], len(stub) - start
        flags = Flag.FIRST_FRAGMENT if start == 0 else 0
        flags |= Flag.LAST_FRAGMENT if left <= room else 0
        fragments.append(_response(flags, call_id, context_id, left, part))
    return fragments


def with_verifier(data: bytes, verifier: Verifier, token_size: int) -> bytes:
    """A PDU of the server with a verifier, for a token of this size that will follow."""
    size = len(data) + VERIFIER_SIZE + token_size
    return b"".join(
        (data[:8], _sizes(size, token_size), data[12:], _verifier(*verifier[:3], 0, verifier[3]))
    )


def _response(flags: int, call_id: int, context_id: int, hint: int, part: bytes) -> bytes:
    room = RESPONSE_HEADER_SIZE + len(part)
    out = allocate(_OUT, room)
    size = lib.fsrvp_write_response(flags, call_id, context_id, hint, part, len(part), out, room)
    return written(out, size)
