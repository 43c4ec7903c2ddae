"""The durable form of a set, compared with one document of each format.

A change of shape fails here until `FORMAT` is raised and a document of the new one is added.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd import filetime
from fsrvpd.core.messages import parse_guid
from fsrvpd.protocol.model import MappedShare, ShadowCopy, ShadowCopySet, Status
from fsrvpd.protocol.ports import Share, ShareLocation, Snapshot
from fsrvpd.protocol.server.document import (
    FORMAT,
    UNRELEASED_FORMATS,
    UnreleasedFormat,
    from_document,
    to_document,
)
from tests import paths
from tests.unit.protocol.strategies import SETS, TEXT

VECTORS = paths.VECTORS / "state"
DATA = Share("data", "/srv/data", False, options={"provider": "btrfs", "keep": "yes"})
PLACE = ShareLocation(DATA, "btrfs:1:256", "/srv", "btrfs", "/srv/data", whole_volume=True)
ROOT = "/srv/.fsrvpd/one"
WHOLE = ShadowCopySet(
    shadow_copy_set_id=parse_guid("{11111111-2222-3333-4444-555555555555}"),
    context=0x400009,
    client_address="192.0.2.1",
    account="LAB\\backup",
    started=1795000000.25,
    status=Status.EXPOSED,
    shadow_copy_list=[
        ShadowCopy(
            shadow_copy_id=parse_guid("{66666666-7777-8888-9999-AAAAAAAAAAAA}"),
            location=PLACE,
            created=filetime.to_unix(134394736002500000),
            share_mapping_list=[
                MappedShare(r"\\nas\data", "data", "/srv/data", "data@{66}", True, False, "01" * 8),
                MappedShare(r"\\nas\more", "more", "/srv/more", "more@{66}", False, True),
            ],
            snapshot=Snapshot("btrfs", "btrfs:1:256", ROOT, f"{ROOT}/data", 1795000001.5),
            keep=True,
        ),
        ShadowCopy(
            shadow_copy_id=parse_guid("{BBBBBBBB-CCCC-DDDD-EEEE-FFFFFFFFFFFF}"),
            location=ShareLocation(Share("vault", "/v", False), "xfs:2", "/v", "reflink", "/v"),
            created=filetime.to_unix(134394736002500016),
        ),
    ],
    removing=True,
    recovered_at=1795000002.5,
    may_have_unrecorded_snapshots=True,
    snapshot_skew=0.5,
    boot="5d7cbbde-3c2d-4f5d-b6b8-1a8a0c1d2e3f",
    clock=99.5,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def document(number: int) -> str:
    return (VECTORS / f"format{number}.json").read_text("utf-8").rstrip("\n")


def test_the_present_format_is_what_is_written() -> None:
    assert to_document(WHOLE) == document(FORMAT)


def test_what_is_written_is_read() -> None:
    assert from_document(document(FORMAT)) == WHOLE


@pytest.mark.parametrize("number", UNRELEASED_FORMATS)
def test_a_format_before_the_first_release_is_refused(number: int) -> None:
    assert json.loads(document(number))["format"] == number
    with pytest.raises(UnreleasedFormat, match=f"^format {number}$"):
        from_document(document(number))


@pytest.mark.parametrize("number", [FORMAT + 1, 0, -1, None, "3", [3], 1.5])
def test_any_other_format_is_refused_with_advice(number: object) -> None:
    other = json.dumps({**json.loads(document(FORMAT)), "format": number})
    advice = "was written by another version of fsrvpd .* install that version again"
    with pytest.raises(ValueError, match=advice) as why:
        from_document(other)
    assert repr(number) in str(why.value)


@pytest.mark.parametrize("key", sorted(json.loads(document(FORMAT))))
def test_no_key_may_be_missing(key: str) -> None:
    body = json.loads(document(FORMAT))
    del body[key]
    with pytest.raises(ValueError):  # noqa: PT011  (the words are Python's own)
        from_document(json.dumps(body))


@pytest.mark.parametrize("part", ["location", "snapshot", "mappings"])
def test_no_key_of_a_copy_may_be_missing(part: str) -> None:
    whole = json.loads(document(FORMAT))["shadow_copies"][0][part]
    for key in (whole[0] if isinstance(whole, list) else whole).keys() - {"handle"}:
        body = json.loads(document(FORMAT))
        changed = body["shadow_copies"][0][part]
        del (changed[0] if isinstance(changed, list) else changed)[key]
        with pytest.raises(ValueError, match=key):
            from_document(json.dumps(body))


def test_a_mapping_of_a_development_version_may_lack_the_handle() -> None:
    body = json.loads(document(FORMAT))
    del body["shadow_copies"][0]["mappings"][0]["handle"]
    assert from_document(json.dumps(body)).shadow_copy_list[0].share_mapping_list[0].handle == ""


def test_only_a_set_of_a_cluster_has_a_life() -> None:
    assert "life" not in json.loads(document(FORMAT))
    of_a_cluster = replace(WHOLE, life="a life")
    assert json.loads(to_document(of_a_cluster))["life"] == "a life"
    assert from_document(to_document(of_a_cluster)) == of_a_cluster
    with pytest.raises(ValueError, match="life"):
        from_document(json.dumps({**json.loads(document(FORMAT)), "life": 1}))


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


@pytest.mark.parametrize("text", ["", "null", "7", "[]", "{}", '"x"', '{"format":3}', "\ud800"])
def test_what_is_no_set_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the words are Python's own)
        from_document(text)
