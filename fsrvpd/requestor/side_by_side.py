"""One task for each server, side by side, in threads that a signal does not stop.

The caller waits and may be interrupted, by Ctrl-C for example; the tasks are not: a call is never
cut off in the middle. Who is interrupted looks after the tasks that still run.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Callable, Generic, Optional, Sequence, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOOK_AGAIN = 1.0  # s: a thread that was interrupted while it waited has woken no other

# Before Python 3.11 a lock's time-out is on the wall clock, which somebody may set back.
LOCKS_ARE_MONOTONIC = sys.version_info >= (3, 11)
_PAUSE = 0.005  # s


class Ending:
    """An event that is set once, and waited for on the monotonic clock."""

    def __init__(self) -> None:
        self._is_set = False
        self._running = threading.Lock()
        self._running.acquire()

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        """By one thread only; it may do so again."""
        if not self._is_set:
            self._is_set = True
            self._running.release()

    def wait(self, seconds: float) -> bool:
        """Return whether it is set within that time."""
        if acquired(self._running, seconds):
            self._running.release()
        return self._is_set


def acquired(lock: threading.Lock, seconds: float) -> bool:
    """Wait so long at most, whatever is done to the wall clock. Return whether it was acquired."""
    if LOCKS_ARE_MONOTONIC:
        return lock.acquire(timeout=max(seconds, 0.0))
    deadline = time.monotonic() + seconds
    while not lock.acquire(blocking=False):
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(left, _PAUSE))
    return True


class Task(Generic[Result]):
    """A function in a thread of its own. Whoever must know of it to the end remembers it before
    `start`: the caller may be interrupted right after that."""

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._result: Optional[Result] = None
        self.error: Optional[BaseException] = None
        self._is_started = False
        self._taken = threading.Lock()  # by the thread that runs it
        self._is_over = False
        # Held until it is over. No Event: one whose `wait` is interrupted may stay locked.
        self._running = threading.Lock()
        self._running.acquire()

    def start(self) -> None:
        """It runs once, however often this is called: a call that was interrupted may have begun
        nothing. Raises: RuntimeError if there can be no more threads."""
        self._is_started = True
        if self._taken.locked():
            return
        try:
            # A daemon thread: the end of the process does not wait for a server that hangs.
            threading.Thread(target=self._run, daemon=True).start()
        except RuntimeError:
            self._is_started = False
            raise

    def cancel(self) -> bool:
        """It will not begin any more. Return whether it has not begun."""
        if not self._taken.acquire(blocking=False):
            return False
        self._is_over = True
        self._running.release()
        return True

    def wait(self, seconds: Optional[float] = None) -> bool:
        """Return whether it has ended within that time, or was never started."""
        deadline = time.monotonic() + (float("inf") if seconds is None else seconds)
        left = 0.0
        while self._is_started and not self._is_over and left >= 0:
            left = deadline - time.monotonic()
            if acquired(self._running, min(left, _LOOK_AGAIN)):
                self._running.release()  # for whoever waits, too
        return not self._is_started or self._is_over

    def result(self) -> Result:
        """What it returned. Raises: what it raised."""
        self.wait()
        if self.error is not None:
            raise self.error
        return self._result  # type: ignore[return-value]  # it has ended without an error

    def _run(self) -> None:
        if not self._taken.acquire(blocking=False):
            return
        try:
            self._result = self._function()
        except BaseException as error:
            self.error = error
        finally:
            self._is_over = True
            self._running.release()


def begin(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Task[Result]]:
    """Start one task for each item."""
    tasks = [task_for(function, item) for item in items]
    for task in tasks:
        task.start()
    return tasks


def wait_for(tasks: Sequence[Task[Result]]) -> list[Exception]:
    """Wait until all have ended. Returns the failures. Raises: what is more than a failure."""
    for task in tasks:
        task.wait()
    errors = []
    for task in tasks:
        if isinstance(task.error, Exception):
            errors.append(task.error)
        elif task.error is not None:
            raise task.error
    return errors


def task_for(function: Callable[[Item], Result], item: Item) -> Task[Result]:
    """Not yet started."""
    return Task(lambda: function(item))
