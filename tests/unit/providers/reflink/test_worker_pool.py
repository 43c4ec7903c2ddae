from __future__ import annotations

import threading
from typing import List

import pytest

from fsrvpd.providers.reflink.worker_pool import WAITING_MAX, WorkerPool

FANOUT = 40


def test_all_that_turns_up_is_worked_on_once() -> None:
    done: List[str] = []

    def work(path: str) -> None:
        done.append(path)
        if path.count("/") < 2:
            for number in range(FANOUT):
                if not pool.offer(f"{path}/{number}"):
                    work(f"{path}/{number}")

    pool = WorkerPool(work, max_workers=4)
    pool.run("")
    assert len(done) == len(set(done)) == 1 + FANOUT + FANOUT**2


def test_helpers_come_where_much_waits_and_no_more_than_are_allowed() -> None:
    together = threading.Barrier(3)

    def work(path: str) -> None:
        if not path:
            assert [pool.offer(str(number)) for number in range(60)].count(True) >= WAITING_MAX
        elif int(path) < 3:
            together.wait(60)

    pool = WorkerPool(work, max_workers=3)
    pool.run("")
    assert together.broken is False


def test_little_work_needs_no_helper() -> None:
    threads = set()

    def work(path: str) -> None:
        threads.add(threading.current_thread())
        if not path:
            assert all(pool.offer(str(number)) for number in range(5))

    pool = WorkerPool(work, max_workers=4)
    pool.run("")
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("fatal", [ValueError, KeyboardInterrupt])
def test_the_first_failure_ends_it_for_all(fatal: type[BaseException]) -> None:
    done: List[str] = []

    def work(path: str) -> None:
        done.append(path)
        for number in range(5):
            pool.offer(str(number))
        raise fatal(path)

    pool = WorkerPool(work, max_workers=2)
    with pytest.raises(fatal):
        pool.run("")
    assert done == [""]
    assert pool.failed
    assert pool.left() == ["0", "1", "2", "3", "4"]


def test_who_gets_no_help_does_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done: List[str] = []

    def work(path: str) -> None:
        done.append(path)
        if not path:
            for number in range(100):
                if not pool.offer(str(number)):
                    work(str(number))

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pool = WorkerPool(work, max_workers=4)
    pool.run("")
    assert len(done) == 101
