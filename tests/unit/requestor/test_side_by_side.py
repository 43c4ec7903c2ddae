"""Tasks side by side: all end, each tells what it has done."""

from __future__ import annotations

import threading
import time

import pytest

from fsrvpd.requestor import side_by_side
from fsrvpd.requestor.side_by_side import Ending, Task, acquired, begin, wait_for

LOCK = threading.Lock


def test_tasks_run_at_the_same_time() -> None:
    barrier = threading.Barrier(3)
    tasks = begin(lambda number: barrier.wait(20) * 0 + number, [1, 2, 3])
    assert wait_for(tasks) == []
    assert [task.result() for task in tasks] == [1, 2, 3]


def test_one_failure_does_not_stop_the_others() -> None:
    done = []

    def work(number: int) -> None:
        if number == 1:
            raise ValueError("no")
        done.append(number)

    tasks = begin(work, [1, 2])
    [error] = wait_for(tasks)
    assert str(error) == "no"
    assert done == [2]
    with pytest.raises(ValueError, match="no"):
        tasks[0].result()


def test_what_is_more_than_a_failure_goes_on() -> None:
    def leave(number: int) -> None:
        raise SystemExit(number)

    with pytest.raises(SystemExit):
        wait_for(begin(leave, [1]))


def test_it_runs_once_however_often_it_is_started() -> None:
    runs: list[int] = []
    task = Task(lambda: runs.append(1))
    task.start()
    task.start()
    assert task.wait()
    task.start()
    assert runs == [1]


def test_what_has_not_begun_can_be_cancelled() -> None:
    runs: list[int] = []
    task = Task(lambda: runs.append(1))
    assert task.cancel()
    assert not task.cancel()
    task.start()
    assert task.wait()
    assert runs == []


def test_what_cannot_be_started_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    task = Task(lambda: None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            task.start()
    assert task.wait(0)


def test_a_task_that_hangs_is_not_waited_for_for_ever() -> None:
    go_on = threading.Event()
    task = Task(go_on.wait)
    assert task.wait(), "nobody has to wait for what was not started"
    task.start()
    assert not task.wait(0)
    go_on.set()
    assert task.wait()


class LockOfTheWallClock:
    """Of a Python before 3.11 whose wall clock was set back: its time-outs do not end."""

    def __init__(self) -> None:
        self._lock = LOCK()
        self.release = self._lock.release

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        assert timeout == -1, "this would wait for an hour"
        return self._lock.acquire(blocking)

    def locked(self) -> bool:
        return self._lock.locked()


@pytest.mark.parametrize("are_monotonic", [True, False])
def test_waits_end_whatever_is_done_to_the_wall_clock(
    monkeypatch: pytest.MonkeyPatch, are_monotonic: bool
) -> None:
    monkeypatch.setattr(side_by_side, "LOCKS_ARE_MONOTONIC", are_monotonic)
    with monkeypatch.context() as patch:
        if not are_monotonic:
            patch.setattr(threading, "Lock", LockOfTheWallClock)
        ending, task = Ending(), Task(time.monotonic)
    assert not ending.wait(0.02)
    assert not ending.wait(-1)
    ending.set()
    ending.set()
    assert ending.wait(0)
    assert ending.is_set()
    assert not acquired(task._running, 0.01)
    task._is_started = True
    assert not task.wait(0.01)
    task.start()
    assert task.wait(20)
