"""Where a directory of a database lies in shares and copies."""

from __future__ import annotations

from typing import Optional

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.writers.place import (
    Place,
    below,
    copy_of,
    entry,
    find_place,
    is_clone,
    tails,
)
from fsrvpd.requestor.writers.ports import SharedTree, Tree, WriterFailed
from tests.unit.requestor.writers.postgresql_trees import MemoryEntry, MemoryTree, share


def has_mark(tree: Tree, path: str) -> bool:
    return entry(tree, below(path, "mark")) is not None


def test_tails() -> None:
    assert list(tails("/srv/nas/pg")) == ["srv\\nas\\pg", "nas\\pg", "pg", ""]
    assert list(tails("D:\\pg\\main")) == ["pg\\main", "main", ""]


def test_a_place_in_the_second_share() -> None:
    shares = [share("a", {}), share("b", {"db\\mark": b""})]
    assert find_place("db", "directory", "/srv/nas/db", shares, has_mark) == Place(shares[1], "db")
    with pytest.raises(WriterFailed, match="its directory /srv/nas/other is in none of the shares"):
        find_place("db", "directory", "/srv/nas/other", shares, has_mark)


def test_one_of_two_places_is_not_guessed() -> None:
    shares = [share("a", {"nas\\db\\mark": b""}), share("b", {"db\\mark": b""})]
    with pytest.raises(
        WriterFailed, match=r"may be \\\\nas\\a\\nas\\db or \\\\nas\\b\\db"
    ) as caught:
        find_place("db", "directory", "/srv/nas/db", shares, has_mark)
    assert caught.value.next_step == "leave out the share that has the other one"


@pytest.mark.parametrize(("id_of_other", "is_found"), [(5, True), (6, False), (0, False)])
def test_two_shares_may_show_one_directory(id_of_other: int, is_found: bool) -> None:
    class Numbered(MemoryTree):
        def __init__(self, files: dict[str, Optional[bytes]], number: int) -> None:
            super().__init__(files)
            self._number = number

        def entry(self, path: str) -> MemoryEntry:
            return super().entry(path)._replace(file_id=self._number)

    shares = [
        SharedTree(share("a", {}).root, Numbered({"nas\\db\\mark": b""}, 5)),
        SharedTree(share("b", {}).root, Numbered({"db\\mark": b""}, id_of_other)),
    ]
    if is_found:
        place = find_place("db", "directory", "/srv/nas/db", shares, has_mark)
        assert place.path == "nas\\db"
    else:
        with pytest.raises(WriterFailed, match="may be"):
            find_place("db", "directory", "/srv/nas/db", shares, has_mark)


def test_a_copy_of_another_share_is_not_taken() -> None:
    place = Place(share("a", {}), "db")
    copies = [share("b", {}), share("a", {"db\\mark": b""})]
    assert copy_of("db", place, copies) == Place(copies[1], "db")
    with pytest.raises(WriterFailed, match=r"\\nas\\a has no copy"):
        copy_of("db", place, copies[:1])


@pytest.mark.parametrize(
    ("live", "copied", "expected"), [(7, 7, False), (7, 8, True), (0, 8, False), (7, 0, False)]
)
def test_a_clone_has_another_number(live: int, copied: int, expected: bool) -> None:
    places = [Place(share("a", {"mark": b""}, first_id=number), "") for number in (live, copied)]
    assert is_clone(places[0], places[1], "mark") is expected


def test_what_cannot_be_looked_at_is_an_error() -> None:
    class Locked(MemoryTree):
        def entry(self, path: str) -> MemoryEntry:
            raise RequestorError("x", "access denied", "")

    with pytest.raises(RequestorError, match="access denied"):
        entry(Locked({}), "mark")
