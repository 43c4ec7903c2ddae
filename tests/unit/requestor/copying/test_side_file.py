"""What the side file remembers, and what a run that was cut off leaves of it."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.requestor.copying.local_directory import LocalDirectory, open_directory
from fsrvpd.requestor.copying.side_file import DATABASE, TOP, SideFile
from fsrvpd.requestor.errors import RequestorError
from tests.unit.requestor.copying.entries import entry, folder


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[LocalDirectory]:
    found = open_directory(str(tmp_path))
    yield found
    found.close()


@pytest.fixture
def side(directory: LocalDirectory) -> Iterator[SideFile]:
    found = SideFile(directory, where="/mirror")
    found.begin_run(r"\\nas\data")
    assert found.put(TOP, folder("")) == TOP
    yield found
    found.close()


def test_entries_come_back(side: SideFile) -> None:
    inner = side.put(TOP, folder("d", file_id=2**64 - 1))
    id = side.put(inner, entry("größe", file_id=2**63))
    found = side.known(inner, "größe")
    assert found is not None
    assert found.entry == entry("größe", file_id=2**63, allocated=0)
    assert (found.id, found.has_facts, found.run) == (id, False, 1)
    assert [each.entry.name for each in side.children(TOP)] == ["d"]
    above = side.known(TOP, "d")
    assert above is not None
    assert above.entry.file_id == 2**64 - 1
    assert side.known(TOP, "größe") is None
    top = side.top()
    assert top is not None
    assert top.entry.name == ""


def test_what_is_not_marked_goes_with_all_that_is_in_it(side: SideFile) -> None:
    gone, stays = side.put(TOP, folder("gone")), side.put(TOP, entry("stays"))
    inner = side.put(gone, entry("inner"))
    side.set_descriptor(inner, b"descriptor")
    side.add_to_stream(inner, "s", 0, b"x")
    side.begin_run(r"\\nas\data")
    side.mark(stays)
    side.forget_unmarked(TOP)
    assert [each.entry.name for each in side.children(TOP)] == ["stays"]
    assert list(side.children(gone)) == []
    assert side.streams(inner) == ()


def test_descriptors_and_streams(side: SideFile) -> None:
    first, second = side.put(TOP, entry("a")), side.put(TOP, entry("b"))
    for id in (first, second):
        side.set_descriptor(id, b"\0descriptor")
    large = bytes(range(256)) * 5000
    side.add_to_stream(first, "large", 0, b"")
    side.add_to_stream(first, "large", 0, large)
    side.add_to_stream(first, "large", len(large), b"end")
    side.add_to_stream(first, "empty", 0, b"")
    assert side.descriptor(second) == b"\0descriptor"
    assert sorted(side.streams(first)) == [("empty", 0), ("large", len(large) + 3)]
    assert b"".join(data for _, data in side.stream(first, "large")) == large + b"end"
    side.set_has_facts(first)
    found = side.known(TOP, "a")
    assert found is not None
    assert found.has_facts
    side.put(TOP, entry("a", size=9))
    found = side.known(TOP, "a")
    assert found is not None
    assert not found.has_facts, "they may be others now"
    side.forget_streams(first)
    assert side.streams(first) == ()


def test_a_part_is_good_for_the_same_file_only(side: SideFile) -> None:
    side.set_part("p", entry("f", size=100), 50)
    assert side.part_done("p", entry("f", size=100)) == 50
    assert side.part_done("p", entry("f", size=101)) == 0
    assert side.part_done("p", entry("f", size=100, modified=1)) == 0
    assert side.part_done("p", entry("f", size=100, changed=1)) == 0, "its old time was put back"
    in_another_copy = entry("f", size=100, changed=1, file_id=2**64 - 2)
    assert side.part_done("p", in_another_copy) == 50
    side.forget_part("p")
    assert side.part_done("p", entry("f", size=100)) == 0


def test_what_was_committed_is_there_afterwards(directory: LocalDirectory) -> None:
    side = SideFile(directory, where="/mirror")
    side.begin_run(r"\\nas\data")
    side.put(TOP, folder(""))
    side.put(TOP, entry("kept"))
    side.commit()
    side.put(TOP, entry("lost"))
    side.close()
    again = SideFile(directory, where="/mirror")
    assert again.source == r"\\nas\data"
    assert [each.entry.name for each in again.children(TOP)] == ["kept"]
    again.close()


def test_two_at_a_time_are_refused(directory: LocalDirectory, side: SideFile) -> None:
    with pytest.raises(RequestorError, match="another copy or restore"):
        SideFile(directory, where="/mirror")


def test_a_damaged_one_is_named(directory: LocalDirectory, tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database" * 100)
    with pytest.raises(RequestorError, match=r"/mirror/\.fsrvpshadow/side\.sqlite: file is not"):
        SideFile(directory, where="/mirror")
