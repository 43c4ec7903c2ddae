"""Who is asked about links of DFS, and how often; the questions themselves in tests/requestor."""

from __future__ import annotations

from typing import Any, List, cast

import pytest

from fsrvpd.requestor.errors import AccessRefused, Disconnected
from fsrvpd.requestor.smb.dfs import REMEMBERED, DfsReferrals
from fsrvpd.requestor.smb.session import SmbSession

PATH = r"\\nas\data"


class Capabilities:
    def has_flag(self, flag: int) -> bool:
        return False


class Session:
    """Of a server without DFS."""

    def __init__(self, host: str, connection: Any = None) -> None:
        self.host = host
        self.closed = False
        self._connection = connection
        self.server_capabilities = Capabilities()

    @property
    def connection(self) -> Any:
        if self._connection:
            raise self._connection
        return self

    def close(self) -> None:
        self.closed = True


class Sessions:
    def __init__(self, outcome: Any = None) -> None:
        self.outcome = outcome
        self.asked: List[str] = []
        self.made: List[Session] = []
        self.given_back: List[Any] = []

    def log_in(self, host: str) -> SmbSession:
        self.asked.append(host)
        if isinstance(self.outcome, AccessRefused):
            raise self.outcome
        self.made.append(Session(host, self.outcome))
        return cast(SmbSession, self.made[-1])

    def give_back(self, session: SmbSession) -> None:
        self.given_back.append(session)


def test_the_session_is_left_to_the_next_one() -> None:
    sessions = Sessions()
    assert DfsReferrals(sessions).ask("nas", PATH) is None
    assert sessions.given_back == sessions.made
    assert not sessions.made[0].closed


def test_a_password_that_is_wrong_is_tried_once_a_minute() -> None:
    now = 5.0
    sessions = Sessions(AccessRefused("nas", "the password is wrong", ""))
    referrals = DfsReferrals(sessions, lambda: now)
    for _ in range(3):
        with pytest.raises(AccessRefused):
            referrals.ask("nas", PATH)
    assert sessions.asked == ["nas"]
    now += REMEMBERED
    with pytest.raises(AccessRefused):
        referrals.ask("nas", PATH)
    assert sessions.asked == ["nas", "nas"]


def test_a_session_that_failed_is_closed() -> None:
    sessions = Sessions(Disconnected("nas", "the connection broke", ""))
    with pytest.raises(Disconnected):
        DfsReferrals(sessions).ask("nas", PATH)
    assert sessions.made[0].closed
    assert not sessions.given_back
