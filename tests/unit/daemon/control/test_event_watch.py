"""What a reader of `watch-events` is told of changed objects, and of what it has missed."""

from __future__ import annotations

import json
import logging
import socket
from typing import Any, Iterator

import pytest

from fsrvpd.daemon.control.event_watch import MAX_WAITING, EventWatch
from fsrvpd.daemon.control.socket_server import ControlRequest
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.log.events import report
from tests.unit.daemon.control.examples import (
    COPY_ID,
    SET_ID,
    RecordedRequest,
    SetsView,
    recovered_set,
)
from tests.unit.daemon.fake_loop import FakeLoop

log = logging.getLogger("fsrvpd.test")
OTHER_ID = SET_ID.replace("7", "8")
ANY_SET = ("set", None, None)
STATUS = ("status", None, None)


class Watched:
    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.request = RecordedRequest()
        request: Any = self.request
        loop: Any = self.loop
        view: Any = SetsView(recovered_set())
        EventWatch(loop, view, request)

    def changes(self, name: str, **fields: Any) -> list[tuple[Any, ...]]:
        """What the line of this event says."""
        report(log, name, **fields)
        self.loop.advance(0)
        assert self.request.events[-1]["event"] == name
        return [tuple(each.values()) for each in self.request.events[-1]["changed"]]


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.request.close()
    made.loop.close()


def test_the_first_line_says_that_everything_is_to_be_read(watched: Watched) -> None:
    [first] = watched.request.events
    assert (first["id"], first["event"], first["fields"]) == (0, "resync", {"missed": 0})
    kinds = [each["kind"] for each in first["changed"]]
    assert kinds == ["set", "copy", "share", "status"]


def test_objects_that_an_event_changes(watched: Watched) -> None:
    call = {"method": "ExposeShadowCopySet", "set": SET_ID}
    assert watched.changes("call", **call) == [("set", SET_ID, "Recovered"), STATUS]
    gone = [("set", OTHER_ID, "Gone"), ("copy", None, None), STATUS]
    assert watched.changes("set-removed", set=OTHER_ID) == gone
    assert watched.changes("call", method="StartShadowCopySet") == [ANY_SET, STATUS]
    assert watched.changes("kept-removed", copy=COPY_ID) == [("copy", COPY_ID, None), STATUS]
    assert watched.changes("configuration-loaded") == [("share", None, None), STATUS]
    assert watched.changes("orphan-removed", set="-") == [("copy", None, None), STATUS]
    progress = watched.changes("snapshot-progress", set=SET_ID)
    assert progress == [("set", SET_ID, "Recovered")]


def test_a_slow_reader_is_told_what_it_has_missed_and_memory_stays() -> None:
    loop: Any = EventLoop()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    request = ControlRequest(loop, ours, lambda line, request: None)
    view: Any = SetsView()
    EventWatch(loop, view, request)
    text = "x" * 10_000
    for number in range(400):
        report(log, "kept-removed", text, number=number)
        loop.run_once(0)
    assert request.open
    assert MAX_WAITING < request.unsent < MAX_WAITING + 2 * len(text)
    theirs.settimeout(0.01)
    lines = _read(theirs, loop)
    report(log, "kept-removed", number=400)
    lines += _read(theirs, loop)
    request.close()
    theirs.close()
    loop.close()
    resync = lines[-2]
    assert (resync["event"], len(resync["changed"])) == ("resync", 4)
    seen = [line["fields"]["number"] for line in lines if line["event"] == "kept-removed"]
    assert seen == [*range(400 - resync["fields"]["missed"]), 400]
    assert [line["event"] for line in lines].count("resync") == 2


def _read(connection: socket.socket, loop: EventLoop) -> list[Any]:
    """All that comes until nothing more does, without half a line."""
    data = b""
    while not data.endswith(b"\n") or _more(connection, loop):
        loop.run_once(0)
        try:
            data += connection.recv(1 << 20)
        except socket.timeout:
            continue
    return [json.loads(line)["event"] for line in data.splitlines()]


def _more(connection: socket.socket, loop: EventLoop) -> bool:
    loop.run_once(0)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except socket.timeout:
        return False
