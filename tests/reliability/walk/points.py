"""Points of a life, each named by what is done there and how often it was done before.

A name is `store.apply#3`: the third durable write. The names of a run that nothing
disturbs are the walk; `Plan` says at which of them, on which side, what happens.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Callable, NamedTuple

BEFORE, AFTER = "before", "after"
KILL, KILL_ALL, ERROR, HANG = "kill", "kill all", "error", "hang"
NOWHERE = "nowhere"
RETURNED = " returned"


class Plan(NamedTuple):
    """`KILL` ends the process that comes by, `KILL_ALL` the daemon with its worker,
    `ERROR` raises instead of doing, `HANG` waits until the file `released` is there."""

    point: str = NOWHERE
    side: str = BEFORE
    fault: str = KILL

    def __str__(self) -> str:
        return f"{self.fault} {self.side} {self.point}"


class Points:
    """Counts, writes down and strikes; in the daemon and in its worker. `directory` is
    where plan and record lie; `daemon` the process to be killed along."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.daemon = os.getpid()
        self._plan = Plan(*json.loads((directory / "plan").read_text()))
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.thread = threading.local()
        self._record = os.open(directory / "points", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def forked(self) -> None:
        """In a new process: another thread of the old one may have held the lock."""
        self._lock = threading.Lock()

    @contextmanager
    def passing(self, name: str, error: Callable[[str], Exception]) -> Iterator[None]:
        with self._lock:
            self._counts[name] += 1
            point = f"{name}#{self._counts[name]}"
            os.write(self._record, f"{point}\n".encode())
        self._strike_at(point, BEFORE, error)
        outer, self.thread.inside = self.inside, name
        try:
            yield
        finally:
            self.thread.inside = outer
        os.write(self._record, f"{point}{RETURNED}\n".encode())
        self._strike_at(point, AFTER, error)

    @property
    def inside(self) -> str:
        """The point that this thread is passing, empty when there is none."""
        return str(getattr(self.thread, "inside", ""))

    def _strike_at(self, point: str, side: str, error: Callable[[str], Exception]) -> None:
        if (point, side) != self._plan[:2] or not self._is_first():
            return
        if self._plan.fault == ERROR:
            raise error(f"the test wants it so {side} {point}")
        if self._plan.fault == HANG:
            while not (self.directory / "released").exists():
                time.sleep(0.01)
            return
        if self._plan.fault == KILL_ALL:
            with suppress(ProcessLookupError):
                os.kill(self.daemon, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def _is_first(self) -> bool:
        """A worker that is started anew must not stumble again."""
        try:
            os.close(os.open(self.directory / "struck", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True


class Walked:
    """An object of which calls of `methods` pass points named `kind.method`."""

    def __init__(
        self,
        points: Points,
        kind: str,
        inner: Any,
        methods: tuple[str, ...],
        error: Callable[[str], Exception],
    ) -> None:
        self._walk = points, kind, methods, error
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        points, kind, methods, error = self._walk
        attribute = getattr(self._inner, name)
        if name not in methods:
            return attribute
        return through(points, f"{kind}.{name}", attribute, error)


def through(
    points: Points, name: str, function: Callable[..., Any], error: Callable[[str], Exception]
) -> Callable[..., Any]:
    def walked(*arguments: Any, **named: Any) -> Any:
        with points.passing(name, error):
            return function(*arguments, **named)

    return walked
