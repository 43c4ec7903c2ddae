"""The PDUs that a client writes, and what it reads in those of a server.

`core.pdu` parses the header and the verifier of every PDU; what is left for a client are a few
fixed fields in a dozen PDUs for each shadow copy set, so plain Python reads and writes them.

Spec: C706 12.6, MS-RPCE 2.2.2.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from fsrvpd.core import pdu
from fsrvpd.core.pdu import Flag, Offer, Pdu, PduType, Result
from fsrvpd.rpc.faults import ProtocolError

MAX_RESULTS = 8  # a client that offers one context gets one
SYNTAX_SIZE = 20

_WHOLE = Flag.FIRST_FRAGMENT | Flag.LAST_FRAGMENT
_HEADER = struct.Struct("<BBBB4sHHI")
_LABEL = bytes((0x10, 0, 0, 0))  # little-endian, ASCII, IEEE
_BIND = struct.Struct("<HHIBxxx")
_OFFER = struct.Struct("<HBx")
_REQUEST = struct.Struct("<IHH")


class BindAck(NamedTuple):
    """bind_ack, or alter_context_response."""

    max_receive: int
    group: int
    results: list[Result]


def bind(kind: PduType, call_id: int, offer: Offer, max_fragment: int, group: int) -> bytes:
    """A bind or alter_context with one presentation context, which asks for header signing."""
    body = _BIND.pack(max_fragment, max_fragment, group, 1)
    body += _OFFER.pack(offer.context_id, len(offer.transfer_syntaxes))
    body += b"".join((offer.abstract_syntax, *offer.transfer_syntaxes))
    return _pdu(kind, _WHOLE | Flag.SUPPORT_HEADER_SIGNING, call_id, body)


def auth3(call_id: int) -> bytes:
    """The 4 bytes are padding. Spec: MS-RPCE 2.2.2.5."""
    return _pdu(PduType.AUTH3, _WHOLE, call_id, bytes(4))


def requests(
    call_id: int, context_id: int, opnum: int, stub: bytes, max_fragment: int
) -> list[bytes]:
    """The fragments of a request, each of `max_fragment` bytes at most."""
    room = (max_fragment - pdu.RESPONSE_HEADER_SIZE) & ~7  # a multiple of 8 in all but the last
    fragments = []
    for start in range(0, max(len(stub), 1), room):
        flags = Flag.FIRST_FRAGMENT if start == 0 else 0
        flags |= Flag.LAST_FRAGMENT if len(stub) - start <= room else 0
        head = _REQUEST.pack(len(stub) - start, context_id, opnum)
        part = stub[start : start + room]
        fragments.append(_pdu(PduType.REQUEST, flags, call_id, head + part))
    return fragments


def read_ack(parsed: Pdu, data: bytes) -> BindAck:
    """Raises: ProtocolError."""
    order = _order(parsed)
    end = parsed.body + parsed.body_size
    try:
        _, receive, group, size = struct.unpack_from(f"{order}HHIH", data[:end], parsed.body)
        place = parsed.body + 10 + size
        place += -place % 4
        count = data[:end][place]
    except (struct.error, IndexError):
        raise ProtocolError("a bind_ack that is cut short") from None
    if count > MAX_RESULTS or place + 4 + count * (4 + SYNTAX_SIZE) > end:
        raise ProtocolError("a bind_ack with more results than it has room for")
    results = []
    for number in range(count):
        at = place + 4 + number * (4 + SYNTAX_SIZE)
        result, reason = struct.unpack_from(f"{order}HH", data, at)
        results.append(Result(result, reason, _syntax(data[at + 4 : at + 4 + SYNTAX_SIZE], order)))
    return BindAck(receive, group, results)


def read_nak(parsed: Pdu, data: bytes) -> int:
    """The reason. Raises: ProtocolError."""
    return _number(parsed, data, "H", 0)


def inside(parsed: Pdu, data: bytes) -> Pdu:
    """A response or fault as what its header is followed by: `body` is where its part of the stub
    begins, or the status of a fault, which seals it as it would a stub.

    Raises: ProtocolError.
    """
    hint, context_id = _number(parsed, data, "I", 0), _number(parsed, data, "H", 4)
    size = pdu.RESPONSE_HEADER_SIZE - pdu.HEADER_SIZE
    if parsed.body_size < size:
        raise ProtocolError(f"a PDU of type {parsed.type} that is cut short")
    return parsed._replace(
        alloc_hint=hint,
        context_id=context_id,
        body=parsed.body + size,
        body_size=parsed.body_size - size,
    )


def read_fault(parsed: Pdu, data: bytes) -> int:
    """The status. Raises: ProtocolError."""
    return _number(parsed, data, "I", 8)


def status_in(part: bytes, parsed: Pdu) -> int:
    """The status of a fault that was sealed. Raises: ProtocolError."""
    return _number(parsed._replace(body=0, body_size=len(part)), part, "I", 0)


def _number(parsed: Pdu, data: bytes, form: str, place: int) -> int:
    end = parsed.body + parsed.body_size
    try:
        (number,) = struct.unpack_from(_order(parsed) + form, data[:end], parsed.body + place)
    except struct.error:
        raise ProtocolError(f"a PDU of type {parsed.type} that is cut short") from None
    return int(number)


def _syntax(data: bytes, order: str) -> bytes:
    """In little-endian form, as `presentation` has them."""
    if order == "<":
        return data
    first, second, third, rest, version = struct.unpack(">IHH8sI", data)
    return struct.pack("<IHH8sI", first, second, third, rest, version)


def _order(parsed: Pdu) -> str:
    return ">" if parsed.big_endian else "<"


def _pdu(kind: PduType, flags: int, call_id: int, body: bytes) -> bytes:
    size = pdu.HEADER_SIZE + len(body)
    return _HEADER.pack(5, 0, kind, flags, _LABEL, size, 0, call_id) + body
