"""Reading from servers that have less than they say, lie about holes, or break in the middle."""

from __future__ import annotations

import errno
import struct
from typing import List, Sequence, Tuple

import pytest

from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files.channel import WINDOW
from fsrvpd.requestor.files.open_file import OpenFile
from fsrvpd.requestor.files.records import FileFailure
from fsrvpd.requestor.files.tree import FileTree
from tests.unit.requestor.files import peer as p
from tests.unit.requestor.files.peer import Asked, Peer, Reply

MIB = 1 << 20
DATA = bytes(range(251)) * (9 * MIB // 251)
SPARSE = 0x220


def place(asked: Asked) -> Tuple[int, int]:
    length, offset = struct.unpack_from("<IQ", asked.body, 4)
    return offset, length


def server(data: bytes = DATA, *, breaks_after: int = 1 << 30, at_most: int = 1 << 30) -> Peer:
    """`breaks_after`: so many reads. `at_most`: bytes of an answer."""
    reads = 0

    def handle(asked: Asked) -> Reply:
        nonlocal reads
        if asked.command == m.CREATE:
            return p.opened(len(data))
        if asked.command != m.READ:
            return p.by_command()(asked)
        reads += 1
        if reads > breaks_after:
            peer.hang_up()
        offset, length = place(asked)
        return p.read(data[offset : offset + min(length, at_most)])

    peer = Peer(handle)
    return peer


def opened(*peers: Peer) -> OpenFile:
    return FileTree(p.connect(peers), "data").open("folder\\a")


def test_all_of_it_in_pieces() -> None:
    peer = server()
    with opened(peer) as file:
        assert (file.entry.name, file.entry.size, file.entry.file_id) == ("a", len(DATA), 9)
        pieces = list(file.chunks())
    assert b"".join(pieces) == DATA
    assert max(map(len, pieces)) == MIB


def test_many_requests_are_in_flight() -> None:
    peer = server()
    with opened(peer) as file:
        next(file.chunks())
        assert len([asked for asked in peer.asked if asked.command == m.READ]) <= WINDOW + 1
        file.read(0, 1)
    assert len([asked for asked in peer.asked if asked.command == m.READ]) == WINDOW + 2


@pytest.mark.parametrize("size", [1, 65536])
def test_a_small_file_comes_with_its_opening(size: int) -> None:
    peer = server(DATA[:size])
    with opened(peer) as file:
        assert b"".join(file.chunks()) == DATA[:size]
        assert file.read(0, 10) == DATA[: min(10, size)]
        assert len([asked for asked in peer.asked if asked.command == m.READ]) == 1


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 10), (MIB - 5, 10), (5, 3 * MIB), (len(DATA) - 1, 10), (0, 0)]
)
def test_a_part(offset: int, length: int) -> None:
    with opened(server()) as file:
        assert file.read(offset, length) == DATA[offset : offset + length]
        assert b"".join(file.chunks(offset, length)) == DATA[offset : offset + length]


def test_beyond_the_end() -> None:
    with opened(server()) as file:
        assert file.read(len(DATA), 10) == b""
        assert file.read(len(DATA) + 10, 10) == b""


def test_short_answers_are_asked_for_again() -> None:
    with opened(server(DATA[: 2 * MIB], at_most=300_000)) as file:
        assert b"".join(file.chunks()) == DATA[: 2 * MIB]


@pytest.mark.parametrize("reply", [p.read(b""), Reply(bytes(9), 0xC0000011), p.read(bytes(11))])
def test_less_or_more_than_was_said(reply: Reply) -> None:
    file = opened(Peer(p.by_command(create=p.opened(10), read=reply)))
    with pytest.raises(FileFailure, match="in place of 10 at 0") as caught:
        file.read(0, 10)
    assert caught.value.errno == errno.EIO
    assert caught.value.object == r"\\nas\data\folder\a"


def test_reading_goes_on_over_new_connections() -> None:
    with opened(server(breaks_after=3), server(breaks_after=4), server()) as file:
        assert b"".join(file.chunks()) == DATA


def test_a_file_that_is_another_one_after_a_reconnection() -> None:
    file = opened(server(breaks_after=3), server(DATA + b"more"))
    with pytest.raises(FileFailure, match="changed") as caught:
        b"".join(file.chunks())
    assert caught.value.errno == errno.ESTALE


def test_closed_is_closed() -> None:
    file = opened(server())
    file.close()
    file.close()
    with pytest.raises(FileFailure) as caught:
        file.read(0, 1)
    assert caught.value.errno == errno.EBADF


def ranges(*pairs: Tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<qq", *pair) for pair in pairs)


def sparse(*replies: Reply, size: int = 100) -> OpenFile:
    return opened(Peer(p.by_command_and(ioctl=p.one_of(replies), create=p.opened(size, SPARSE))))


def test_a_file_that_is_not_sparse_is_one_range() -> None:
    with opened(Peer(p.by_command(create=p.opened(100)))) as file:
        assert file.data_ranges() == [(0, 100)]
    with opened(Peer(p.by_command(create=p.opened(0)))) as file:
        assert file.data_ranges() == []


def test_ranges_may_take_several_answers_and_reach_beyond_the_end() -> None:
    overflow = p.controlled(ranges((10, 10)), 0x80000005)
    with sparse(overflow, p.controlled(ranges((40, 10), (90, 4096)))) as file:
        assert file.data_ranges() == [(10, 10), (40, 10), (90, 10)]
    with sparse(p.controlled(b"")) as file:
        assert file.data_ranges() == []


LIES: List[Sequence[Tuple[int, int]]] = [
    [(10, 10), (5, 5)],
    [(10, 10), (15, 10)],
    [(10, 0)],
    [(10, -1)],
    [(-10, 5)],
    [(100, 5)],
]


@pytest.mark.parametrize("lie", LIES)
def test_ranges_that_cannot_be(lie: Sequence[Tuple[int, int]]) -> None:
    with sparse(p.controlled(ranges(*lie))) as file, pytest.raises(FileFailure, match="cannot"):
        file.data_ranges()


def test_ranges_without_an_end() -> None:
    file = sparse(p.controlled(b"", 0x80000005))
    with pytest.raises(FileFailure, match="without an end"):
        file.data_ranges()
    file = sparse(p.controlled(b"x"))
    with pytest.raises(FileFailure, match="cut short"):
        file.data_ranges()


def test_a_server_that_knows_no_ranges_has_one_of_all() -> None:
    with sparse(Reply(bytes(9), 0xC0000010)) as file:
        assert file.data_ranges() == [(0, 100)]
