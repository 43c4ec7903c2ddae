"""Which copies of a share its options want, in the manner of snapper, sanoid and restic.

No clock is asked about numbers: a rule counts the periods that have a copy. Only an age is
compared with the present.
"""

from __future__ import annotations

import time
from typing import NamedTuple, Sequence

from fsrvpd.options.share import ShareOptions

NEWEST, LAST = "newest", "last"
# By the end of an option's name, the period of a time. Weeks are those of ISO 8601.
PERIODS = {
    "hourly": "%Y-%m-%d %H",
    "daily": "%Y-%m-%d",
    "weekly": "%G-%V",
    "monthly": "%Y-%m",
    "yearly": "%Y",
}
DAY = 86_400
MB = 1_000_000


class Rules(NamedTuple):
    """`numbers` are by the end of the option's name; `free_space`: bytes, 0 for no rule."""

    last: int = 0
    numbers: tuple[tuple[str, int], ...] = ()
    days: int = 0
    free_space: int = 0

    @classmethod
    def of(cls, options: ShareOptions) -> Rules:
        numbers = tuple((name, getattr(options, f"keep_{name}")) for name in PERIODS)
        return cls(options.keep_last, numbers, options.keep_days, options.keep_free_space * MB)

    @property
    def limit_number(self) -> bool:
        return bool(self.last or any(number for _, number in self.numbers))

    @property
    def delete_something(self) -> bool:
        return bool(self.limit_number or self.days or self.free_space)

    def wanted(self, times: Sequence[float]) -> list[list[str]]:
        """Which rules want each copy, given when they were made (Unix time), newest first."""
        reasons: list[list[str]] = [[] for _ in times]
        if times:
            reasons[0].append(NEWEST)
        for found in reasons[: self.last]:
            found.append(LAST)
        for name, number in self.numbers:
            for place in _newest_of_periods(times, PERIODS[name])[:number]:
                reasons[place].append(name)
        return reasons

    def too_old(self, created: float, now: float) -> bool:
        return bool(self.days) and now - created > self.days * DAY


def _newest_of_periods(times: Sequence[float], period: str) -> list[int]:
    """The place of the newest copy of each period, newest first."""
    places: dict[str, int] = {}
    for place, moment in enumerate(times):
        places.setdefault(time.strftime(period, time.localtime(moment)), place)
    return list(places.values())
