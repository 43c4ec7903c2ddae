"""Directories that lie: names, lengths, no end, another order after a reconnection."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Iterable, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files.listing import parsed
from fsrvpd.requestor.files.messages import Malformed
from fsrvpd.requestor.files.records import FileFailure, unsafe
from fsrvpd.requestor.files.tree import FileTree
from tests.unit.requestor.files import peer as p
from tests.unit.requestor.files.peer import Asked, Peer, Reply, entry, listed

END = Reply(bytes(9), p.NO_MORE_FILES)


def server(*batches: Iterable[str], end: Reply = END) -> Peer:
    """Sends batches of names; `end` is what follows."""
    replies = iter([p.queried(listed(*map(entry, batch))) for batch in batches])

    def handle(asked: Asked) -> Reply:
        if asked.command == m.CREATE:
            return p.opened(0, 0x10)
        if asked.command == m.QUERY_DIRECTORY:
            return next(replies, end)
        return Reply(bytes(60))

    return Peer(handle)


def names(*peers: Peer) -> List[str]:
    return [each.name for each in FileTree(p.connect(peers), "data").entries("")]


def test_what_an_entry_says() -> None:
    [found] = parsed(entry("ä😀", 7, 0x420, tag=0xA000000C, file_id=11))
    assert (found.name, found.size, found.file_id) == ("ä😀", 7, 11)
    assert (found.created, found.accessed, found.modified, found.changed) == (1, 2, 3, 4)
    assert (found.is_directory, found.reparse_tag) == (False, 0xA000000C)
    [no_link] = parsed(entry("a", tag=5))
    assert no_link.reparse_tag == 0  # it is the size of extended attributes then


def test_one_message_lists_a_small_directory() -> None:
    peer = server([".", "..", "a", "b"])
    assert names(peer) == ["a", "b"]
    commands = [asked.command for asked in peer.asked]
    assert commands[:4] == [m.ECHO, m.CREATE, m.QUERY_DIRECTORY, m.QUERY_DIRECTORY]


def test_hostile_names_are_told_and_unsafe() -> None:
    found = names(server(["../../etc/passwd", "a\\b", "a\0b", "ok"]))
    assert [bool(unsafe(name)) for name in found] == [True, True, True, False]


def test_a_batch_of_dots_is_not_the_end() -> None:
    assert names(server([".", ".."], ["a"], ["b"])) == ["a", "b"]


def test_the_same_for_ever() -> None:
    with pytest.raises(FileFailure, match="the same entries again"):
        names(server(["a"], end=p.queried(listed(entry("a")))))


def test_new_names_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsrvpd.requestor.files.listing.MOST_ENTRIES", 1000)
    with pytest.raises(FileFailure, match="without an end"):
        names(server(*([str(number)] for number in range(2000))))


def test_a_listing_goes_on_over_a_new_connection() -> None:
    broken = server(["a", "b"], ["c"], end=Reply(bytes(9), 0xC0000203))
    assert names(broken, server(["a"], ["b", "c", "d"], ["e"])) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("second", [["a", "x", "c", "d"], ["b", "a", "c"], ["a"], []])
def test_another_order_is_a_failure(second: List[str]) -> None:
    broken = server(["a", "b"], end=Reply(bytes(9), 0xC0000203))
    again = server(second) if second else server()
    with pytest.raises(FileFailure, match="before"):
        names(broken, again)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        entry("a")[:-1],
        entry("a")[:79],
        entry("a", size=1 << 63),
        struct.pack("<I", 4) + entry("a")[4:],
        struct.pack("<I", 4096) + entry("a")[4:],
    ],
)
def test_entries_that_cannot_be(data: bytes) -> None:
    with pytest.raises(Malformed):
        list(parsed(data))


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    with suppress(Malformed):
        list(parsed(data))


def test_a_number_that_many_files_have_is_none() -> None:
    [found] = parsed(entry("a", file_id=2**64 - 1))
    assert found.file_id == 0
