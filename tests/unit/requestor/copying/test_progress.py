"""What a terminal shows."""

from __future__ import annotations

import io

import pytest

from fsrvpd.requestor.copying.progress import Progress, amount, duration
from fsrvpd.requestor.copying.totals import Totals


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bar_has_rate_and_time_left() -> None:
    totals, clock, stream = Totals(), Clock(), io.StringIO()
    progress = Progress(stream, totals, clock)
    totals.arrived(25_000_000)
    assert progress.line(10) == "25.0 MB  0 files  2.5 MB/s"
    progress.expected = 100_000_000
    assert progress.line(10) == f"[{'#' * 6}{'-' * 18}]  25% of 100 MB  2.5 MB/s  0:30 left"
    totals.unchanged(75_000_000)
    assert progress.line(10) == f"[{'#' * 24}] 100% of 100 MB  2.5 MB/s  0:00 left"


def test_it_is_drawn_as_often_as_the_eye_sees_and_cleared() -> None:
    totals, clock, stream = Totals(), Clock(), io.StringIO()
    progress = Progress(stream, totals, clock)
    progress.clear()
    assert stream.getvalue() == "", "there is nothing to clear"
    for now in (0.0, 0.1, 0.2, 0.3):
        clock.now = now
        progress.moved()
    assert stream.getvalue().count("\r") == 2
    progress.clear()
    assert stream.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_949, "99.9 kB"), (999_999, "1.0 MB")],
)
def test_amounts(count: int, text: str) -> None:
    assert amount(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (75, "1:15"), (3599.6, "1:00:00"), (90061, "25:01:01")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
