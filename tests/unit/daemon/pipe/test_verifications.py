"""Accounts are verified in threads, and the event loop always gets a result."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator

import pytest

from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.pipe import verifications
from fsrvpd.daemon.pipe.verifications import MAX_RUNNING, THREADS, Verifications
from fsrvpd.daemon.pipe.wrong_passwords import MAX_FAILURES
from fsrvpd.errors import AuthenticationError, WrongPassword
from fsrvpd.protocol.ports import Caller, NtlmResponse, VerifiedAccount

Verify = Callable[[NtlmResponse, Caller], VerifiedAccount]


def response_of(account: str) -> NtlmResponse:
    return NtlmResponse(b"challenge", account, "LAB", "CLIENT", b"nt", b"lm")


def caller(account: str = "alice", address: str = "10.0.0.1") -> Caller:
    sid = f"S-1-5-21-{account}"
    return Caller(address, f"LAB\\{account}", sid, frozenset(), 0, 1000, account == "")


VERIFIED = VerifiedAccount("LAB\\alice", caller().user_sid, bytes(16))


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    made = EventLoop()
    yield made
    made.close()


@contextmanager
def verifying(loop: EventLoop, verify: Verify) -> Iterator[Verifications]:
    class Verifier:
        likely_cause = "winbindd may be hung"

        def open(self) -> None:
            pass

        def close(self) -> None:
            pass

        def verify(self, response: NtlmResponse, session: Caller) -> VerifiedAccount:
            return verify(response, session)

    made = Verifications(loop, Verifier())
    yield made
    made.close()


class Hanging:
    """A verifier that blocks on one account until it is released."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._free = threading.Event()
        self.asked: list[str] = []

    def __enter__(self) -> Hanging:
        return self

    def __exit__(self, *_: object) -> None:
        self._free.set()

    def verify(self, response: NtlmResponse, session: Caller) -> VerifiedAccount:
        self.asked.append(response.account)
        if response.account == self._account:
            assert self._free.wait(60)
        return VERIFIED


