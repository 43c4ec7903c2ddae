"""What is written to the cluster's database, and what is found there that nobody wrote."""

from __future__ import annotations

import pytest

from fsrvpd.core.messages import Guid
from fsrvpd.errors import StoreError
from fsrvpd.protocol.cluster import Record
from fsrvpd.store.ctdb import records

ONE, TWO = Guid(bytes(15) + b"\x01"), Guid(bytes(15) + b"\x02")


def test_documents_are_found_among_all_records() -> None:
    found = records.documents(
        {
            b"leader": Record(9, b"somebody"),
            records.set_key(ONE): Record(3, "ä".encode()),
            records.set_key(TWO): Record(4, records.FORGOTTEN),
            b"set/short": Record(5, b"not a set"),
            records.kept_key("{1}"): Record(6, b"1"),
        }
    )
    assert found == {ONE: "ä"}


def test_a_damaged_document_is_somebody_elses_to_report() -> None:
    assert records.documents({records.set_key(ONE): Record(3, b"\xff{")}) == {ONE: "\ufffd{"}


def test_copies_that_are_kept() -> None:
    values = {copy: records.kept_value(held) for copy, held in (("a", True), ("b", False))}
    values["c"] = records.kept_value(None)
    stored = {records.kept_key(copy): Record(1, value) for copy, value in values.items()}
    assert records.kept(stored) == {"a": True, "b": False}


def test_the_id_of_the_database() -> None:
    assert records.read_identity(None) == ""
    assert records.read_identity(Record(1, records.file_value("an id"))) == "an id"


@pytest.mark.parametrize("value", [b"no JSON", b"[]", b"{}", b'{"schema": "x", "id": "y"}'])
def test_a_database_of_somebody_else(value: bytes) -> None:
    with pytest.raises(StoreError, match="not fsrvpd's"):
        records.read_identity(Record(1, value))


def test_a_newer_schema() -> None:
    value = records.file_value("an id").replace(b'"schema": 1', b'"schema": 2')
    with pytest.raises(StoreError, match="newer fsrvpd"):
        records.read_identity(Record(1, value))
