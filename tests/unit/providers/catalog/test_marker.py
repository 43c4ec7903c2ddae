from __future__ import annotations

import json
import logging
import os
import time
from typing import Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Share, ShareLocation, Snapshot, SnapshotRequest
from fsrvpd.providers.catalog.marker import (
    SnapshotMarker,
    SnapshotName,
    decode,
    decode_any,
    decode_or_warn,
    encode,
    marker_for,
    name_of,
    parse_name,
)

ID = "{8A2E1C5B-0000-4000-8000-00000000ABCD}"
SET = "{0B5C1D2E-0000-4C39-9D1C-3B1E0A6A5D11}"
TIMESTAMP = "2026.11.18-11.06.40"
MARKER = SnapshotMarker(
    "btrfs",
    SET,
    ID,
    "Büro$",
    "NAS",
    1795000000.25,
    'Ünï/"quoted"\n\udcff',
    keep=False,
    source="",
    state="",
    timestamp=TIMESTAMP,
    handle="0123456789abcdef",
)
TEXT = (
    f'{{"fsrvpd":2,"provider":"btrfs","shadow_copy_set_id":"{SET}","shadow_copy_id":"{ID}",'
    '"share":"data","server":"NAS","created":1795000000.25,"path":"a/b","keep":true,'
    '"source":"lv","state":"a-b","handle":"0123456789abcdef"}'
)


def test_a_marker_survives() -> None:
    assert decode(encode(MARKER), TIMESTAMP) == MARKER


def test_the_shape_of_a_marker() -> None:
    """As docs/state.md says. Another shape needs another number, or it would be misread."""
    marker = MARKER._replace(share="data", path="a/b", keep=True, source="lv", state="a-b")
    assert encode(marker).decode() == TEXT


