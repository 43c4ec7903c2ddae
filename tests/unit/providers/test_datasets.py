from __future__ import annotations

import pytest

from fsrvpd.providers import datasets
from fsrvpd.providers.mark import Mark, SnapshotName, encode

ID = "{8A2E0C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}"
OTHER = "{0B5C1D2E-0000-4C39-9D1C-3B1E0A6A5D11}"
NAME = SnapshotName(ID, "2026.11.21-08.30.00")
MARK = Mark("zfs", OTHER, ID, "Übersicht", "NAS", 1.5, "Bücher und Karten")
PROPERTY = "fsrvpd:8a2e0c3b-8f0b-4c39-9d1c-3b1e0a6a5d11"


def test_a_name_without_braces_comes_back() -> None:
    text = datasets.name_of(NAME)
    assert text == "fsrvp-8A2E0C3B-8F0B-4C39-9D1C-3B1E0A6A5D11_GMT-2026.11.21-08.30.00"
    assert datasets.parse_name(text) == NAME


@pytest.mark.parametrize("text", ["", "daily", "fsrvp-1_GMT-2026.11.21-08.30.00", f"fsrvp-{ID}"])
def test_other_names_are_not_ours(text: str) -> None:
    assert datasets.parse_name(text) is None


def listing(name: str, prop: str, mark: Mark) -> str:
    return f"tank/data set@{name}\t{prop}\t{encode(mark).decode()}\n"


def test_marks_are_read_from_what_zfs_lists() -> None:
    text = listing(datasets.name_of(NAME), PROPERTY, MARK)
    assert datasets.marks_in(text + "tank/data set@daily\tother:one\tvalue\n") == [(NAME, MARK)]


@pytest.mark.parametrize(
    ("name", "prop", "mark"),
    [
        ("daily", PROPERTY, MARK),
        (datasets.name_of(NAME), "fsrvpd:another", MARK),
        (datasets.name_of(NAME), PROPERTY, MARK._replace(shadow_copy_id=OTHER)),
    ],
)
def test_a_mark_of_another_snapshot_is_none(name: str, prop: str, mark: Mark) -> None:
    """One command gives all its snapshots all its properties."""
    assert datasets.marks_in(listing(name, prop, mark)) == []


def test_the_pool_of_a_dataset() -> None:
    assert datasets.pool_of("tank/data set/deep") == datasets.pool_of("tank") == "tank"
