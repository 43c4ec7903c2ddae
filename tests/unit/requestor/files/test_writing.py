"""What is written to a share on which somebody has made links."""

from __future__ import annotations

import errno
from typing import List, Tuple

import pytest

from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files.records import FileFailure
from fsrvpd.requestor.files.writing import WritableTree
from tests.unit.requestor.files import peer as p
from tests.unit.requestor.files.peer import Asked, Peer, Reply

JUNCTION, DIRECTORY = 0x410, 0x10
OPEN_IF = 3


def tree(opens: List[Tuple[str, int]]) -> WritableTree:
    """Of a server that has the directories `top` and `plain`, and junctions `link`."""

    def handle(asked: Asked) -> Reply:
        if asked.command != m.CREATE:
            return Reply(bytes(60))
        name = asked.body[56:].decode("utf-16-le").rstrip("\0")
        disposition = asked.body[36]
        opens.append((name, disposition))
        if disposition != OPEN_IF and name.endswith("new"):
            return Reply(bytes(9), 0xC0000034)
        return p.opened(0, JUNCTION if name.endswith("link") else DIRECTORY)

    return WritableTree(p.connect([Peer(handle)]), "data", "top\\link")


def test_a_junction_is_not_followed() -> None:
    opens: List[Tuple[str, int]] = []
    with pytest.raises(FileFailure, match="not followed") as caught:
        tree(opens).make_directory("link")
    assert caught.value.errno == errno.ELOOP
    assert [name for name, disposition in opens if disposition == OPEN_IF] == []


def test_a_directory_is_made_or_there_and_the_top_is_what_the_user_named() -> None:
    opens: List[Tuple[str, int]] = []
    target = tree(opens)
    target.make_top()
    for path in ("", "plain", "new"):
        target.make_directory(path)
    made = [name for name, disposition in opens if disposition == OPEN_IF]
    assert made == ["top", "top\\link", "top\\link", "top\\link\\plain", "top\\link\\new"]