def test_commit_finds_the_text_that_prepare_had_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepare does not know the timestamp yet; while Commit makes a text, applications wait."""
    text = encode(MARKER._replace(timestamp=""))
    monkeypatch.setattr(json, "dumps", None)
    assert encode(MARKER) == text


@pytest.mark.parametrize(
    "text",
    [b"", b"../elsewhere", b"{}", b"[]", b'{"fsrvpd":2}', b'{"fsrvpd":1}', b"\xff", b'"x"', b"1"],
)
def test_what_is_no_marker(text: bytes) -> None:
    assert decode(text, TIMESTAMP) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("provider", "btrfs/../x"),
        ("shadow_copy_id", ID.lower()),
        ("shadow_copy_id", ID + "/.."),
        ("shadow_copy_set_id", 7),
        ("share", "a\nb"),
        ("share", None),
        ("server", ["NAS"]),
        ("server", "\ud800"),
        ("created", "1.5"),
        ("created", True),
        ("created", float("nan")),
        ("created", float("inf")),
        ("created", -1),
        ("created", 10**300),
        ("path", "/etc"),
        ("path", "a/../../b"),
        ("path", "a//b"),
        ("path", "a\0b"),
        ("keep", 1),
        ("keep", "no"),
        ("source", {}),
        ("state", "\x1b[2J"),
        ("handle", None),
        ("handle", "../x"),
        ("handle", "0123456789ABCDEF"),
        ("timestamp", TIMESTAMP),
    ],
)
def test_a_field_of_another_type_or_form_makes_no_marker(key: str, value: object) -> None:
    assert decode(json.dumps({**json.loads(TEXT), key: value}).encode(), TIMESTAMP) is None


@pytest.mark.parametrize(
    "text",
    ["[" * 1000, '{"a":' * 700, TEXT.replace("1795000000.25", "9" * 600), TEXT + " " * 4000],
)
def test_what_would_take_the_parser_far_is_no_marker(text: str) -> None:
    assert decode(text.encode(), TIMESTAMP) is None


@pytest.mark.parametrize("timestamp", ["", "x", "2026.11.21", f"{TIMESTAMP}\n", f"../{TIMESTAMP}"])
def test_a_marker_of_another_name_is_none(timestamp: str) -> None:
    assert decode(TEXT.encode(), timestamp) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_a_marker_or_none(text: bytes) -> None:
    assert decode(text, TIMESTAMP) is None


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(list(json.loads(TEXT))), JSON_VALUES, max_size=3))
def test_any_fields_are_a_usable_marker_or_none(fields: Dict[str, object]) -> None:
    marker = decode(json.dumps({**json.loads(TEXT), **fields}).encode(), TIMESTAMP)
    if marker is not None:
        assert decode(encode(marker), TIMESTAMP) == marker
        assert time.gmtime(marker.created)
        for name in (str(marker.name), marker.path, marker.share):
            os.fsencode(name)


def test_what_could_not_be_read_again_is_not_written() -> None:
    with pytest.raises(StorageError, match="no valid marker"):
        encode(MARKER._replace(share="a\nb"))


def test_a_marker_before_the_first_release_may_lack_the_handle() -> None:
    fields = json.loads(TEXT)
    del fields["handle"]
    marker = decode(json.dumps(fields).encode(), TIMESTAMP)
    assert marker is not None
    assert marker.handle == ""


@pytest.mark.parametrize("key", [key for key in json.loads(TEXT) if key != "handle"])
def test_a_marker_that_lacks_a_key_is_none(key: str) -> None:
    fields = json.loads(TEXT)
    assert decode(json.dumps(fields).encode(), TIMESTAMP) is not None
    del fields[key]
    assert decode(json.dumps(fields).encode(), TIMESTAMP) is None


@pytest.mark.parametrize("version", [1, 3])
def test_a_marker_of_another_version_is_left_alone(version: int) -> None:
    text = TEXT.replace('"fsrvpd":2', f'"fsrvpd":{version}').encode()
    found = decode_or_warn(text, TIMESTAMP, "/srv/.fsrvpd/.marks/x")
    assert found is not None
    assert not found.readable


def test_what_is_no_marker_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert decode_or_warn(b'{"fsrvpd":3}', TIMESTAMP, "/srv/.fsrvpd/.marks/x") is None
    assert "/srv/.fsrvpd/.marks/x: not a marker of this version of fsrvpd" in caplog.text


def test_a_marker_of_another_version_tells_what_it_is_of() -> None:
    text = f'{{"fsrvpd":3,"provider":"btrfs","shadow_copy_set_id":"{SET}",'
    text += f'"shadow_copy_id":"{ID}","path":"a","future":[1]}}'
    found = decode_any(text.encode(), TIMESTAMP)
    assert found is not None
    assert (found.name, found.path, found.readable) == (SnapshotName(ID, TIMESTAMP), "a", False)
    assert decode(text.encode(), TIMESTAMP) is None
    assert decode_any(text.replace('"a"', '"../a"').encode(), TIMESTAMP) is None


@pytest.mark.parametrize("key", ["readable", "timestamp"])
def test_what_is_not_in_the_text_cannot_be_set_there(key: str) -> None:
    assert decode_any(TEXT.replace("{", f'{{"{key}":true,', 1).encode(), TIMESTAMP) is None


def test_a_marker_that_fits_no_link_is_refused() -> None:
    with pytest.raises(StorageError, match="too long"):
        encode(MARKER._replace(path="d" * 4000))


def test_the_marker_of_a_request() -> None:
    location = ShareLocation(
        Share("Büro$", "/srv/data/a", False),
        "volume",
        "/srv/data",
        "btrfs",
        "/srv/data/a/b",
        handle="01" * 8,
    )
    request = SnapshotRequest(SET, ID, location, True, 1.5, "NAS", keep=True, state="a-b")
    marker = marker_for(request, TIMESTAMP, source="lv")
    assert marker == SnapshotMarker(
        *("btrfs", SET, ID, "Büro$", "NAS", 1.5, "a/b", True, "lv", "a-b", TIMESTAMP),
        handle="01" * 8,
    )
    assert str(marker.name) == f"fsrvp-{ID}_GMT-{TIMESTAMP}"


def test_a_found_snapshot_says_what_its_marker_says() -> None:
    snapshot = Snapshot("btrfs", "volume", "/root", "/root/share", 1.5)
    found = MARKER._replace(keep=True, state="a-b").found(snapshot)
    assert found == (
        snapshot,
        SET,
        ID,
        "Büro$",
        "NAS",
        True,
        "a-b",
        MARKER.path,
        True,
        MARKER.handle,
    )


def test_a_name_survives() -> None:
    name = SnapshotName(ID, TIMESTAMP)
    assert str(name) == f"fsrvp-{ID}_GMT-2026.11.18-11.06.40"
    assert parse_name(str(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "fsrvp-",
        f"fsrvp-{ID}",
        f"fsrvp-{ID.lower()}_GMT-2026.11.18-11.06.40",
        f"fsrvp-{ID}_GMT-2026.11.18-11.06.40 ",
        f"xfsrvp-{ID}_GMT-2026.11.18-11.06.40",
        f"fsrvp-{ID}_GMT-2026.11.18-11.06.40/..",
    ],
)
def test_what_is_no_name_of_ours(name: str) -> None:
    assert parse_name(name) is None
    with pytest.raises(NotOurs, match="not named like"):
        name_of(Snapshot("btrfs", "volume", f"/srv/.fsrvpd/{name}", "", 1.5))


def test_a_path_that_leads_upwards_is_not_ours() -> None:
    root = f"/srv/.fsrvpd/../fsrvp-{ID}_GMT-{TIMESTAMP}"
    with pytest.raises(NotOurs, match="not named like"):
        name_of(Snapshot("btrfs", "volume", root, "", 1.5))
