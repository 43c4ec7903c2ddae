"""Time labels: each second at most once on one volume, at a cost that never grows."""

from __future__ import annotations

import threading
from typing import Callable, Dict, Tuple


class Labels:
    """Hands out seconds, moved forward past those that are taken.

    Per volume it remembers one run of seconds known to be taken, the one that it handed
    out last: a busy volume's next second is found in one step however far its labels run
    ahead of the clock. What lies outside the run is asked of the disk.

    Forward, never back: shadow_copy2 looks for a snapshot that its cached list lacks only
    when the label is younger than that list (observed: Samba 4.17.9).
    """

    def __init__(self) -> None:
        self._runs: Dict[str, Tuple[int, int]] = {}
        self._lock = threading.Lock()

    def reserve(self, volume: str, second: int, taken: Callable[[int], bool]) -> int:
        """The first second from `second` on that is neither `taken` nor handed out before."""
        with self._lock:
            first, last = self._runs.get(volume, (second, second - 1))
            if not first <= second <= last + 1:
                first, last = second, second - 1
            last += 1
            while taken(last):
                last += 1
            self._runs[volume] = (first, last)
            return last
