"""What a clock says must be confirmed by time that nobody can set.

A copy that has just become too old is deleted when it still is one hour later, and nobody has
set the clock in between. What is to be deleted for another reason needs no clock.
"""

from __future__ import annotations

from typing import Optional, Sequence

from fsrvpd.daemon.retention.kept_copies import KeptCopy

CONFIRMATION = 3600.0  # s
CLOCK_JUMP = 60.0  # s between wall clock and monotonic clock


class Overdue:
    def __init__(self) -> None:
        self._since: dict[str, float] = {}  # by id of the copy; monotonic
        self._offset: Optional[float] = None

    def confirmed(self, surplus: Sequence[KeptCopy], now: float, wall: float) -> list[KeptCopy]:
        """Those that may be deleted now, at a monotonic time and by the wall clock."""
        offset, before = wall - now, self._offset
        self._offset = offset
        if before is not None and abs(offset - before) >= CLOCK_JUMP:
            self._since.clear()
        aged = {each.copy_id for each in surplus if each.by_age}
        self._since = {copy: since for copy, since in self._since.items() if copy in aged}
        for copy in aged:
            self._since.setdefault(copy, now)
        return [
            each
            for each in surplus
            if not each.by_age or now - self._since[each.copy_id] >= CONFIRMATION
        ]
