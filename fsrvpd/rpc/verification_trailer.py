"""Verification trailers: a client repeats the parts of its PDUs that no signature covers.

They follow the stub, so that they are signed with it. Spec: MS-RPCE 2.2.2.13.
"""

from __future__ import annotations

import struct
from typing import Iterator, NamedTuple

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
    """The request differs from what the client says that it sent."""


class ActualHeader(NamedTuple):
    """What the request and its association are. Syntaxes are UUID and version: 20 bytes."""

    header_signing: bool
    abstract_syntax: bytes
    transfer_syntax: bytes
    kind: int
    big_endian: bool
    call_id: int
    context_id: int
    opnum: int


def without_trailer(stub: bytes, actual: ActualHeader) -> bytes:
    """Check the trailer, if there is one. Returns the stub before it. Raises: Mismatch."""
    place = _find(stub)
    if place < 0:
        return stub
    for kind, must_process, content in _commands(stub[place + len(SIGNATURE) :]):
        if kind in _SIZES:
            _check(kind, content, actual)
        elif must_process:
            raise Mismatch(f"unknown command {kind} in the verification trailer")
    return stub[:place]


def trailer(stub_size: int, actual: ActualHeader) -> bytes:
    """What a client that signs headers adds to its first request, whose stub is of this size."""
    syntaxes = actual.abstract_syntax + actual.transfer_syntax
    return b"".join(
        (
            bytes(-stub_size % _ALIGNMENT),
            SIGNATURE,
            _COMMAND.pack(_BITMASK_1, _BITMASK.size),
            _BITMASK.pack(_CLIENT_SUPPORT_HEADER_SIGNING),
            _COMMAND.pack(_PCONTEXT | _END, len(syntaxes)),
            syntaxes,
        )
    )


def _find(stub: bytes) -> int:
    """The offset of the last signature that is aligned as a trailer is, -1 for none."""
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


def _check(kind: int, content: bytes, actual: ActualHeader) -> None:
    if len(content) != _SIZES[kind]:
        raise Mismatch(f"command {kind} of {len(content)} bytes in the verification trailer")
    if kind == _BITMASK_1:
        (bits,) = _BITMASK.unpack(content)
        if bits & _CLIENT_SUPPORT_HEADER_SIGNING and not actual.header_signing:
            raise Mismatch("header signing was removed from the client's bind")
    elif kind == _PCONTEXT:
        if content != actual.abstract_syntax + actual.transfer_syntax:
            raise Mismatch("the client sent it for another interface or transfer syntax")
    elif _HEADER2.unpack(content) != _header2(actual):
        raise Mismatch("the client sent another header")


def _header2(actual: ActualHeader) -> tuple[int, ...]:
    order = 0x00 if actual.big_endian else 0x10
    return (actual.kind, order, actual.call_id, actual.context_id, actual.opnum)
