from __future__ import annotations

import threading
from typing import Callable, List, Tuple

import pytest

from fsrvpd.providers.reflink.leases import THREADS_MAX, LeaseBreaks


def never() -> None:
    pass


def test_all_are_waited_for_side_by_side_and_finished_one_at_a_time() -> None:
    together, alone = threading.Barrier(THREADS_MAX), threading.Lock()
    done: List[int] = []

    def wait(item: int) -> Callable[[bool], None]:
        together.wait(20)

        def finish(wanted: bool) -> None:
            assert alone.acquire(blocking=False)
            done.append(item)
            assert wanted
            alone.release()

        return finish

    LeaseBreaks(wait, range(2 * THREADS_MAX)).run(never)
    assert sorted(done) == list(range(2 * THREADS_MAX))


def test_what_comes_after_the_end_is_cleaned_up_only() -> None:
    released, cleaned = threading.Event(), threading.Event()
    finished: List[bool] = []

    def wait(item: int) -> Callable[[bool], None]:
        released.wait(20)

        def finish(wanted: bool) -> None:
            finished.append(wanted)
            cleaned.set()

        return finish

    def look() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        LeaseBreaks(wait, [1, 2, 3]).run(look)
    released.set()
    assert cleaned.wait(20)
    assert True not in finished


def test_the_first_failure_is_raised() -> None:
    def wait(item: Tuple[str]) -> Callable[[bool], None]:
        raise ValueError(item)

    with pytest.raises(ValueError, match="only"):
        LeaseBreaks(wait, [("only",)]).run(never)


@pytest.mark.parametrize("possible", [0, 2])
def test_without_more_threads_those_that_run_do_all(
    monkeypatch: pytest.MonkeyPatch, possible: int
) -> None:
    start, started, done = threading.Thread.start, [], []

    def start_few(thread: threading.Thread) -> None:
        if len(started) == possible:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_few)
    LeaseBreaks(lambda item: lambda wanted: done.append(item), range(20)).run(never)
    assert sorted(done) == list(range(20))
