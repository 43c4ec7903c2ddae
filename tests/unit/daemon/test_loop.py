"""What the loop calls, and when."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Iterator

import pytest

from fsrvpd.daemon import loop as module
from fsrvpd.daemon.loop import READABLE, Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def nothing() -> None:
    return None


def test_what_is_due_is_asked_for_at_once_and_then_when_it_said(loop: Loop) -> None:
    times: list[float] = []

    def when_due() -> None:
        times.append(time.monotonic())
        loop.turn_by(times[-1] + 0.05)
        loop.turn_by(times[-1] + 30)  # later than what is due already
        if len(times) == 3:
            loop.stop()

    loop.run(nothing, when_due)
    assert times[1] >= times[0] + 0.05
    assert times[2] >= times[1] + 0.05


def test_a_turn_may_bring_forward_what_is_due(loop: Loop) -> None:
    dues: list[str] = []

    def when_due() -> None:
        dues.append("due")
        loop.turn_by(time.monotonic() + 3600)
        if len(dues) == 2:
            loop.stop()

    loop.ring(lambda: loop.turn_by(time.monotonic()))
    loop.run(nothing, when_due)
    assert dues == ["due", "due"]


def test_a_signal_that_another_thread_gets_ends_the_wait(loop: Loop) -> None:
    """As does one that comes when the interpreter has looked for signals and not waited yet:
    neither interrupts the wait itself."""
    loop.heed_signals()
    before = signal.signal(signal.SIGUSR1, lambda *_: loop.stop())
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    other = threading.Thread(target=signalled)
    other.start()
    try:
        loop.run(nothing, nothing)
        waited = other.is_alive()
    finally:
        other.join()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        signal.signal(signal.SIGUSR1, before)
    assert waited, "the loop went on until something else happened"


def signalled() -> None:
    """Takes a signal that others have blocked, once they wait, and stays for a while."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    time.sleep(0.2)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    time.sleep(2)


def test_others_may_ring(loop: Loop) -> None:
    rung: list[int] = []

    def ring() -> None:
        loop.ring(lambda: rung.append(threading.get_ident()))
        loop.ring(loop.stop)

    threading.Thread(target=ring).start()
    loop.run(nothing, nothing)
    assert rung == [threading.get_ident()]


def test_after_each_turn_comes_what_the_turn_has_left(loop: Loop) -> None:
    said: list[str] = []
    loop.ring(lambda: said.append("turn"))

    def after_each_turn() -> None:
        said.append("after")
        loop.stop()

    loop.run(after_each_turn, nothing)
    assert said == ["turn", "after"]


def test_more_that_is_ready_than_one_turn_takes(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_EVENTS", 2)
    seen: set[int] = set()
    pipes = [os.pipe() for _ in range(5)]
    for reading, writing in pipes:
        os.write(writing, b"!")
        loop.add(reading, READABLE, lambda events, file=reading: (seen.add(file), os.read(file, 1)))
    for _ in pipes:
        loop.turn(1.0)
    assert seen == {reading for reading, _ in pipes}
    for pipe in pipes:
        loop.remove(pipe[0])
        for file in pipe:
            os.close(file)
