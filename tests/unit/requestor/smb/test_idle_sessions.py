"""Sessions that wait for the next one who needs their server."""

from __future__ import annotations

import threading
from typing import Any, List, cast

import pytest

from fsrvpd.requestor.smb.idle_sessions import LONGEST, IdleSessions
from fsrvpd.requestor.smb.session import SmbSession


class Session:
    def __init__(self, host: str) -> None:
        self.host = host
        self.end = threading.Event()

    @property
    def closed(self) -> bool:
        return self.end.is_set()

    def close(self) -> None:
        self.end.set()


@pytest.fixture
def now() -> List[float]:
    return [0.0]


@pytest.fixture
def idle(now: List[float]) -> IdleSessions:
    return IdleSessions(lambda: now[0])


def put(idle: IdleSessions, host: str) -> Any:
    session = Session(host)
    idle.put(cast(SmbSession, session))
    return session


def test_a_session_is_taken_once(idle: IdleSessions) -> None:
    session = put(idle, "nas")
    assert idle.take("fs2") is None
    assert idle.take("nas") is session
    assert idle.take("nas") is None
    assert not session.closed


def test_of_two_the_other_one_stays(idle: IdleSessions) -> None:
    first, second = put(idle, "nas"), put(idle, "nas")
    assert {idle.take("nas"), idle.take("nas")} == {first, second}


def test_an_old_one_is_not_taken(idle: IdleSessions, now: List[float]) -> None:
    put(idle, "nas")
    now[0] += LONGEST + 1
    young = put(idle, "nas")
    assert idle.take("nas") is young
    assert idle.take("nas") is None


def test_what_nobody_takes_is_closed(now: List[float]) -> None:
    idle = IdleSessions(lambda: now[0], longest=0.05)
    taken, left = put(idle, "nas"), put(idle, "fs2")
    assert idle.take("nas") is taken
    assert left.end.wait(20)
    assert idle.take("fs2") is None
    assert not taken.closed
