"""What a copy lacks. Each is reported as it is found, and counted: a copy that lacks something is
never called complete."""

from __future__ import annotations

from typing import Callable, NamedTuple


class Shortfall(NamedTuple):
    """`path` is below the share, as the server or the side file has it."""

    path: str
    cause: str


class Shortfalls:
    def __init__(self, report: Callable[[Shortfall], None]) -> None:
        self._report = report
        self.count = 0

    def add(self, path: str, cause: str) -> None:
        self.count += 1
        self._report(Shortfall(path, cause))
