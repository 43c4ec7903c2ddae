"""The C core compared with impacket's NDR: the same messages, called from Python."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from benchmarks import impacket_messages
from benchmarks.timing import best
from fsrvpd.core import ndr
from fsrvpd.core.messages import AddToShadowCopySet, Opnum, ShareMapping1, ShareMappingResponse
from fsrvpd.core.ndr import Syntax

NUMBER = 100
ONE, OTHER = uuid.UUID(int=1).bytes_le, uuid.UUID(int=2**127 - 1).bytes_le
REQUEST = AddToShadowCopySet(ONE, OTHER, "\\\\NAS\\projects\\")
MAPPING = ShareMapping1(
    ONE,
    OTHER,
    "\\\\NAS\\projects\\",
    "projects@{8A2E1C5B-3C1F-4D7E-9C35-0D7B6B9F5A11}",
    133_000_000_000_000_000,
)


class Row(NamedTuple):
    message: str
    ours: float  # s
    impacket: float  # s


def measure() -> list[Row]:
    return [decoding(), encoding()]


def decoding() -> Row:
    opnum = Opnum.AddToShadowCopySet
    stub = ndr.encode_request(REQUEST, Syntax.NDR)
    assert ndr.decode_request(opnum, stub, Syntax.NDR) == impacket_messages.unpack(stub) == REQUEST
    return Row(
        "AddToShadowCopySet request decoded",
        best(lambda: ndr.decode_request(opnum, stub, Syntax.NDR), NUMBER),
        best(lambda: impacket_messages.unpack(stub), NUMBER),
    )


def encoding() -> Row:
    opnum = Opnum.GetShareMapping
    response = ShareMappingResponse(0, 1, MAPPING)
    assert ndr.decode_response(opnum, impacket_messages.pack(MAPPING), Syntax.NDR) == response
    return Row(
        "GetShareMapping response encoded",
        best(lambda: ndr.encode_response(opnum, response, Syntax.NDR), NUMBER),
        best(lambda: impacket_messages.pack(MAPPING), NUMBER),
    )
