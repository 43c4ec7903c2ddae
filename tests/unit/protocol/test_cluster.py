"""The record of the leader, and what is no such record."""

from __future__ import annotations

import pytest

from fsrvpd.errors import StoreError
from fsrvpd.protocol.cluster import (
    Ballot,
    Leader,
    Record,
    leader_value,
    read_leader,
    read_sequence,
    sequence_value,
)

LEADER = Leader(Ballot(3, 1, "0123456789abcdef"), "fedcba9876543210", "0.1.0")


def test_what_is_written_is_read() -> None:
    assert read_leader(Record(7, leader_value(LEADER))) == LEADER
    assert read_sequence(Record(7, sequence_value(1 << 40))) == 1 << 40


@pytest.mark.parametrize("record", [None, Record(1, b"")])
def test_nobody_has_claimed_yet(record: Record) -> None:
    assert read_leader(record) is None


def test_before_the_first_transaction() -> None:
    assert read_sequence(None) == 0


@pytest.mark.parametrize(
    "value",
    [
        b"no JSON",
        b"[]",
        b"{}",
        b"\xff",
        leader_value(LEADER).replace(b'"term":3', b'"term":"3"'),
        leader_value(LEADER).replace(b'"node":1', b'"node":-1'),
        leader_value(LEADER).replace(b'"0.1.0"', b"null"),
        leader_value(LEADER._replace(transaction="x" * 100)),
    ],
)
def test_another_record_is_refused(value: bytes) -> None:
    with pytest.raises(StoreError, match="not fsrvpd's"):
        read_leader(Record(7, value))


def test_another_sequence_number_is_refused() -> None:
    with pytest.raises(StoreError, match="damaged"):
        read_sequence(Record(7, b"1234"))
