from __future__ import annotations

import pytest

from fsrvpd.errors import StorageError
from fsrvpd.providers.mark import Mark, SnapshotName, decode, encode, label, parse_name

ID = "{8A2E1C5B-0000-4000-8000-00000000ABCD}"
MARK = Mark("btrfs", ID, ID, "Büro$", "NAS", 1795000000.25, 'Ünï/"quoted"\n\udcff')


def test_a_mark_survives() -> None:
    assert decode(encode(MARK)) == MARK


def test_the_shape_of_a_mark() -> None:
    """As docs/state.md says. Another shape needs another number, lest it be misread."""
    mark = Mark("btrfs", ID, ID, "data", "NAS", 1795000000.25, "a/b", True, "lv", "a-b")
    assert encode(mark).decode() == (
        f'{{"fsrvpd":1,"provider":"btrfs","shadow_copy_set_id":"{ID}","shadow_copy_id":"{ID}",'
        '"share":"data","server":"NAS","created":1795000000.25,"path":"a/b","keep":true,'
        '"holder":"lv","state":"a-b"}'
    )


@pytest.mark.parametrize(
    "target",
    [b"", b"../elsewhere", b"{}", b"[]", b'{"fsrvpd":2}', b'{"fsrvpd":1}', b"\xff", b'"x"', b"1"],
)
def test_what_is_no_mark_of_ours(target: bytes) -> None:
    assert decode(target) is None


def test_a_mark_that_fits_no_link_is_refused() -> None:
    with pytest.raises(StorageError, match="too long"):
        encode(MARK._replace(path="d" * 4000))


def test_a_name_survives() -> None:
    name = SnapshotName(ID, label(1795000000))
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
