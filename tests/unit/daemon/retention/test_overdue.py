"""An age is confirmed for an hour, by a clock that nobody sets."""

from __future__ import annotations

from fsrvpd.daemon.retention.kept_copies import KeptCopy
from fsrvpd.daemon.retention.overdue import CONFIRMATION, Overdue
from tests.unit.daemon.retention.test_kept_copies import KEY, found

OLD = KeptCopy(found(5), KEY, surplus="old", by_age=True)
EXTRA = KeptCopy(found(1), KEY, surplus="no rule wants it")


def test_an_age_is_confirmed_and_a_number_needs_no_clock() -> None:
    overdue = Overdue()
    assert overdue.confirmed([OLD, EXTRA], 0.0, 1e9) == [EXTRA]
    assert overdue.confirmed([OLD], CONFIRMATION - 1, 1e9 + CONFIRMATION - 1) == []
    assert overdue.confirmed([OLD], CONFIRMATION, 1e9 + CONFIRMATION) == [OLD]


def test_a_clock_that_was_set_begins_the_hour_again() -> None:
    overdue = Overdue()
    overdue.confirmed([OLD], 0.0, 1e9)
    assert overdue.confirmed([OLD], CONFIRMATION, 1e9 + CONFIRMATION + 61) == []
    assert overdue.confirmed([OLD], 2 * CONFIRMATION, 1e9 + 2 * CONFIRMATION + 61) == [OLD]


def test_what_is_not_old_any_more_is_forgotten() -> None:
    overdue = Overdue()
    overdue.confirmed([OLD], 0.0, 1e9)
    overdue.confirmed([], 10.0, 1e9 + 10)
    assert overdue.confirmed([OLD], CONFIRMATION, 1e9 + CONFIRMATION) == []
