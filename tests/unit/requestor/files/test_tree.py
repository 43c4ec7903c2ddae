"""Paths that must not reach a server, and what is asked of it for one."""

from __future__ import annotations

import errno
from typing import Callable, List

import pytest

from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files.records import FileFailure
from fsrvpd.requestor.files.small import small_files
from fsrvpd.requestor.files.tree import FileTree
from tests.unit.requestor.files import peer as p
from tests.unit.requestor.files.peer import Asked, Handler, Peer, Reply


def tree(*peers: Peer, prefix: str = "") -> FileTree:
    return FileTree(p.connect(peers), "data", prefix)


def opened_names(peer: Peer) -> List[str]:
    creates = [asked.body[56:] for asked in peer.asked if asked.command == m.CREATE]
    return [body.decode("utf-16-le").rstrip("\0") for body in creates]


ASKS: List[Callable[[FileTree, str], object]] = [
    FileTree.entry,
    lambda made, path: list(made.entries(path)),
    FileTree.open,
    FileTree.streams,
    FileTree.security_descriptor,
]


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("path", ["..", "a\\..", "a\\\\b", "\\a", "a/b", "a\0b", ".", "a\\"])
def test_a_path_that_leads_elsewhere_is_not_asked_for(
    ask: Callable[[FileTree, str], object], path: str
) -> None:
    peer = Peer(p.by_command())
    with pytest.raises(FileFailure) as caught:
        ask(tree(peer), path)
    assert caught.value.errno == errno.EINVAL
    assert peer.asked == []


def test_paths_are_relative_to_the_prefix() -> None:
    peer = Peer(p.by_command(create=p.opened(0), close=Reply(bytes(60))))
    made = tree(peer, prefix="deep\\er")
    made.entry("a\\b")
    made.entry("")
    made.open("c", "stream").close()
    assert opened_names(peer) == ["deep\\er\\a\\b", "deep\\er", "deep\\er\\c:stream"]
    assert made.unc("a") == r"\\nas\data\deep\er\a"


def test_the_root_has_no_name() -> None:
    peer = Peer(p.by_command(create=p.opened(0, 0x10), close=Reply(bytes(60))))
    entry = tree(peer).entry("")
    assert (entry.name, entry.is_directory, entry.file_id) == ("", True, 9)


def test_a_server_without_file_ids() -> None:
    peer = Peer(
        p.by_command(create=p.opened(5), query_info=Reply(bytes(9), 0xC00000BB), close=Reply())
    )
    assert tree(peer).entry("a").file_id == 0


def descriptors(*, with_sacl: int) -> Handler:
    """`with_sacl`: the status of an open that asks for it."""

    def handle(asked: Asked) -> Reply:
        if asked.command == m.CREATE:
            wanted = int.from_bytes(asked.body[24:28], "little")
            status = with_sacl if wanted & m.SYSTEM_SECURITY else 0
            return p.opened(1)._replace(status=status)
        if asked.command == m.QUERY_INFO:
            parts = int.from_bytes(asked.body[16:20], "little")
            return p.queried(b"SD %d" % parts)
        return Reply(bytes(60))

    return handle


@pytest.mark.parametrize("status", [0xC0000022, 0xC0000061])
def test_the_sacl_is_left_out_where_it_may_not_be_read(status: int) -> None:
    peer = Peer(descriptors(with_sacl=status))
    made = tree(peer)
    assert made.security_descriptor("a") == b"SD 7"
    assert made.security_descriptor("b") == b"SD 7"
    assert opened_names(peer) == ["a", "a", "b"]


def test_the_sacl_is_read_where_it_may_be() -> None:
    assert tree(Peer(descriptors(with_sacl=0))).security_descriptor("a") == b"SD 15"


def test_what_is_longer_is_asked_for_with_more_room() -> None:
    replies = p.one_of([p.queried(b"", 0x80000005), p.queried(b"long")])

    def handle(asked: Asked) -> Reply:
        return replies(asked) if asked.command == m.QUERY_INFO else rest(asked)

    rest = p.by_command(create=p.opened(1), close=Reply(bytes(60)))
    assert tree(Peer(handle)).security_descriptor("a") == b"long"


def test_what_is_never_long_enough() -> None:
    peer = Peer(
        p.by_command(create=p.opened(1), query_info=p.queried(b"", 0x80000005), close=Reply())
    )
    with pytest.raises(FileFailure) as caught:
        tree(peer).streams("a")
    assert caught.value.errno == errno.EIO


def test_a_path_that_no_request_has_room_for() -> None:
    made = tree(Peer(p.by_command(create=p.opened(1))))
    deep = "\\".join(["x" * 255] * 250)
    for ask in ASKS:
        with pytest.raises(FileFailure):
            ask(made, deep)
    with pytest.raises(FileFailure, match="more than 32767"):
        made.open("x", "s" * 40000)
    [found] = small_files(made, [(deep, 1)])
    assert found.failure is not None
