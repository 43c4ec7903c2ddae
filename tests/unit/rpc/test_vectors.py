"""Exchanges that were recorded between Samba's clients and Samba's own agent (or us).

Each file of tests/vectors/rpc names both ends; the PDUs of an association stand in the
order in which they were sent, in hex.
"""

from __future__ import annotations

import json
from typing import Iterator, NamedTuple

import pytest

from fsrvpd.core import messages, ndr
from fsrvpd.rpc.association import Association, RpcRequest
from tests import paths
from tests.oracle import ndr as oracle
from tests.oracle import pdu

VECTORS = paths.VECTORS / "rpc"


class Recorded(NamedTuple):
    """`pdus` are pairs of the sender and the bytes."""

    file: str
    command: str
    pdus: list[tuple[str, bytes]]

    def sent(self, who: str) -> list[bytes]:
        return [data for sender, data in self.pdus if sender == who]


def recordings() -> Iterator[Recorded]:
    for path in sorted(VECTORS.glob("*.json")):
        for association in json.loads(path.read_text())["associations"]:
            lines = (line.split() for line in association["pdus"])
            pdus = [(who, bytes.fromhex(data)) for who, data in lines]
            yield Recorded(path.stem, association["command"], pdus)


RECORDINGS = list(recordings())
each = pytest.mark.parametrize("recorded", RECORDINGS, ids=lambda r: f"{r.file}: {r.command}")


def calls(recorded: Recorded) -> list[RpcRequest]:
    """What the client called, each call answered so that the next may come."""
    association = Association(1)
    found = []
    for data in recorded.sent("client"):
        for call in association.receive(data):
            association.respond(call, messages.refusal(call.opnum, 0))
            found.append(call)
    assert not association.closed
    return found


@each
def test_requests_are_understood_and_made_again(recorded: Recorded) -> None:
    found = calls(recorded)
    assert len(found) == len(recorded.sent("client")) - 1
    for call in found:
        request = ndr.decode_request(call.opnum, call.stub, call.syntax, call.big_endian)
        form = oracle.Format(bool(call.syntax), call.big_endian)
        assert request == oracle.decode_request(call.opnum, call.stub, form)
        again = ndr.encode_request(request, call.syntax, call.big_endian)
        assert again == call.stub[: len(again)]


@each
def test_responses_are_understood_and_made_again(recorded: Recorded) -> None:
    answers = [pdu.read_answer(pdu.read(data)) for data in recorded.sent("agent")[1:]]
    for call, answer in zip(calls(recorded), answers):
        response = ndr.decode_response(call.opnum, answer.stub, call.syntax)
        assert response == oracle.decode_response(
            call.opnum, answer.stub, oracle.Format(bool(call.syntax))
        )
        assert ndr.encode_response(call.opnum, response, call.syntax) == answer.stub


@each
def test_the_bind_is_answered_as_it_was(recorded: Recorded) -> None:
    association = Association(1)
    association.receive(recorded.sent("client")[0])
    ours, theirs = (pdu.read(data) for data in (*association.outgoing(), recorded.sent("agent")[0]))
    assert ours[:3] == theirs[:3]
    assert pdu.read_bind_ack(ours.body).results == pdu.read_bind_ack(theirs.body).results


def test_every_method_was_recorded_in_both_syntaxes_and_orders() -> None:
    seen = {
        (call.opnum, int(call.syntax), call.big_endian)
        for recorded in RECORDINGS
        for call in calls(recorded)
    }
    assert {opnum for opnum, _, _ in seen} == set(range(13))
    sequence = {0, 1, 2, 3, 4, 5, 8, 10, 12}
    assert {opnum for opnum, syntax, _ in seen if syntax == 2} >= sequence
    assert {opnum for opnum, _, big_endian in seen if big_endian} >= sequence
