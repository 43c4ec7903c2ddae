"""What is read is distrusted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsrvpd.store import history_records as records
from fsrvpd.store.history_records import MAX_TEXT, Backup, SetRecord

SET = SetRecord("{1}", "192.0.2.1", "LAB\\b", ("data", "x"), 1.5, records.FAILED, 0x8004230C, "no")


def test_a_record_survives() -> None:
    assert records.set_record(records.encoded(SET)) == SET
    backup = Backup("data", 1.0, 2.0, "{1}")
    assert records.backup(records.encoded(backup)) == backup


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 5),
        ("shares", "data"),
        ("shares", ["x"] * 65),
        ("shares", [1]),
        ("started", "1"),
        ("started", float("nan")),
        ("started", 1e300),
        ("started", True),
        ("started", None),
        ("ended", -1),
        ("outcome", "fine"),
        ("outcome", ["completed"]),
        ("result", 1.5),
        ("result", -1),
    ],
)
def test_a_field_of_another_kind_makes_it_void(field: str, value: Any) -> None:
    assert records.set_record(json.dumps({**SET._asdict(), field: value})) is None


def test_text_has_a_limit_and_can_be_sent() -> None:
    document = json.dumps({**SET._asdict(), "reason": "x" * 5000, "account": "\ud800"})
    found = records.set_record(document)
    assert found is not None
    assert len(found.reason) == MAX_TEXT
    assert found.account.encode() == rb"\ud800"
