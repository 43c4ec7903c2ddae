"""Records as documents: the same after reading, and damaged bytes are damaged, not fatal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.requestor.ports import SetRecord, SetState, ShadowCopyRecord, ShareRoot
from fsrvpd.requestor.state.document import Damaged, from_document, to_document

LETTERS = st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zs", "Zl", "Zp", "Co", "Cn"))
NAMES = st.text(LETTERS, min_size=1, max_size=12)
TEXTS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12)
GUIDS = st.binary(min_size=16, max_size=16)
ROOTS = st.builds(
    lambda given, host, share, prefix: ShareRoot(
        given, f"\\\\{host}\\{share}", host, share, prefix
    ),
    *(TEXTS, NAMES, NAMES, TEXTS),
)
COPIES = st.builds(
    ShadowCopyRecord,
    GUIDS,
    ROOTS,
    st.none() | NAMES,
    st.none() | st.integers(min_value=0, max_value=2**64 - 1),
)
RECORDS = st.builds(
    SetRecord,
    set_id=GUIDS,
    server=NAMES,
    server_set_id=st.none() | GUIDS,
    context=st.integers(min_value=0, max_value=2**32 - 1),
    state=st.sampled_from(SetState),
    copies=st.lists(COPIES, max_size=3).map(tuple),
    owner=st.none() | NAMES,
    job=TEXTS,
    started=st.floats(min_value=0, max_value=1e10),
    pid=st.integers(min_value=0, max_value=2**22),
)
EXAMPLE = SetRecord(
    set_id=bytes(range(16)),
    server="nas",
    server_set_id=None,
    context=0,
    state=SetState.EXPOSED,
    copies=(
        ShadowCopyRecord(bytes(16), ShareRoot("x", "\\\\nas\\data", "nas", "data", ""), "d", 5),
    ),
    owner=None,
    job="nightly",
    started=1.5,
    pid=7,
)


@given(RECORDS)
def test_a_record_is_the_same_after_reading(record: SetRecord) -> None:
    assert from_document(to_document(record)) == record


@given(st.binary(max_size=200))
def test_bytes_that_are_no_record(data: bytes) -> None:
    with pytest.raises(Damaged) as caught:
        from_document(data)
    assert str(caught.value)


@given(st.data())
def test_a_torn_record_is_damaged(data: st.DataObject) -> None:
    whole = to_document(EXAMPLE)
    end = data.draw(st.integers(0, len(whole) - 3))
    with pytest.raises(Damaged):
        from_document(whole[:end])


VALUES = st.sampled_from(
    [None, True, -1, 1.5, "", "x", "\ud800", "a\nb", [], {}, [1], 10**30, float("nan"), "{0}"]
)


@given(st.sampled_from([*json.loads(to_document(EXAMPLE))]), VALUES)
def test_a_field_with_another_value_is_read_or_damaged(key: str, value: Any) -> None:
    fields = {**json.loads(to_document(EXAMPLE)), key: value}
    try:
        record = from_document(json.dumps(fields).encode())
    except Damaged:
        return
    assert from_document(to_document(record)) == record


def test_fields_of_a_copy_are_checked_too() -> None:
    fields = json.loads(to_document(EXAMPLE))
    for key in ("copy", "given", "unc", "host", "share", "prefix"):
        damaged = {**fields, "copies": [{**fields["copies"][0], key: 5}]}
        with pytest.raises(Damaged):
            from_document(json.dumps(damaged).encode())


def test_a_share_of_another_host_than_it_says_is_damaged() -> None:
    fields = json.loads(to_document(EXAMPLE))
    fields["copies"][0]["host"] = "evil"
    with pytest.raises(Damaged, match="unc"):
        from_document(json.dumps(fields).encode())


def test_deep_json_is_damaged() -> None:
    with pytest.raises(Damaged):
        from_document(b"[" * 100_000)


def test_a_record_of_a_later_format_is_damaged() -> None:
    fields = {**json.loads(to_document(EXAMPLE)), "format": 2}
    with pytest.raises(Damaged, match="format 2"):
        from_document(json.dumps(fields).encode())
