"""Noise can only lengthen times, so the best of several runs is the most accurate."""

from __future__ import annotations

import time
from typing import Callable

ROUNDS = 100  # rounds are short, so that some are not interrupted


def best(work: Callable[[], object], number: int, rounds: int = ROUNDS) -> float:
    """Return seconds per call: the best mean of several rounds."""
    found = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(number):
            work()
        found = min(found, (time.perf_counter() - began) / number)
    return found
