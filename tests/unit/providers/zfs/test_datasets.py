from __future__ import annotations

import pytest

from fsrvpd.providers.catalog.marker import SnapshotMarker, SnapshotName, encode
from fsrvpd.providers.zfs import datasets

ID = "{8A2E0C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}"
OTHER = "{0B5C1D2E-0000-4C39-9D1C-3B1E0A6A5D11}"
NAME = SnapshotName(ID, "2026.11.21-08.30.00")
MARKER = SnapshotMarker(
    "zfs",
    OTHER,
    ID,
    "Übersicht",
    "NAS",
    1.5,
    "Bücher und Karten",
    keep=False,
    source="clone",
    state="",
    timestamp=NAME.timestamp,
)
PROPERTY = "fsrvpd:8a2e0c3b-8f0b-4c39-9d1c-3b1e0a6a5d11"


def test_a_name_without_braces_comes_back() -> None:
    text = datasets.snapshot_name(NAME)
    assert text == "fsrvp-8A2E0C3B-8F0B-4C39-9D1C-3B1E0A6A5D11_GMT-2026.11.21-08.30.00"
    assert datasets.parse_snapshot_name(text) == NAME


@pytest.mark.parametrize(
    "text",
    [
        "",
        "daily",
        "fsrvp-1_GMT-2026.11.21-08.30.00",
        f"fsrvp-{ID}",
        f"fsrvp-{ID}_GMT-2026.11.21-08.30.00",
        f"other-{ID.strip('{}')}_GMT-2026.11.21-08.30.00",
    ],
)
def test_other_names_are_not_ours(text: str) -> None:
    assert datasets.parse_snapshot_name(text) is None


def listing(name: str, prop: str, marker: SnapshotMarker) -> str:
    return f"tank/data set@{name}\t{prop}\t{encode(marker).decode()}\n"


def test_markers_are_read_from_what_zfs_lists() -> None:
    text = listing(datasets.snapshot_name(NAME), PROPERTY, MARKER)
    assert datasets.parse_markers(text + "tank/data set@daily\tother:one\tvalue\n") == [MARKER]


@pytest.mark.parametrize(
    ("name", "prop", "marker"),
    [
        ("daily", PROPERTY, MARKER),
        (datasets.snapshot_name(NAME), "fsrvpd:another", MARKER),
        (datasets.snapshot_name(NAME), PROPERTY, MARKER._replace(shadow_copy_id=OTHER)),
    ],
)
def test_a_marker_of_another_snapshot_is_none(name: str, prop: str, marker: SnapshotMarker) -> None:
    """One command gives all its snapshots all its properties."""
    assert datasets.parse_markers(listing(name, prop, marker)) == []


@pytest.mark.parametrize("value", ["a\u2028b\tc", "a\nb\tc\n", "[" * 1000, ""])
def test_a_property_of_somebody_else_hides_no_marker(value: str) -> None:
    name = datasets.snapshot_name(NAME)
    theirs = f"tank/data set@{name}\t{PROPERTY}\t{value}\n"
    assert datasets.parse_markers(theirs + listing(name, PROPERTY, MARKER)) == [MARKER]


def test_the_pool_of_a_dataset() -> None:
    assert datasets.pool_of("tank/data set/deep") == datasets.pool_of("tank") == "tank"


def test_what_snapshots_hold_is_read_from_what_zfs_lists() -> None:
    listing = "tank/a b@one\t8192\ntank/a b@two\t-\n"
    assert datasets.parse_used(listing) == {"tank/a b@one": 8192}
