"""Waits for files on which other processes hold leases, for all of them side by side.

The kernel has asked for each lease when the file was opened first, and takes it away after
/proc/sys/fs/lease-break-time (45 s). A process that releases its lease and takes it again at
once would never be caught by asking now and then; but while an open waits, it gets no new one.
So each file is opened by a thread that waits in the kernel.
"""

from __future__ import annotations

import threading
from typing import Callable, Generic, List, Optional, Sequence, TypeVar

THREADS_MAX = 32
_LOOK = 0.05  # s between two looks at the time limit

Item = TypeVar("Item")


class LeaseBreaks(Generic[Item]):
    """Calls `wait` for each item in threads, and what it returns, one at a time: with True, or
    with False when there is nothing more to do but to clean up."""

    def __init__(
        self, wait: Callable[[Item], Callable[[bool], None]], items: Sequence[Item]
    ) -> None:
        self._wait = wait
        self._items = list(items)
        self._lock = threading.Lock()
        self._stopped = False
        self._failure: Optional[BaseException] = None

    def run(self, look: Callable[[], None]) -> None:
        """Returns when all items are done. Raises: what an item raised first, or `look`, which
        is called now and then. A thread that still waits then ends when the kernel takes the
        lease away, and does nothing more."""
        threads = self._start()
        if not threads:
            self._work()
        try:
            for thread in threads:
                while thread.is_alive() and self._failure is None:
                    thread.join(_LOOK)
                    look()
        finally:
            with self._lock:
                self._stopped = True
        if self._failure is not None:
            raise self._failure

    def _start(self) -> List[threading.Thread]:
        threads: List[threading.Thread] = []
        for _ in range(min(THREADS_MAX, len(self._items))):
            thread = threading.Thread(target=self._work, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has no thread to spare: the others do the work
                break
            threads.append(thread)
        return threads

    def _work(self) -> None:
        while items := self._take():
            try:
                finish = self._wait(*items)
                with self._lock:
                    finish(not self._stopped)
            except BaseException as error:  # raised by `run`, in the caller's thread
                self._failure = self._failure or error

    def _take(self) -> List[Item]:
        """One item, or none when no more are to be done."""
        with self._lock:
            return [self._items.pop()] if self._items and not self._stopped else []
