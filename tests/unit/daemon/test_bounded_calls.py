"""Calls that are silent are not waited for, and hold up no other."""

from __future__ import annotations

import time
from threading import Event
from typing import Iterator

import pytest

from fsrvpd.daemon.bounded_calls import MOST_OF_STORAGE, BoundedCalls, Call

SILENCE = 0.1  # s


@pytest.fixture
def calls() -> Iterator[BoundedCalls]:
    made = BoundedCalls("test")
    yield made
    made.close()


@pytest.fixture
def answer() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


def test_what_returns_is_there(calls: BoundedCalls) -> None:
    asked = {str(number): Call("/", lambda number=number: number) for number in range(50)}
    assert calls.results(asked, SILENCE) == {str(number): number for number in range(50)}
    assert calls.results({}, SILENCE) == {}


def test_one_storage_that_hangs_holds_up_no_other(calls: BoundedCalls, answer: Event) -> None:
    asked = {number: Call("/dead", answer.wait) for number in range(3 * MOST_OF_STORAGE)}
    began = time.monotonic()
    assert calls.results({**asked, -1: Call("/live", lambda: "live")}, SILENCE) == {-1: "live"}
    assert time.monotonic() - began < 1


def test_as_long_as_some_return_the_others_are_waited_for(calls: BoundedCalls) -> None:
    asked = {n: Call("/", lambda n=n: time.sleep(n * 0.6 * SILENCE)) for n in range(6)}
    assert len(calls.results(asked, SILENCE)) == 6


def test_what_is_silent_is_not_called_again_before_it_returns(
    calls: BoundedCalls, answer: Event
) -> None:
    began = []
    returned = Event()
    dead = {"dead": Call("/", lambda: (began.append(1), answer.wait()))}
    for _ in range(3):
        assert calls.results(dead, SILENCE) == {}
    assert len(began) == 1
    calls.when_one_returns(returned.set)
    assert not returned.is_set()
    answer.set()
    assert returned.wait(5)
    assert "dead" in calls.results(dead, SILENCE)


def test_what_returned_meanwhile_is_told_at_once(calls: BoundedCalls, answer: Event) -> None:
    dead = Event()
    assert calls.results({1: Call("/", answer.wait), 2: Call("/", dead.wait)}, SILENCE) == {}
    answer.set()
    time.sleep(SILENCE)
    returned = Event()
    calls.when_one_returns(returned.set)
    assert returned.wait(1)
    dead.set()


def test_a_function_that_fails_is_the_callers(calls: BoundedCalls) -> None:
    with pytest.raises(ZeroDivisionError):
        calls.results({1: Call("/", lambda: 1 // 0)}, SILENCE)
