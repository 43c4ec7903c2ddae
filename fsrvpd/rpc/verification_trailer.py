"""Verification trailers: what a client says of its own PDU where no signature covers that.

They stand behind the stub, so that they are signed with it. Spec: MS-RPCE 2.2.2.13.
"""

from __future__ import annotations

import struct
from typing import Callable, Iterator, NamedTuple

SIGNATURE = bytes.fromhex("8ae3137102f43671")

_ALIGNMENT = 4
_COMMAND = struct.Struct("<HH")
_BITMASK = struct.Struct("<I")
_HEADER2 = struct.Struct("<BxxxBxxxIHH")
_BITMASK_1, _PCONTEXT, _HEADER_2 = 1, 2, 3
_KIND, _END, _MUST_PROCESS = 0x3FFF, 0x4000, 0x8000
_CLIENT_SUPPORT_HEADER_SIGNING = 1
_SIZES = {_BITMASK_1: _BITMASK.size, _PCONTEXT: 40, _HEADER_2: _HEADER2.size}


class Mismatch(Exception):
    """The PDU is not the one that the client says it sent."""


class Sent(NamedTuple):
    """What the PDU and the association say. Syntaxes are UUID and version: 20 bytes."""

    header_signing: bool
    abstract_syntax: bytes
    transfer_syntax: bytes
    kind: int
    big_endian: bool
    call_id: int
    context_id: int
    opnum: int


class Trailers:
    """Those of one association.

    Clients end every request with the same bytes. What has been found true and says
    nothing of a single PDU is remembered: the same bytes at the same end are true again.
    """

    def __init__(self) -> None:
        self._true: dict[bytes, bytes] = {}  # by transfer syntax

    def without(self, stub: bytes, transfer_syntax: bytes, sent: Callable[[], Sent]) -> bytes:
        """The stub alone, its trailer, if there is one, found true. Raises: Mismatch."""
        known = self._true.get(transfer_syntax)
        if known is not None and stub.endswith(known):
            place = len(stub) - len(known)
            if not place % _ALIGNMENT:
                return stub[:place]
        place = _find(stub)
        if place < 0:
            return stub
        if not _is_of_one_pdu(stub[place + len(SIGNATURE) :], sent()):
            self._true[transfer_syntax] = stub[place:]
        return stub[:place]


def _is_of_one_pdu(commands: bytes, sent: Sent) -> bool:
    """Whether a trailer, which is found true, tells of anything but the association."""
    found = False
    for kind, must_process, content in _commands(commands):
        if kind in _SIZES:
            _check(kind, content, sent)
        elif must_process:
            raise Mismatch(f"unknown command {kind} in the verification trailer")
        found = found or kind == _HEADER_2
    return found


def _find(stub: bytes) -> int:
    """The last signature at a place where one may stand."""
    place = stub.rfind(SIGNATURE)
    while place >= 0 and place % _ALIGNMENT:
        place = stub.rfind(SIGNATURE, 0, place + len(SIGNATURE) - 1)
    return place


def _commands(data: bytes) -> Iterator[tuple[int, bool, bytes]]:
    offset = 0
    while offset + _COMMAND.size <= len(data):
        command, size = _COMMAND.unpack_from(data, offset)
        offset += _COMMAND.size
        if size % _ALIGNMENT or offset + size > len(data):
            break
        yield command & _KIND, bool(command & _MUST_PROCESS), data[offset : offset + size]
        offset += size
        if command & _END:
            return
    raise Mismatch("the verification trailer is cut short")


def _check(kind: int, content: bytes, sent: Sent) -> None:
    if len(content) != _SIZES[kind]:
        raise Mismatch(f"command {kind} of {len(content)} bytes in the verification trailer")
    if kind == _BITMASK_1:
        (bits,) = _BITMASK.unpack(content)
        if bits & _CLIENT_SUPPORT_HEADER_SIGNING and not sent.header_signing:
            raise Mismatch("somebody took header signing out of the client's bind")
    elif kind == _PCONTEXT:
        if content != sent.abstract_syntax + sent.transfer_syntax:
            raise Mismatch("the client means another interface or transfer syntax")
    elif _HEADER2.unpack(content) != _header2(sent):
        raise Mismatch("the client sent another header")


def _header2(sent: Sent) -> tuple[int, ...]:
    order = 0x00 if sent.big_endian else 0x10
    return (sent.kind, order, sent.call_id, sent.context_id, sent.opnum)
