from __future__ import annotations

import time
from math import inf

import pytest

from fsrvpd.errors import TookTooLong
from fsrvpd.protocol.ports import Progress
from fsrvpd.providers.reflink.time_budget import TimeBudget


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def test_progress_counts_files_and_seconds(clock: Clock) -> None:
    budget = TimeBudget(50)
    budget.count(64, "/srv/a")
    clock.now += 2.5
    budget.count(1, "/srv/b")
    assert budget.progress() == Progress(files=65, seconds=2.5, limit=50)


def test_a_budget_that_is_spent_says_what_can_be_done(clock: Clock) -> None:
    budget = TimeBudget(50)
    clock.now += 50
    budget.count(64, "/srv/a")
    clock.now += 0.1
    with pytest.raises(TookTooLong, match=r"/srv/b: 65 files were cloned within 50 s.*include"):
        budget.count(1, "/srv/b")


def test_a_budget_without_limit(clock: Clock) -> None:
    budget = TimeBudget()
    clock.now += 1e9
    budget.count(1, "/srv/a")
    assert budget.progress().limit == inf
