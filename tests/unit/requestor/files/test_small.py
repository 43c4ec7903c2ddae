"""Small files by one message each: what one lacks is read in steps, what cannot be is told."""

from __future__ import annotations

import errno
import struct
from typing import List, Mapping

from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files.small import IN_FLIGHT, LARGEST, SmallFile, small_files
from fsrvpd.requestor.files.tree import FileTree
from tests.unit.requestor.files import peer as p
from tests.unit.requestor.files.peer import Asked, Peer, Reply


def server(files: Mapping[str, bytes], *, breaks_after: int = 1 << 30) -> Peer:
    """Has `files`, and ends the connection after so many opens."""
    opens = 0
    data = b""

    def handle(asked: Asked) -> Reply:
        nonlocal opens, data
        if asked.command == m.CREATE:
            opens += 1
            if opens > breaks_after:
                peer.hang_up()
            name = asked.body[56:].decode("utf-16-le").rstrip("\0")
            if name not in files:
                return Reply(bytes(9), 0xC0000034)
            data = files[name]
            return p.opened(len(data))
        if asked.command == m.READ:
            length, offset = struct.unpack_from("<IQ", asked.body, 4)
            return p.read(data[offset : offset + length])
        if asked.command == m.QUERY_INFO:
            is_descriptor, info_class = asked.body[2] == m.SECURITY_INFO, asked.body[3]
            if is_descriptor:
                return p.queried(b"SD")
            return p.queried(struct.pack("<Q", 9) if info_class == m.INTERNAL_INFO else b"")
        return Reply(bytes(60))

    peer = Peer(handle)
    return peer


FILES = {f"d\\{number}": bytes(number) for number in range(100)}


def read(files: Mapping[str, int], *peers: Peer, with_metadata: bool = False) -> List[SmallFile]:
    tree = FileTree(p.connect(peers), "data")
    return list(small_files(tree, files.items(), with_metadata=with_metadata))


def test_in_their_order_with_one_message_each() -> None:
    peer = server(FILES)
    found = read({name: len(data) for name, data in FILES.items()}, peer)
    assert [(each.path, each.data) for each in found] == list(FILES.items())
    assert len([asked for asked in peer.asked if asked.command == m.CREATE]) == len(FILES)
    assert [each.entry and each.entry.name for each in found[:3]] == ["0", "1", "2"]


def test_with_metadata() -> None:
    [found] = read({"a": 4}, server({"a": b"data"}), with_metadata=True)
    assert (found.data, found.descriptor, found.streams) == (b"data", b"SD", [])


def test_no_more_are_in_flight_than_the_window_has() -> None:
    peer = server(FILES)
    tree = FileTree(p.connect([peer]), "data")
    next(small_files(tree, ((name, len(data)) for name, data in FILES.items())))
    tree.entry("d\\1")
    assert len([asked for asked in peer.asked if asked.command == m.CREATE]) == IN_FLIGHT + 1


def test_a_size_that_the_directory_had_wrong() -> None:
    files = {"shorter": b"ab", "longer": b"x" * 200_000, "empty": b"", "full": b"x"}
    found = read({"shorter": 9, "longer": 9, "empty": 9, "full": 0}, server(files))
    assert {each.path: each.data for each in found} == files


def test_a_small_file_that_fills_the_memory() -> None:
    """Hundreds of them may be under way: whoever wants it reads it by itself."""
    for size in (LARGEST + 1, 1 << 40):
        handle = p.by_command(create=p.opened(size), read=p.read(b"x" * 9))
        [found] = read({"a": 9}, Peer(handle))
        assert found.failure is not None
        assert found.failure.errno == errno.EFBIG


def test_a_malformed_answer_concerns_one_file() -> None:
    good = server({"a": b"1", "bad": b"2", "b": b"3"})
    answers = good.handle
    name = ""

    def handle(asked: Asked) -> Reply:
        nonlocal name
        if asked.command == m.CREATE:
            name = asked.body[56:].decode("utf-16-le").rstrip("\0")
        is_streams = asked.command == m.QUERY_INFO and asked.body[3] == m.STREAM_INFO
        return p.queried(b"x") if name == "bad" and is_streams else answers(asked)

    good.handle = handle
    found = read({"a": 1, "bad": 1, "b": 1}, good, with_metadata=True)
    assert [each.failure is None for each in found] == [True, False, True]


def test_what_cannot_be_read_has_its_failure() -> None:
    found = read({"a": 1, "gone": 1, "../up": 1, "b": 1}, server({"a": b"1", "b": b"2"}))
    assert [each.failure and each.failure.errno for each in found] == [
        None,
        errno.ENOENT,
        errno.EINVAL,
        None,
    ]


def test_reading_goes_on_over_a_new_connection() -> None:
    wanted = {name: len(data) for name, data in FILES.items()}
    broken = (server(FILES, breaks_after=30), server(FILES, breaks_after=2))
    found = read(wanted, *broken, server(FILES))
    assert [(each.path, each.data) for each in found] == list(FILES.items())


def test_the_sacl_is_read_as_for_a_single_file() -> None:
    """The first refusal is learnt from."""
    wanted = []

    def handle(asked: Asked) -> Reply:
        if asked.command == m.CREATE:
            wanted.append(int.from_bytes(asked.body[24:28], "little") & m.SYSTEM_SECURITY)
            return p.opened(1)._replace(status=0xC0000061 if wanted[-1] else 0)
        if asked.command == m.QUERY_INFO and asked.body[2] == m.SECURITY_INFO:
            return p.queried(b"SD %d" % asked.body[16])
        if asked.command == m.QUERY_INFO:
            return p.queried(struct.pack("<Q", 9) if asked.body[3] == m.INTERNAL_INFO else b"")
        return p.read(b"1") if asked.command == m.READ else Reply(bytes(60))

    files = {str(number): 1 for number in range(2 * IN_FLIGHT)}
    found = read(files, Peer(handle), with_metadata=True)
    assert {each.descriptor for each in found} == {b"SD 7"}
    assert len([each for each in wanted if each]) == 1
