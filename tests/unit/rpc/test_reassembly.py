"""Fragments alone; test_association.py tests them with an association."""

from __future__ import annotations

from typing import Any

import pytest

from fsrvpd.core import pdu
from fsrvpd.core.pdu import Pdu
from fsrvpd.rpc.faults import ProtocolError
from fsrvpd.rpc.reassembly import MAX_FRAGMENTS, MAX_STUB, MessageTooLarge, Reassembly
from fsrvpd.rpc.security.channels import Security
from fsrvpd.rpc.security.context import AuthLevel, Principal
from tests.oracle import pdu as oracle

FIRST, MIDDLE, LAST, WHOLE = oracle.FIRST, 0, oracle.LAST, oracle.FIRST | oracle.LAST
ALICE = Security(1, AuthLevel.PKT_INTEGRITY, Principal("alice", "S-1-5-21-1-2-3-1000"))


def header(flags: int, **options: Any) -> Pdu:
    parsed = pdu.parse(oracle.request(1, b"", flags=flags, **options))
    assert parsed is not None
    return parsed


def test_fragments_are_put_together_under_the_first_header() -> None:
    reassembly, first = Reassembly(), header(FIRST)
    assert reassembly.add(first, None, b"a") is None
    assert reassembly.add(header(MIDDLE), None, b"b") is None
    assert reassembly.incomplete
    assert reassembly.add(header(LAST), None, b"c") == (first, None, b"abc")
    assert not reassembly.incomplete


@pytest.mark.parametrize(
    ("later", "security"),
    [
        (header(LAST, call_id=2), None),
        (header(LAST, context_id=1), None),
        (header(LAST, big_endian=True), None),
        (header(LAST), ALICE),
    ],
)
def test_a_fragment_of_another_request_is_refused(later: Pdu, security: Any) -> None:
    reassembly = Reassembly()
    reassembly.add(header(FIRST), None, b"")
    with pytest.raises(ProtocolError, match="another message"):
        reassembly.add(later, security, b"")


@pytest.mark.parametrize("flags", [FIRST, WHOLE])
def test_no_request_begins_inside_another(flags: int) -> None:
    reassembly = Reassembly()
    reassembly.add(header(FIRST), None, b"")
    with pytest.raises(ProtocolError, match="inside the fragments"):
        reassembly.add(header(flags, call_id=2), None, b"")


def test_nothing_is_the_rest_of_nothing() -> None:
    with pytest.raises(ProtocolError, match="has not begun"):
        Reassembly().add(header(LAST), None, b"")


def test_size_and_number_of_fragments_are_limited() -> None:
    for part, accepted in ((bytes(MAX_STUB // 4), 4), (b"", MAX_FRAGMENTS)):
        reassembly = Reassembly()
        reassembly.add(header(FIRST), None, part)
        for _ in range(accepted - 1):
            assert reassembly.add(header(MIDDLE), None, part) is None
        with pytest.raises(MessageTooLarge):
            reassembly.add(header(MIDDLE), None, part or b"x")


def test_an_orphaned_request_is_forgotten() -> None:
    reassembly = Reassembly()
    reassembly.add(header(FIRST, call_id=5), None, b"a")
    reassembly.orphaned(4)
    assert reassembly.incomplete
    reassembly.orphaned(5)
    assert not reassembly.incomplete