def run_until(loop: EventLoop, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        loop.run_once(1.0)
    assert condition()


def result_of(loop: EventLoop, verify: Verify) -> Any:
    results: list[Any] = []
    with verifying(loop, verify) as made:
        made.begin(response_of("alice"), caller(), results.append)
        run_until(loop, lambda: bool(results))
    return results[0]


def test_yes(loop: EventLoop) -> None:
    def verify(response: NtlmResponse, session: Caller) -> VerifiedAccount:
        assert (response, session) == (response_of("alice"), caller())
        return VERIFIED

    assert result_of(loop, verify) is VERIFIED


def test_no(loop: EventLoop) -> None:
    refusal = AuthenticationError("wrong password")

    def verify(response: NtlmResponse, session: Caller) -> VerifiedAccount:
        raise refusal

    assert result_of(loop, verify) is refusal


def test_what_breaks_is_a_no(loop: EventLoop, caplog: pytest.LogCaptureFixture) -> None:
    def verify(response: NtlmResponse, session: Caller) -> VerifiedAccount:
        raise ZeroDivisionError("whatever")

    assert isinstance(result_of(loop, verify), AuthenticationError)
    assert "please report this" in caplog.text


def test_nothing_is_looked_up_for_an_anonymous_session(loop: EventLoop) -> None:
    results: list[Any] = []
    with Hanging("") as verifier, verifying(loop, verifier.verify) as made:
        made.begin(response_of("alice"), caller(""), results.append)
        assert not results, "a client must not be answered before `begin` returns"
        run_until(loop, lambda: bool(results))
        assert isinstance(results[0], AuthenticationError)
        assert verifier.asked == []


def test_an_identity_whose_verifications_hang_leaves_threads_to_others(loop: EventLoop) -> None:
    results: list[Any] = []
    with Hanging("mallory") as verifier, verifying(loop, verifier.verify) as made:
        for number in range(2 * THREADS):
            mallory = caller("mallory", f"10.0.0.{number}")
            made.begin(response_of("mallory"), mallory, results.append)
        for _ in range(2 * THREADS):
            made.begin(response_of("alice"), caller(), results.append)
        run_until(loop, lambda: len(results) == 2 * THREADS)
        assert results == [VERIFIED] * len(results)
        assert verifier.asked.count("mallory") == MAX_RUNNING


def test_the_rest_of_an_identity_has_its_turn(loop: EventLoop) -> None:
    results: list[Any] = []
    with verifying(loop, lambda response, user_sid: VERIFIED) as made:
        for _ in range(3 * THREADS):
            made.begin(response_of("alice"), caller(), results.append)
        run_until(loop, lambda: len(results) == 3 * THREADS)


def test_nothing_is_verified_for_a_client_that_has_gone(loop: EventLoop) -> None:
    results: list[Any] = []
    with Hanging("alice") as verifier, verifying(loop, verifier.verify) as made:
        begun = [
            made.begin(response_of("alice"), caller(), results.append) for _ in range(2 * THREADS)
        ]
        run_until_asked(verifier, MAX_RUNNING)
        for verification in begun:
            made.cancel(verification)
        verifier.__exit__()
        run_until(loop, lambda: not made._running)
        assert verifier.asked == ["alice"] * MAX_RUNNING
    assert results == []


def run_until_asked(verifier: Hanging, times: int) -> None:
    deadline = time.monotonic() + 20
    while len(verifier.asked) < times and time.monotonic() < deadline:
        time.sleep(0.01)


def test_an_identity_with_too_many_loses_its_latest(
    loop: EventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifications, "MAX_WAITING", 5)
    refused: list[Any] = []
    with Hanging("mallory") as verifier, verifying(loop, verifier.verify) as made:
        for number in range(MAX_RUNNING + 5 + 2):
            made.begin(
                response_of("mallory"), caller("mallory"), lambda _, n=number: refused.append(n)
            )
        run_until(loop, lambda: bool(refused))
    assert refused == [MAX_RUNNING + 5, MAX_RUNNING + 6]


def test_who_has_most_waiting_pays_for_the_limit_of_all(
    loop: EventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifications, "MAX_WAITING_OF_ALL", 4)
    refused: list[str] = []
    with Hanging("mallory") as verifier, verifying(loop, verifier.verify) as made:
        for _ in range(MAX_RUNNING + 4):
            made.begin(
                response_of("mallory"), caller("mallory"), lambda _: refused.append("mallory")
            )
        monkeypatch.setattr(verifications, "THREADS", 0)  # none for alice
        made.begin(response_of("alice"), caller(), lambda _: refused.append("alice"))
        run_until(loop, lambda: bool(refused))
    assert refused == ["mallory"]


def test_who_waits_too_long_is_refused(loop: EventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that hang and those that wait for a thread time out; later results are ignored."""
    monkeypatch.setattr(verifications, "TIMEOUT", 0.0)
    results: list[Any] = []
    with Hanging("alice") as verifier, verifying(loop, verifier.verify) as made:
        for _ in range(2 * MAX_RUNNING):
            made.begin(response_of("alice"), caller(), results.append)
        assert not results
        loop.run_once(0)
        assert [str(result) for result in results] == [
            r"authentication of LAB\alice timed out after 0 s; winbindd may be hung"
        ] * len(results)
        verifier.__exit__()
        run_until(loop, lambda: not made._running)
    assert len(results) == len(verifier.asked) * 2 == 2 * MAX_RUNNING


def test_wrong_passwords_are_limited_for_who_sends_them(loop: EventLoop) -> None:
    """Whoever guesses with a session of alice does not keep her out on her own machine."""
    results: list[Any] = []
    asked: list[str] = []

    def verify(response: NtlmResponse, session: Caller) -> VerifiedAccount:
        asked.append(response.account)
        raise WrongPassword("wrong password")

    with verifying(loop, verify) as made:
        for number in range(MAX_FAILURES + 3):
            made.begin(response_of("alice"), caller(), results.append)
            run_until(loop, lambda number=number: len(results) == number + 1)
        assert len(asked) == MAX_FAILURES
        assert "10 wrong passwords" in str(results[-1])
        made.begin(response_of("alice"), caller(address="10.0.0.2"), results.append)
        run_until(loop, lambda: len(asked) == MAX_FAILURES + 1)


def test_a_thread_that_cannot_be_started_costs_no_login(
    loop: EventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    results: list[Any] = []
    with verifying(loop, lambda response, user_sid: VERIFIED) as made:
        made.open()

        def start(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", start)
        for _ in range(2 * THREADS):
            made.begin(response_of("alice"), caller(), results.append)
        run_until(loop, lambda: len(results) == 2 * THREADS)
    assert results == [VERIFIED] * len(results)
