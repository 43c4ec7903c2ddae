"""How long a run waits for a server that is busy: with jitter, so that two do not collide again."""

from __future__ import annotations

import random
import time
from typing import Callable

from fsrvpd.requestor.events import Event, Report

_SHORTEST, _LONGEST = 1.0, 30.0  # s between two tries


class Waiting:
    """Tries in growing distances until `seconds` have passed."""

    def __init__(
        self,
        seconds: float,
        report: Report,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._deadline = clock() + seconds
        self._report = report
        self._clock, self._sleep, self._jitter = clock, sleep, jitter
        self._distance = _SHORTEST

    def is_over(self) -> bool:
        return self._clock() >= self._deadline

    def wait(self, why: Exception) -> None:
        """Sleep until the next try, which is not later than the end."""
        left = self._deadline - self._clock()
        seconds = max(0.0, min(left, self._distance * (0.5 + self._jitter())))
        self._distance = min(self._distance * 2, _LONGEST)
        text = f"{why}; the next try is in {seconds:.1f} s, the last in {left:.0f} s"
        self._report(Event("waiting", text, {"seconds": round(seconds, 3), "left": round(left, 3)}))
        self._sleep(seconds)
