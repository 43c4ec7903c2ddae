"""Recorded exchanges with bytes changed, removed, repeated and cut in other places."""

from __future__ import annotations

import json
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from fsrvpd.core import messages, ndr
from fsrvpd.core.ndr import Malformed
from fsrvpd.rpc.association import MAX_OUTSTANDING, Association
from fsrvpd.rpc.faults import Fault
from tests import paths
from tests.oracle import pdu

VECTORS = paths.VECTORS / "rpc"
STREAMS = [
    [bytes.fromhex(line[7:]) for line in association["pdus"] if line.startswith("client ")][:12]
    for path in sorted(VECTORS.glob("*.json"))
    for association in json.loads(path.read_text())["associations"]
]

EXAMPLES = int(os.environ.get("FSRVPD_FUZZ_EXAMPLES", "300"))


@st.composite
def hostile_streams(draw: st.DrawFn) -> bytes:
    """A client's bytes, damaged in a few places."""
    stream = bytearray(b"".join(draw(st.sampled_from(STREAMS))))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(stream)))
        removed = draw(st.sampled_from([0, 1, 1, 1, 2, 4, 16]))
        put = draw(st.binary(max_size=8) | st.just(bytes(stream[place : place + 40])))
        stream[place : place + removed] = put
    return bytes(stream)


def serve(association: Association, data: bytes, answering: bool) -> None:
    for call in association.receive(data):
        try:
            ndr.decode_request(call.opnum, call.stub, call.syntax, call.big_endian)
        except Malformed:
            association.fault(call, Fault.BAD_STUB_DATA)
            continue
        if answering:
            association.respond(call, messages.refusal(call.opnum, 0x80070005))


@settings(max_examples=EXAMPLES)
@given(hostile_streams(), st.integers(1, 400), st.booleans())
def test_whatever_comes_is_answered_in_form(stream: bytes, size: int, answering: bool) -> None:
    association = Association(1)
    for start in range(0, len(stream), size):
        serve(association, stream[start : start + size], answering)
    for data in association.outgoing():
        header = pdu.read(data)
        assert header.kind in (
            pdu.BIND_ACK,
            pdu.BIND_NAK,
            pdu.ALTER_CONTEXT_RESPONSE,
            pdu.RESPONSE,
            pdu.FAULT,
        )
    assert association.closed == bool(association.close_reason)


@given(st.permutations([data for stream in STREAMS[-6:] for data in stream]))
def test_pdus_in_any_order(pdus: list[bytes]) -> None:
    association = Association(1)
    calls = [call for data in pdus for call in association.receive(data)]
    assert len(calls) <= MAX_OUTSTANDING or association.closed


@given(st.binary(max_size=300))
def test_noise(data: bytes) -> None:
    association = Association(1)
    serve(association, data, True)
    assert len(association.outgoing()) <= 1
