from __future__ import annotations

import threading
from typing import List

import pytest

from fsrvpd.providers.crew import Crew

FANOUT = 40


def test_all_that_turns_up_is_worked_on_once() -> None:
    done: List[str] = []

    def work(path: str) -> None:
        done.append(path)
        if path.count("/") < 2:
            for number in range(FANOUT):
                crew.add(f"{path}/{number}")

    crew = Crew(work, most=4)
    crew.run("")
    assert len(done) == len(set(done)) == 1 + FANOUT + FANOUT**2


def test_helpers_come_where_much_waits_and_no_more_than_are_allowed() -> None:
    together = threading.Barrier(3)

    def work(path: str) -> None:
        if not path:
            for number in range(60):
                crew.add(str(number))
        elif int(path) >= 57:  # the newest are taken first
            together.wait(60)

    crew = Crew(work, most=3)
    crew.run("")
    assert together.broken is False


def test_little_work_needs_no_helper() -> None:
    threads = set()

    def work(path: str) -> None:
        threads.add(threading.current_thread())
        if not path:
            for number in range(5):
                crew.add(str(number))

    crew = Crew(work, most=4)
    crew.run("")
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("fatal", [ValueError, KeyboardInterrupt])
def test_the_first_failure_ends_it_for_all(fatal: type[BaseException]) -> None:
    done: List[str] = []

    def work(path: str) -> None:
        done.append(path)
        if not path:
            for number in range(1000):
                crew.add(str(number))
        raise fatal(path)

    crew = Crew(work, most=1)
    with pytest.raises(fatal):
        crew.run("")
    assert done == [""]
    assert crew.failed


def test_who_gets_no_help_does_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done: List[str] = []

    def work(path: str) -> None:
        done.append(path)
        if not path:
            for number in range(100):
                crew.add(str(number))

    monkeypatch.setattr(threading.Thread, "start", refuse)
    crew = Crew(work, most=4)
    crew.run("")
    assert len(done) == 101
