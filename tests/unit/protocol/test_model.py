from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.core.messages import format_guid
from fsrvpd.protocol.model import (
    MappedShare,
    ShadowCopy,
    ShadowCopySet,
    Status,
    filetime,
    from_document,
    shadow_copy_share_name,
    to_document,
)
from fsrvpd.protocol.ports import Share, SharePlace, Snapshot
from fsrvpd.protocol.table import ShadowCopySetTable
from tests.unit.protocol.driver import guid

TEXT = st.text(max_size=8)  # lone surrogates too: file names need not be UTF-8
TIMES = st.floats(min_value=0, max_value=1e11, allow_nan=False)
GUIDS = st.binary(min_size=16, max_size=16)
# Of a share's definition only what is needed again is kept.
SHARES = st.builds(
    lambda name, path, options: Share(name, path, from_registry=False, options=options),
    TEXT,
    TEXT,
    st.dictionaries(TEXT, TEXT, max_size=2),
)
COPIES = st.builds(
    ShadowCopy,
    shadow_copy_id=GUIDS,
    place=st.builds(SharePlace, SHARES, TEXT, TEXT, TEXT, TEXT, st.booleans()),
    creation_timestamp=st.integers(min_value=0, max_value=2**63 - 1),
    share_mapping_list=st.lists(
        st.builds(MappedShare, TEXT, TEXT, TEXT, TEXT, st.booleans(), st.booleans()), max_size=2
    ),
    snapshot=st.none() | st.builds(Snapshot, TEXT, TEXT, TEXT, TEXT, TIMES),
    keep=st.booleans(),
)
SETS = st.builds(
    ShadowCopySet,
    shadow_copy_set_id=GUIDS,
    context=st.integers(min_value=0, max_value=2**32 - 1),
    client_address=TEXT,
    account=TEXT,
    started=TIMES,
    status=st.sampled_from(Status),
    shadow_copy_list=st.lists(COPIES, max_size=2),
    doomed=st.booleans(),
    recovered=TIMES,
    uncertain=st.booleans(),
    spread=TIMES,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.spec("3.1.4-5")
@given(SETS)
def test_a_document_holds_the_whole_set(shadow_copy_set: ShadowCopySet) -> None:
    document = to_document(shadow_copy_set)
    assert from_document(document) == shadow_copy_set
    assert to_document(from_document(document)) == document
    assert document.isascii()


@given(SETS, st.data())
def test_any_other_document_is_a_value_error(
    shadow_copy_set: ShadowCopySet, data: st.DataObject
) -> None:
    """One value anywhere in it is another: either it is read, or ValueError is raised."""
    body = json.loads(to_document(shadow_copy_set))
    key = data.draw(st.sampled_from(sorted(body)))
    body[key] = data.draw(JSON)
    with contextlib.suppress(ValueError):
        from_document(json.dumps(body))


@pytest.mark.parametrize("text", ["", "null", "7", "[]", "{}", '"x"', '{"format":2}', "\ud800"])
def test_what_is_no_set_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the words are Python's own)
        from_document(text)


def test_a_file_time_counts_100_ns_since_1601() -> None:
    assert filetime(0) == 116444736000000000
    assert filetime(1.5) == 116444736015000000


@pytest.mark.spec("3.1.4.6-4")
@pytest.mark.spec("3.1.4.6-15")
@pytest.mark.parametrize(
    ("share", "expected"),
    [
        ("data", "data@{00000000-0000-0000-0000-00000000000A}"),
        ("data$", "data$@{00000000-0000-0000-0000-00000000000A}$"),
        ("a@{b}", "a@{b}@{00000000-0000-0000-0000-00000000000A}"),
        ("Büro Köln", "Büro Köln@{00000000-0000-0000-0000-00000000000A}"),
    ],
)
def test_the_name_of_a_shadow_copy_share(share: str, expected: str) -> None:
    assert shadow_copy_share_name(share, guid(10)) == expected


@given(st.lists(SETS, max_size=4, unique_by=lambda s: s.shadow_copy_set_id), st.data())
def test_the_index_by_volume_equals_a_walk(sets: list[ShadowCopySet], data: st.DataObject) -> None:
    table = ShadowCopySetTable()
    for each in sets:
        table.add(each)
    for each in sets:
        step = data.draw(st.sampled_from(["status", "copy", "remove", "remove twice", "nothing"]))
        if step.startswith("remove"):
            table.remove(each)
        if step == "remove twice":
            table.remove(each)
        if step in ("status", "remove"):  # of what is not in the table, too
            table.set_status(each, data.draw(st.sampled_from(Status)))
        if step in ("copy", "remove") and each.shadow_copy_list:
            table.remove_copy(each, each.shadow_copy_list[0])
    listed = list(table)
    volumes = {copy.volume_name for each in sets for copy in each.shadow_copy_list} | {"other"}
    published = (Status.COMMITTED, Status.EXPOSED, Status.RECOVERED)
    for volume in volumes:
        walk = any(each.copy_of_volume(volume) for each in listed if each.status in published)
        assert table.has_shadow_copy(volume) == walk
    for address in {each.client_address for each in sets}:
        assert table.of_client(address) == sum(e.client_address == address for e in listed)
    assert len(table) == len(listed)


def test_the_table_is_indexed_by_set_id() -> None:
    table = ShadowCopySetTable()
    shadow_copy_set = ShadowCopySet(guid(1), 0, "10.0.0.1", "a", 0.0)
    table.add(shadow_copy_set)
    assert table.get(guid(1)) is shadow_copy_set
    assert table.get(guid(2)) is None
    assert format_guid(guid(1)) in to_document(shadow_copy_set)
