"""Tries in growing distances, with jitter, until the time is over."""

from __future__ import annotations

import pytest

from fsrvpd.requestor.errors import ServerBusy
from fsrvpd.requestor.events import Event, ignore
from tests.unit.requestor.world import FastWaiting

BUSY = ServerBusy("nas", "it is busy", "wait")


def test_without_time_there_is_no_second_try() -> None:
    assert FastWaiting()(0.0, ignore).is_over()


def test_distances_grow_to_half_a_minute_and_the_last_try_is_at_the_end() -> None:
    fast = FastWaiting()
    waiting = fast(100.0, ignore)
    while not waiting.is_over():
        waiting.wait(BUSY)
    assert fast.pauses == [1, 2, 4, 8, 16, 30, 30, 9]


@pytest.mark.parametrize(("jitter", "first"), [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5)])
def test_two_that_wait_do_not_collide_again(jitter: float, first: float) -> None:
    fast = FastWaiting()
    fast(100.0, ignore, jitter).wait(BUSY)
    assert fast.pauses == [first]


def test_it_says_who_is_busy_and_how_long_it_waits() -> None:
    events: list[Event] = []
    FastWaiting()(10.0, events.append).wait(BUSY)
    [event] = events
    assert event.name == "waiting"
    assert "nas" in event.text
    assert event.fields == {"seconds": 1.0, "left": 10.0}
