"""Attempts to thaw."""

from __future__ import annotations

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.writers.ports import ThawRecipe
from fsrvpd.requestor.writers.thawing import thaw_all, thaw_until

RECIPE = ThawRecipe("guest-agent", "vm", {})
ERROR = RequestorError("guest vm", "it hangs", "")


class Thawing:
    """Fails so many times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.attempts = 0
        self.slept: list[float] = []

    def thaw(self, recipe: ThawRecipe) -> None:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise ERROR

    def clock(self) -> float:
        return sum(self.slept)


def until(thawing: Thawing, deadline: float) -> object:
    return thaw_until(
        RECIPE, deadline, thaw=thawing.thaw, clock=thawing.clock, sleep=thawing.slept.append
    )


def test_once_is_enough() -> None:
    thawing = Thawing(0)
    assert until(thawing, 0.0) is None
    assert (thawing.attempts, thawing.slept) == (1, [])


def test_again_after_longer_and_longer_pauses() -> None:
    thawing = Thawing(9)
    assert until(thawing, 600.0) is None
    assert thawing.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_until_the_deadline() -> None:
    thawing = Thawing(99)
    assert until(thawing, 1.0) is ERROR
    assert sum(thawing.slept) < 1.0


def test_what_is_damaged_is_not_thawed() -> None:
    damaged = [ThawRecipe(kind, "app", {}) for kind in ("command", "fsfreeze", "guest-agent")]
    for error in thaw_all(damaged, 0.0):
        assert "needed to thaw it is damaged: KeyError" in str(error)


def test_one_that_fails_holds_up_no_other() -> None:
    second = RECIPE._replace(writer="db")

    def thaw(recipe: ThawRecipe) -> None:
        if recipe is RECIPE:
            raise ERROR

    assert thaw_all([RECIPE, second], 0.0, thaw) == [ERROR, None]
    assert thaw_all([], 0.0, thaw) == []
