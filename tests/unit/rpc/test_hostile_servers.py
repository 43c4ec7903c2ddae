"""Recorded answers of Samba's agent with bytes changed, removed, repeated and cut elsewhere."""

from __future__ import annotations

import json
import os
import struct
from contextlib import suppress
from typing import Optional

from hypothesis import given, settings
from hypothesis import strategies as st

from fsrvpd.core import messages, ndr
from fsrvpd.core.ndr import Malformed
from fsrvpd.rpc.association import Association, RpcRequest
from fsrvpd.rpc.client_association import SYNTAX, Answer, AssociationError, ClientAssociation
from fsrvpd.rpc.security.context import AuthLevel
from tests import paths
from tests.oracle import pdu
from tests.unit.rpc.test_client_association import Pair, pair, spnego

VECTORS = paths.VECTORS / "rpc"
EXAMPLES = int(os.environ.get("FSRVPD_FUZZ_EXAMPLES", "300"))
# Bind acknowledgements and responses, each with the opnum of its request.
EXCHANGES = [
    [bytes.fromhex(line.split()[1]) for line in association["pdus"]]
    for path in sorted(VECTORS.glob("*.json"))
    if "ndr64" not in path.stem
    for association in json.loads(path.read_text())["associations"]
]
ANSWERS = [
    (exchange[number][22 if exchange[number][4] else 23], exchange[number + 1])
    for exchange in EXCHANGES
    for number in range(2, len(exchange) - 1, 2)
]


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    stream = bytearray(data)
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.integers(0, len(stream)))
        removed = draw(st.sampled_from([0, 1, 1, 1, 2, 4, 16]))
        put = draw(st.binary(max_size=8) | st.just(bytes(stream[place : place + 40])))
        stream[place : place + removed] = put
    return bytes(stream)


def with_call_id(data: bytes, call_id: int) -> bytes:
    return data[:12] + struct.pack("<I" if data[4] else ">I", call_id) + data[16:]


def take(client: ClientAssociation, data: bytes, size: int) -> Optional[Answer]:
    """Feed it in pieces. One class of error may come, and ends everything."""
    answer = None
    for start in range(0, len(data), size):
        try:
            answer = client.receive(data[start : start + size]) or answer
        except AssociationError:
            assert client.closed
            return None
    return answer


@settings(max_examples=EXAMPLES)
@given(st.data(), st.integers(1, 200))
def test_damaged_acknowledgements(data: st.DataObject, size: int) -> None:
    ack = data.draw(damaged(with_call_id(data.draw(st.sampled_from(EXCHANGES))[1], 1)))
    client = ClientAssociation()
    client.bind()
    client.outgoing()
    assert take(client, ack, size) is None
    assert client.closed or client.bound or client.awaits_answer
    if client.bound:
        client.call(0, bytes(5000))
        assert all(len(fragment) <= 4280 for fragment in client.outgoing())


@settings(max_examples=EXAMPLES)
@given(st.data(), st.integers(1, 200))
def test_damaged_responses(data: st.DataObject, size: int) -> None:
    opnum, answer = data.draw(st.sampled_from(ANSWERS))
    client = bound()
    client.call(opnum, b"")
    client.outgoing()
    taken = take(client, data.draw(damaged(with_call_id(answer, 2))), size)
    if taken is not None and not taken.status:
        with suppress(Malformed):
            ndr.decode_response(opnum, taken.stub, SYNTAX, taken.big_endian)


@settings(max_examples=max(20, EXAMPLES // 10), deadline=None)
@given(st.data(), st.sampled_from([AuthLevel.PKT_INTEGRITY, AuthLevel.PKT_PRIVACY]))
def test_no_damaged_response_passes_for_a_signed_one(data: st.DataObject, level: AuthLevel) -> None:
    both = pair("spnego", level, answer_with_version)
    both.client.call(0, b"")
    both._serve(*both.client.outgoing())
    (response,) = both.server.outgoing()
    changed = data.draw(damaged(response))
    taken = take(both.client, changed, len(changed) or 1)
    if changed != response and taken is not None:
        assert taken.status != 0  # a fault is not signed


@settings(max_examples=max(20, EXAMPLES // 10), deadline=None)
@given(st.data())
def test_damaged_tokens_of_a_login(data: st.DataObject) -> None:
    client = ClientAssociation(spnego(AuthLevel.PKT_INTEGRITY))
    both = Pair(client)
    client.bind()
    while outgoing := client.outgoing():
        for message in outgoing:
            both._serve(message)
        for message in both.server.outgoing():
            take(client, data.draw(damaged(message)), 4096)
    assert client.closed or client.bound or client.awaits_answer


@given(st.binary(max_size=300))
def test_noise(data: bytes) -> None:
    client = bound()
    client.call(0, b"")
    take(client, data, 300)
    assert client.closed or client.awaits_answer


def answer_with_version(server: Association, request: RpcRequest) -> None:
    server.respond(request, messages.VersionResponse(0, 1, 1))


def bound() -> ClientAssociation:
    client = ClientAssociation()
    client.bind()
    client.outgoing()
    client.receive(with_call_id(EXCHANGES[0][1], 1))
    assert client.bound
    return client


def test_the_recorded_answers_are_taken_as_they_are() -> None:
    for opnum, answer in ANSWERS:
        client = bound()
        client.call(opnum, b"")
        taken = client.receive(with_call_id(answer, 2))
        assert taken is not None
        assert (taken.status != 0) == (answer[2] == pdu.FAULT)
