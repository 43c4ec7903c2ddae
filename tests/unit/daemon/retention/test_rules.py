"""What the options of a share want to keep, of copies at these times."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from fsrvpd.daemon.retention.rules import DAY, MB, Rules
from fsrvpd.options.share import ShareOptions


def times(*texts: str) -> list[float]:
    """Newest first, of local times."""
    return sorted((datetime.fromisoformat(text).timestamp() for text in texts), reverse=True)


def rules(**options: str) -> Rules:
    return Rules.of(ShareOptions.read({f"keep {name}": text for name, text in options.items()}))


def test_without_options_everything_stays() -> None:
    none = Rules.of(ShareOptions.read({"keep": "yes"}))
    assert not none.limit_number
    assert not none.delete_something
    assert none.wanted([3.0, 2.0]) == [["newest"], []]
    assert none.wanted([]) == []
    assert not none.too_old(0.0, time.time())


def test_the_last_ones() -> None:
    assert rules(last="2").wanted([3.0, 2.0, 1.0]) == [["newest", "last"], ["last"], []]


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("hourly", [["newest", "hourly"], [], ["hourly"], [], []]),
        ("daily", [["newest", "daily"], [], [], ["daily"], []]),
        ("weekly", [["newest", "weekly"], [], [], ["weekly"], []]),
        ("monthly", [["newest", "monthly"], [], [], [], ["monthly"]]),
        ("yearly", [["newest", "yearly"], [], [], [], ["yearly"]]),
    ],
)
def test_the_newest_of_each_of_the_last_two_periods(period: str, expected: list[list[str]]) -> None:
    """A period without a copy does not count: the server may have been off."""
    made = times(
        *("2026-01-12 08:50", "2026-01-12 08:10", "2026-01-12 07:59"),
        *("2026-01-11 23:59", "2025-12-31 23:00"),
    )
    assert rules(**{period: "2"}).wanted(made) == expected


def test_one_copy_may_serve_several_rules() -> None:
    both = rules(daily="1", monthly="1", days="3")
    assert both.wanted(times("2026-01-12", "2026-01-11")) == [["newest", "daily", "monthly"], []]
    assert both.too_old(0.0, 3 * DAY + 1)
    assert not both.too_old(0.0, 3 * DAY)


def test_free_space_is_in_bytes() -> None:
    assert Rules.of(ShareOptions.read({"keep free space": "5"})).free_space == 5 * MB
