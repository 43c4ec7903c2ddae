"""Which failures a new connection cures, how often it is tried, and when it is given up."""

from __future__ import annotations

import errno
from typing import Any, Callable, List

import pytest

from fsrvpd.requestor.errors import AccessRefused, Disconnected, RequestorError
from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files.channel import Channel
from fsrvpd.requestor.files.link import MOST_LOSSES, Link, Refused, good
from fsrvpd.requestor.files.records import FileFailure
from tests.unit.requestor.files import peer as p
from tests.unit.requestor.files.peer import Asked, Peer, Reply

GONE = 0xC0000203  # USER_SESSION_DELETED


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Server:
    """`connect` of a link: does or raises one thing after the other."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.attempts = 0

    def __call__(self) -> Any:
        self.attempts += 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome().session()


def answering() -> Peer:
    return Peer(p.by_command(read=p.read(b"data")))


def hanging_up() -> Peer:
    def hang_up(asked: Asked) -> Reply:
        peer.hang_up()
        return Reply()

    peer = Peer(hang_up)
    return peer


def forgetting() -> Peer:
    return Peer(p.by_command(read=Reply(bytes(9), GONE)))


def link(server: Callable[[], Any], give_up: float = 60.0) -> Link:
    clock = Clock()
    return Link(server, "data", give_up=give_up, clock=clock, sleep=clock.sleep)


def read(channel: Channel) -> bytes:
    [answer] = channel.ask(m.read(p.FILE_ID, 0, 4))
    return bytes(m.read_data(good(answer)))


def name() -> str:
    return r"\\nas\data\a"


@pytest.mark.parametrize("broken", [hanging_up, forgetting])
def test_another_connection_helps(broken: Callable[[], Peer]) -> None:
    server = Server(broken, Disconnected("nas", "no", ""), broken, answering)
    made = link(server)
    assert made.run(name, read) == b"data"
    assert (server.attempts, made.reconnections) == (4, 2)


def test_a_server_that_breaks_at_each_request_is_given_up() -> None:
    server = Server(hanging_up)
    with pytest.raises(FileFailure) as caught:
        link(server).run(name, read)
    assert caught.value.errno == errno.EIO
    assert caught.value.object == name()
    assert server.attempts == MOST_LOSSES + 1


def test_a_server_that_is_gone_is_given_up_after_the_time() -> None:
    server = Server(hanging_up, Disconnected("nas", "it is gone", ""))
    made = link(server, give_up=10.0)
    with pytest.raises(FileFailure, match="it is gone") as caught:
        made.run(name, read)
    assert caught.value.errno == errno.EIO
    before = server.attempts
    assert 10 < before < 20
    with pytest.raises(FileFailure):  # the next file does not wait so long again
        made.run(name, read)
    assert server.attempts == before + 1


def test_the_first_connection_is_tried_once() -> None:
    server = Server(Disconnected("nas", "it is not there", ""))
    with pytest.raises(FileFailure, match="it is not there"):
        link(server).run(name, read)
    assert server.attempts == 1


def test_a_refused_login_is_not_repeated() -> None:
    server = Server(hanging_up, AccessRefused("nas", "the account is locked out", ""))
    with pytest.raises(FileFailure, match="locked") as caught:
        link(server).run(name, read)
    assert caught.value.errno == errno.EACCES
    assert server.attempts == 2


@pytest.mark.parametrize(
    "early",
    [
        RequestorError(r"\\nas\data", "there is no such share", "", result=0xC00000CC),
        AccessRefused("nas", "the server reaches no domain controller", "", result=0xC000005E),
    ],
)
def test_a_server_that_has_just_been_started_is_asked_again(early: RequestorError) -> None:
    server = Server(hanging_up, early, early, answering)
    assert link(server).run(name, read) == b"data"
    assert server.attempts == 4


def test_a_refusal_is_no_reason_to_connect_again() -> None:
    server = Server(lambda: Peer(p.by_command(read=Reply(bytes(9), 0xC0000022))))
    with pytest.raises(FileFailure) as caught:
        link(server).run(name, read)
    assert caught.value.errno == errno.EACCES
    assert server.attempts == 1


def test_bytes_that_make_no_sense() -> None:
    server = Server(lambda: Peer(p.by_command(read=Reply(b"short"))))
    with pytest.raises(FileFailure, match="cut short"):
        link(server).run(name, read)


def test_closed_is_closed() -> None:
    peers: List[Peer] = [answering()]
    made = link(p.connect(peers))
    made.run(name, read)
    made.close()
    made.close()
    assert peers[0].closed
    with pytest.raises(FileFailure) as caught:
        made.run(name, read)
    assert caught.value.errno == errno.EBADF


def test_good_takes_some_statuses() -> None:
    assert good(p.answer(b"", 5), 5).status == 5
    with pytest.raises(Refused):
        good(p.answer(b"", 5))
