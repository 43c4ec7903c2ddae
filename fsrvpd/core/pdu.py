"""PDUs of connection-oriented DCE/RPC, the server's side: parse a client's, write ours.

One C call a PDU, into buffers of this module: one thread at a time, as in `ndr`.

Spec: C706 12.6, MS-RPCE 2.2.2.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple, Optional, Sequence

from fsrvpd.core._native import ffi, lib
from fsrvpd.core.ndr import STUB, Malformed, reason, written

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
    """Plain numbers: an IntFlag makes a new object of every `&`, which costs 1 us."""

    FIRST_FRAGMENT: int = lib.FSRVP_FIRST_FRAGMENT
    LAST_FRAGMENT: int = lib.FSRVP_LAST_FRAGMENT
    SUPPORT_HEADER_SIGNING: int = lib.FSRVP_SUPPORT_HEADER_SIGNING  # in bind and alter_context
    CONCURRENT_MULTIPLEXING: int = lib.FSRVP_CONCURRENT_MULTIPLEXING
    DID_NOT_EXECUTE: int = lib.FSRVP_DID_NOT_EXECUTE


class Pdu(NamedTuple):
    """Fields that its type does not have are 0. Places and sizes are bytes in the PDU."""

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
    body: int  # of a request: its part of the stub
    body_size: int
    auth_type: int
    auth_level: int
    auth_padding: int
    auth_context_id: int
    token: int
    token_size: int  # 0: no verifier


class Verifier(NamedTuple):
    """What stands before a token. Spec: MS-RPCE 2.2.2.11, sec_trailer."""

    auth_type: int
    auth_level: int
    padding: int  # bytes at the end of the body that belong to nobody
    context_id: int


VERIFIER_SIZE = 8
VERIFIER_ALIGNMENT = 16  # of the verifier in a response, counted from the end of its header


class BadPdu(Malformed):
    """A PDU that no further bytes can mend. `pdu` holds its type, flags and call id."""

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
    """The answer to an offer: C706 12.6.3.1, p_result_t."""

    result: int
    reason: int
    syntax: bytes = bytes(20)


_pdu = ffi.new("fsrvp_pdu *")
_pdu_view = ffi.buffer(_pdu)
_new_pdu = tuple.__new__  # what Pdu._make calls, and checks
_fields = Struct(f"{len(Pdu._fields)}I").unpack_from
# Of a request: big_endian, call_id, context_id, opnum; body and body_size.
_request_fields = Struct("8xI4xIII16xII").unpack_from
_sizes = Struct("<HH").pack
_verifier = Struct("<BBBBI").pack
_out_size = lib.FSRVP_FRAGMENT_MAX
_out = ffi.new("uint8_t[]", _out_size)
_out_view = ffi.buffer(_out)
_write_response = lib.fsrvp_write_response


def parse(data: bytes) -> Optional[Pdu]:
    """The PDU at the start of `data`, None when there is more of it to come.

    Raises: BadPdu.
    """
    error = lib.fsrvp_pdu_parse(data, len(data), _pdu)
    if error == lib.FSRVP_TRUNCATED:
        return None
    pdu = _new_pdu(Pdu, _fields(_pdu_view))
    if error < 0:
        raise BadPdu(pdu, error)
    return pdu


def whole_request(data: bytes) -> Optional[tuple[int, int, int, int, bytes]]:
    """Byte order, call id, context id, opnum and stub, where the bytes are a request in one
    fragment without a verifier, and nothing else; None for whatever else they are."""
    if not lib.fsrvp_pdu_is_whole_request(data, len(data), _pdu):
        return None
    big_endian, call_id, context_id, opnum, body, size = _request_fields(_pdu_view)
    return big_endian, call_id, context_id, opnum, data[body : body + size]


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
    """BIND_ACK or ALTER_CONTEXT_RESPONSE; the address ends with its NUL or is empty.
    `flags` are those beyond first and last fragment."""
    return _written(
        lib.fsrvp_write_bind_ack(
            kind,
            flags | Flag.FIRST_FRAGMENT | Flag.LAST_FRAGMENT,
            call_id,
            max_fragment,
            group,
            address,
            len(address),
            ffi.new("fsrvp_result[]", [tuple(result) for result in results]),
            len(results),
            _out,
            _out_size,
        )
    )


def bind_nak(call_id: int, why: int) -> bytes:
    return _written(lib.fsrvp_write_bind_nak(call_id, why, _out, _out_size))


def fault(call_id: int, context_id: int, status: int, *, executed: bool) -> bytes:
    flags = Flag.FIRST_FRAGMENT | Flag.LAST_FRAGMENT
    if not executed:
        flags |= Flag.DID_NOT_EXECUTE
    return _written(lib.fsrvp_write_fault(flags, call_id, context_id, status, _out, _out_size))


def responses(call_id: int, context_id: int, size: int, max_fragment: int) -> list[bytes]:
    """The fragments in which the stub of this size in `ndr.STUB` reaches a client that
    receives so many bytes at once."""
    if size <= max_fragment - RESPONSE_HEADER_SIZE:
        whole = _write_response(3, call_id, context_id, size, STUB, size, _out, _out_size)
        return [_written(whole)]
    room = (max_fragment - RESPONSE_HEADER_SIZE) & ~7
    stub, fragments = written(size), []
    for start in range(0, len(stub), room):
        flags = 1 if start == 0 else 2 if start + room >= len(stub) else 0
        part = stub[start : start + room]
        fragments.append(_response(flags, call_id, context_id, len(stub) - start, part))
    return fragments


def with_verifier(data: bytes, verifier: Verifier, token_size: int) -> bytes:
    """A PDU of ours that a token of this size is to follow."""
    size = len(data) + VERIFIER_SIZE + token_size
    return b"".join(
        (data[:8], _sizes(size, token_size), data[12:], _verifier(*verifier[:3], 0, verifier[3]))
    )


def _response(flags: int, call_id: int, context_id: int, hint: int, part: bytes) -> bytes:
    return _written(
        _write_response(flags, call_id, context_id, hint, part, len(part), _out, _out_size)
    )


def _written(size: int) -> bytes:
    if size < 0:
        raise ValueError(f"cannot be sent: {reason(size)}")
    data: bytes = _out_view[0:size]
    return data
