"""Fault points of one run, each named by the call and a counter.

For example, `store.apply#3` is the third durable write. The names seen in a run without a fault
are the fault points. `Plan` chooses one of them, the side (before or after) and the fault.
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
    """The fault to inject at a point.

    `KILL` kills the process at the point, `KILL_ALL` the daemon and its worker. `ERROR` raises
    instead of calling. `HANG` waits until the file `released` exists.
    """

    point: str = NOWHERE
    side: str = BEFORE
    fault: str = KILL

    def __str__(self) -> str:
        return f"{self.fault} {self.side} {self.point}"


class FaultPoints:
    """Counts and records points and injects the fault, in the daemon and in its worker.

    `directory` holds plan and record. `daemon` is the process that `KILL_ALL` kills as well.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.daemon = os.getpid()
        self._plan = Plan(*json.loads((directory / "plan").read_text()))
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.thread = threading.local()
        self._record = os.open(directory / "fault_points", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def forked(self) -> None:
        """Make a new lock after a fork: another thread of the parent may have held the old one."""
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
        """Return the point that this thread is passing, or an empty string."""
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
        """Return whether this is the first time: a restarted worker must not fail again."""
        try:
            os.close(os.open(self.directory / "struck", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True


class Faulty:
    """Wraps an object: calls of `methods` pass points named `kind.method`."""

    def __init__(
        self,
        fault_points: FaultPoints,
        kind: str,
        inner: Any,
        methods: tuple[str, ...],
        error: Callable[[str], Exception],
    ) -> None:
        self._faults = fault_points, kind, methods, error
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        fault_points, kind, methods, error = self._faults
        attribute = getattr(self._inner, name)
        if name not in methods:
            return attribute
        return through(fault_points, f"{kind}.{name}", attribute, error)


def through(
    fault_points: FaultPoints,
    name: str,
    function: Callable[..., Any],
    error: Callable[[str], Exception],
) -> Callable[..., Any]:
    def with_faults(*arguments: Any, **named: Any) -> Any:
        with fault_points.passing(name, error):
            return function(*arguments, **named)

    return with_faults
