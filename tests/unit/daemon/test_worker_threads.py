"""Work that may block is done by threads; at the limit of threads it waits, and nothing fails."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Iterator

import pytest

from fsrvpd.daemon.worker_threads import WorkerThreads
from fsrvpd.errors import FsrvpdError


@contextmanager
def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fail(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", fail)
        yield


@pytest.fixture
def go_on() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


class Work:
    """Functions that note that they ran."""

    def __init__(self, threads: WorkerThreads) -> None:
        self.threads = threads
        self.done = threading.Semaphore(0)
        self.ran_in: list[int] = []

    def submit(self) -> None:
        def run() -> None:
            self.ran_in.append(threading.get_ident())
            self.done.release()

        self.threads.submit(run)

    def wait(self, number: int = 1) -> None:
        for _ in range(number):
            assert self.done.acquire(timeout=20)


def test_work_is_done_in_another_thread() -> None:
    work = Work(WorkerThreads("test", 1))
    work.submit()
    work.wait()
    assert threading.get_ident() not in work.ran_in
    work.threads.close()


def test_a_thread_that_hangs_keeps_no_other_work_waiting(go_on: threading.Event) -> None:
    threads = WorkerThreads("test", 4)
    for _ in range(3):
        threads.submit(lambda: go_on.wait(20))
    work = Work(threads)
    work.submit()
    work.wait()
    threads.close()


def test_there_are_no_more_threads_than_allowed(go_on: threading.Event) -> None:
    threads = WorkerThreads("test", 2)
    for _ in range(2):
        threads.submit(lambda: go_on.wait(20))
    work = Work(threads)
    work.submit()
    assert not work.done.acquire(timeout=0.1)
    go_on.set()
    work.wait()
    threads.close()


def test_work_that_fails_is_logged_and_its_thread_goes_on(caplog: Any) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    threads = WorkerThreads("test", 1)
    threads.submit(fail)
    work = Work(threads)
    work.submit()
    work.wait()
    assert "work in a thread for test failed" in caplog.text
    threads.close()


def test_at_the_limit_of_threads_those_that_run_do_all(
    monkeypatch: pytest.MonkeyPatch, caplog: Any, go_on: threading.Event
) -> None:
    threads = WorkerThreads("test", 8, ready=2)
    work = Work(threads)
    with no_more_threads(monkeypatch):
        threads.submit(lambda: go_on.wait(20))
        for _ in range(5):
            work.submit()
        work.wait(5)
        assert len(set(work.ran_in)) == 1
    text = "no more threads for test than 2: can't start new thread"
    assert caplog.text.count(text) <= 1, "one message, however much waits"
    threads.close()


def test_a_limit_that_is_lifted_is_noticed(
    monkeypatch: pytest.MonkeyPatch, go_on: threading.Event
) -> None:
    threads = WorkerThreads("test", 8)
    work = Work(threads)
    with no_more_threads(monkeypatch):
        threads.submit(lambda: go_on.wait(20))
        work.submit()
    work.submit()
    work.wait(2)
    threads.close()


def test_without_any_thread_the_start_fails_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    with no_more_threads(monkeypatch), pytest.raises(FsrvpdError, match="TasksMax="):
        WorkerThreads("test", 8)


def test_a_map_is_done_here_and_in_others_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=20)

    def together(number: int) -> tuple[int, int]:
        both.wait()
        return number, threading.get_ident()

    threads = WorkerThreads("test", 4)
    found = threads.map(together, [1, 2])
    assert [number for number, _ in found] == [1, 2]
    assert len({thread for _, thread in found}) == 2
    assert threads.map(str, []) == []
    with no_more_threads(monkeypatch):
        assert threads.map(str, range(100)) == [str(number) for number in range(100)]
    threads.close()


def test_after_the_end_nothing_that_waited_is_done(go_on: threading.Event) -> None:
    threads = WorkerThreads("test", 1)
    threads.submit(lambda: go_on.wait(20))
    work = Work(threads)
    work.submit()
    threads.close()
    go_on.set()
    assert not work.done.acquire(timeout=0.1)


def test_after_the_end_nothing_begins() -> None:
    work = Work(WorkerThreads("test", 4))
    work.threads.close()
    for _ in range(3):
        work.submit()
    assert not work.done.acquire(timeout=0.1)
