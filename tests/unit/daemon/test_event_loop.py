"""Which callbacks the loop calls, and when."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from typing import Iterator

import pytest

from fsrvpd.daemon import event_loop
from fsrvpd.daemon.event_loop import READABLE, EventLoop
from tests.unit.daemon.fake_loop import FakeLoop


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    made = EventLoop()
    yield made
    made.close()


@pytest.fixture
def fake() -> Iterator[FakeLoop]:
    made = FakeLoop()
    yield made
    made.close()


def fail(*_: object) -> None:
    raise ZeroDivisionError("a test's")


def test_a_timer_is_called_when_it_is_due_and_not_before(loop: EventLoop) -> None:
    times: list[float] = []

    def on_timer() -> None:
        times.append(loop.time())
        loop.stop()

    due = loop.time() + 0.05
    loop.call_at(due, on_timer)
    loop.call_at(due + 30, fail)
    loop.run_forever()
    assert due <= times[0] < due + 10


def test_timers_are_called_in_the_order_in_which_they_are_due(fake: FakeLoop) -> None:
    called: list[int] = []
    for delay in (3, 1, 2):
        fake.call_later(delay, partial(called.append, delay))
    fake.advance(2)
    assert called == [1, 2]
    fake.advance(1)
    assert called == [1, 2, 3]


def test_a_cancelled_timer_is_not_called(fake: FakeLoop) -> None:
    called: list[str] = []
    fake.call_later(1, lambda: second.cancel())
    second = fake.call_later(1, lambda: called.append("second"))
    third = fake.call_later(1, lambda: called.append("third"))
    fake.advance(1)
    assert called == ["third"]
    assert not second.active()
    assert not third.active()
    third.cancel()  # too late: nothing happens


def test_cancelled_timers_do_not_pile_up(fake: FakeLoop) -> None:
    """Each pipe that binds arms and cancels a timer."""
    called: list[str] = []
    fake.call_later(30, lambda: called.append("kept"))
    for _ in range(100 * event_loop.MAX_CANCELLED):
        fake.call_later(30, fail).cancel()
    assert len(fake._timers) <= 2 * event_loop.MAX_CANCELLED
    fake.advance(30)
    assert called == ["kept"]
    assert fake._cancelled == 0


def test_a_timer_that_arms_another_for_now_lets_the_turn_end(fake: FakeLoop) -> None:
    called: list[str] = []

    def again() -> None:
        called.append("again")
        fake.call_at(fake.now, again)

    fake.call_at(fake.now, again)
    fake.advance(0)
    assert called == ["again"]


def test_what_is_behind_a_callback_that_raises_is_called_in_the_same_turn(
    loop: EventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    """Callbacks of other threads, due timers and ready files do not wait for the next wake-up."""
    called: list[str] = []
    reading, writing = os.pipe()
    os.write(writing, b"!")
    loop.register(reading, READABLE, fail)
    for _ in range(2):
        loop.call_at(loop.time(), fail)
    loop.call_at(loop.time(), lambda: called.append("timer"))
    for callback in (fail, lambda: called.append("threadsafe"), fail):
        loop.call_soon_threadsafe(callback)
    loop.call_soon(lambda: called.append("soon"))
    loop.run_once(0)
    loop.unregister(reading)
    for file in (reading, writing):
        os.close(file)
    assert called == ["threadsafe", "timer", "soon"]
    assert caplog.text.count("a callback failed; please report this") == 5


def test_a_signal_that_another_thread_gets_ends_the_wait(loop: EventLoop) -> None:
    """As does one that comes when the interpreter has looked for signals and not waited yet:
    neither interrupts the wait itself."""
    loop.enable_signal_wakeup()
    before = signal.signal(signal.SIGUSR1, lambda *_: loop.stop())
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    ended = threading.Event()
    other = threading.Thread(target=signalled, args=(ended,))
    other.start()
    try:
        loop.run_forever()
        waited = other.is_alive()
    finally:
        ended.set()
        other.join()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        signal.signal(signal.SIGUSR1, before)
    assert waited, "the loop went on until something else happened"


def signalled(ended: threading.Event) -> None:
    """Take a signal that others have blocked, once they wait; stay until the loop has ended."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    time.sleep(0.2)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    ended.wait(20)


def test_another_thread_may_have_something_called(loop: EventLoop) -> None:
    called: list[int] = []

    def ask() -> None:
        loop.call_soon_threadsafe(lambda: called.append(threading.get_ident()))
        loop.call_soon_threadsafe(loop.stop)

    threading.Thread(target=ask).start()
    loop.run_forever()
    assert called == [threading.get_ident()]


def test_a_thread_that_outlives_the_loop_disturbs_nobody() -> None:
    """A thread that hangs on its storage ends when the daemon has closed everything."""
    loop = EventLoop()
    loop.close()
    loop.call_soon_threadsafe(fail)
    loop.stop()


def test_what_another_thread_starts_is_completed_in_the_same_turn(loop: EventLoop) -> None:
    called: list[str] = []
    loop.call_soon_threadsafe(lambda: loop.call_soon(lambda: called.append("reply")))
    loop.run_once(0)
    assert called == ["reply"]


def test_many_who_wake_the_loop_do_not_wait_for_it(loop: EventLoop) -> None:
    called: list[int] = []
    for number in range(10_000):
        loop.call_soon_threadsafe(partial(called.append, number))
    loop.run_once(0)
    assert called == list(range(10_000))


def test_what_is_called_soon_sees_the_work_of_the_whole_turn(loop: EventLoop) -> None:
    """This lets many clients share one transaction of the store."""
    called: list[str] = []
    pipes = [os.pipe() for _ in range(2)]

    def on_ready(events: int) -> None:
        called.append("ready")
        loop.call_soon(lambda: called.append("soon"))

    for reading, writing in pipes:
        os.write(writing, b"!")
        loop.register(reading, READABLE, on_ready)
    loop.run_once(0)
    for pipe in pipes:
        loop.unregister(pipe[0])
        for file in pipe:
            os.close(file)
    assert called == ["ready", "ready", "soon", "soon"]


def test_what_a_pending_callback_asks_for_is_called_without_a_wait(loop: EventLoop) -> None:
    called: list[str] = []
    loop.call_soon(lambda: loop.call_soon(lambda: called.append("later")))
    loop.run_once(0)
    assert called == []
    began = loop.time()
    loop.run_once(30)
    assert called == ["later"]
    assert loop.time() < began + 10


def test_more_that_is_ready_than_one_turn_takes(
    loop: EventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_loop, "MAX_EVENTS", 2)
    seen: set[int] = set()
    pipes = [os.pipe() for _ in range(5)]
    for reading, writing in pipes:
        os.write(writing, b"!")
        loop.register(
            reading, READABLE, lambda events, file=reading: (seen.add(file), os.read(file, 1))
        )
    for _ in pipes:
        loop.run_once(1.0)
    assert seen == {reading for reading, _ in pipes}
    for pipe in pipes:
        loop.unregister(pipe[0])
        for file in pipe:
            os.close(file)
