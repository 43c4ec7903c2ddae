"""Timestamps of snapshots: on one volume each second is used once, at constant cost."""

from __future__ import annotations

import threading
import time
from typing import Callable, Dict, Tuple

TIMESTAMP_FORMAT = "%Y.%m.%d-%H.%M.%S"  # UTC; shadow:format = _GMT-%Y.%m.%d-%H.%M.%S


def format_timestamp(second: int) -> str:
    """A second of Unix time as it is written in the name of a snapshot."""
    return time.strftime(TIMESTAMP_FORMAT, time.gmtime(second))


class UniqueTimestamps:
    """Hands out seconds, moved forward past those that are taken. Thread-safe.

    For each volume it remembers one run of seconds known to be taken, the one that it
    handed out last: a busy volume's next second is found in one step, however far its
    timestamps run ahead of the clock. Outside of that run the disk is asked.

    Forward, never back: shadow_copy2 looks for a snapshot that its cached list lacks only
    when the timestamp is younger than that list (observed: Samba 4.17.9).
    """

    def __init__(self) -> None:
        self._runs: Dict[str, Tuple[int, int]] = {}
        self._lock = threading.Lock()

    def reserve(self, volume: str, second: int, is_taken: Callable[[int], bool]) -> int:
        """The first second from `second` on that is neither taken nor was handed out before."""
        with self._lock:
            first, last = self._runs.get(volume, (second, second - 1))
            if not first <= second <= last + 1:
                first, last = second, second - 1
            last += 1
            while is_taken(last):
                last += 1
            self._runs[volume] = (first, last)
            return last
