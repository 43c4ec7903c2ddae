"""Accounts are checked beside the loop, and the loop hears of it whatever happens."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator

import pytest

from fsrvpd.daemon import logins
from fsrvpd.daemon.logins import Logins, file_time, nonce, server_names
from fsrvpd.daemon.loop import Loop
from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import Caller, NtlmResponse, VerifiedAccount
from fsrvpd.rpc.security.ntlm_messages import Names
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.samba_tools import SambaTools

RESPONSE = NtlmResponse(b"challenge", "alice", "LAB", "CLIENT", b"nt", b"lm")
VERIFIED = VerifiedAccount("LAB\\alice", "S-1-5-21-1-2-3-1000", bytes(16))


def configuration(**changes: Any) -> SambaConfiguration:
    facts: dict[str, Any] = dict.fromkeys(SambaConfiguration._fields, "")
    facts.update(netbios_name="NAS", workgroup="OFFICE", server_role="ROLE_STANDALONE")
    return SambaConfiguration(**{**facts, **changes})


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


Verify = Callable[[NtlmResponse, str], VerifiedAccount]


def caller(address: str = "10.0.0.1") -> Caller:
    return Caller(address, "LAB\\alice", VERIFIED.user_sid, frozenset(), 0, 1000, False)


@contextmanager
def checking(loop: Loop, verify: Verify) -> Iterator[Logins]:
    class Verifier:
        def verify(self, response: NtlmResponse, user_sid: str) -> VerifiedAccount:
            return verify(response, user_sid)

    made = Logins(loop, configuration(), SambaTools(None, [], 30), "/nowhere")
    made._verifier = Verifier()
    yield made
    made.close()


def turn_until(loop: Loop, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        loop.turn(1.0)
    assert condition()


def verdict(loop: Loop, verify: Verify) -> Any:
    verdicts: list[Any] = []
    with checking(loop, verify) as made:
        made.check(RESPONSE, caller(), verdicts.append)
        turn_until(loop, lambda: bool(verdicts))
        assert made.deadline() is None
    return verdicts[0]


def test_yes(loop: Loop) -> None:
    def verify(response: NtlmResponse, user_sid: str) -> VerifiedAccount:
        assert (response, user_sid) == (RESPONSE, VERIFIED.user_sid)
        return VERIFIED

    assert verdict(loop, verify) is VERIFIED


def test_no(loop: Loop) -> None:
    refusal = AuthenticationError("wrong password")

    def verify(response: NtlmResponse, user_sid: str) -> VerifiedAccount:
        raise refusal

    assert verdict(loop, verify) is refusal


def test_what_breaks_is_a_no(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    def verify(response: NtlmResponse, user_sid: str) -> VerifiedAccount:
        raise ZeroDivisionError("whatever")

    assert isinstance(verdict(loop, verify), AuthenticationError)
    assert "please report this" in caplog.text


class Hanging:
    """A verifier that has no answer for one account until it is let go."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._free = threading.Event()
        self.asked: list[str] = []

    def __enter__(self) -> Hanging:
        return self

    def __exit__(self, *_: object) -> None:
        self._free.set()

    def verify(self, response: NtlmResponse, user_sid: str) -> VerifiedAccount:
        self.asked.append(response.account)
        if response.account == self._account:
            assert self._free.wait(60)
        return VERIFIED


def test_a_client_whose_logins_hang_leaves_threads_to_others(loop: Loop) -> None:
    verdicts: list[Any] = []
    with Hanging("mallory") as verifier, checking(loop, verifier.verify) as made:
        for _ in range(2 * logins.WORKERS):
            made.check(RESPONSE._replace(account="mallory"), caller("10.0.0.66"), verdicts.append)
        for number in range(2 * logins.WORKERS):
            made.check(RESPONSE, caller(f"10.0.0.{number}"), verdicts.append)
        turn_until(loop, lambda: len(verdicts) == 2 * logins.WORKERS)
        assert verdicts == [VERIFIED] * len(verdicts)
        assert verifier.asked.count("mallory") == logins.MAX_OF_CLIENT


def test_the_rest_of_a_client_has_its_turn(loop: Loop) -> None:
    verdicts: list[Any] = []
    with checking(loop, lambda response, user_sid: VERIFIED) as made:
        for _ in range(3 * logins.WORKERS):
            made.check(RESPONSE, caller(), verdicts.append)
        turn_until(loop, lambda: len(verdicts) == 3 * logins.WORKERS)


def test_who_waits_too_long_is_refused(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose check hangs and those who wait for a thread; what comes later is not told."""
    monkeypatch.setattr(logins, "PATIENCE", 0.0)
    verdicts: list[Any] = []
    with Hanging("alice") as verifier, checking(loop, verifier.verify) as made:
        for _ in range(2 * logins.MAX_OF_CLIENT):
            made.check(RESPONSE, caller(), verdicts.append)
        assert made.deadline() is not None
        made.expire()
        assert [str(verdict) for verdict in verdicts] == [
            r"no verdict on LAB\alice in 0 s: does winbindd hang?"
        ] * len(verdicts)
        assert made.deadline() is None
        verifier.__exit__()
        turn_until(loop, lambda: not made._running)
    assert len(verdicts) == len(verifier.asked) * 2 == 2 * logins.MAX_OF_CLIENT


def test_names_of_a_standalone_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins.socket, "gethostname", lambda: "Nas-1.office.example")
    assert server_names(configuration()) == Names("NAS", "NAS", "nas-1", "", False)


def test_names_of_a_member() -> None:
    member = configuration(server_role="ROLE_DOMAIN_MEMBER", realm="OFFICE.EXAMPLE")
    expected = Names("NAS", "OFFICE", "nas.office.example", "office.example", True)
    assert server_names(member) == expected


def test_nonces_differ() -> None:
    assert len({nonce() for _ in range(100)}) == 100
    assert len(nonce()) == 8


def test_time_of_windows() -> None:
    """Between 2026 and 2126."""
    assert 134_116_992_000_000_000 < file_time() < 165_673_728_000_000_000
