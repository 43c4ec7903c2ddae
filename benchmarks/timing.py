"""Times that noise can only lengthen: the best of several runs is the nearest to the truth."""

from __future__ import annotations

import time
from typing import Callable

ROUNDS = 100  # short ones, so that one or the other is not interrupted


def best(work: Callable[[], object], number: int, rounds: int = ROUNDS) -> float:
    """Seconds that one call takes: the best mean of several rounds."""
    found = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(number):
            work()
        found = min(found, (time.perf_counter() - began) / number)
    return found
