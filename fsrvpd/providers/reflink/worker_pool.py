"""A few threads that work on items and find more items while they do."""

from __future__ import annotations

import os
import threading
from typing import Callable, Generic, List, Optional, TypeVar

MAX_WORKERS = min(4, len(os.sched_getaffinity(0)))
WAITING_MAX = 8  # items may hold descriptors, so few wait

Item = TypeVar("Item")


class WorkerPool(Generic[Item]):
    """Calls `work` for each item, in several threads. The caller of `run` is one of them;
    others are added when as many items wait as may. `max_workers` is MAX_WORKERS unless given."""

    def __init__(self, work: Callable[[Item], None], max_workers: int = 0) -> None:
        self._work_on = work
        self._max_workers = max_workers or MAX_WORKERS
        self._changed = threading.Condition()
        self._items: List[Item] = []
        self._busy = 0
        self._threads: List[threading.Thread] = []
        self._failure: Optional[BaseException] = None

    @property
    def failed(self) -> bool:
        """One of them has failed: the others can stop."""
        return self._failure is not None

    def run(self, first: Item) -> None:
        """Returns when all items are done. Raises: what `work` raised first."""
        self._items.append(first)
        self._work()
        for thread in self._threads:
            thread.join()
        if self._failure is not None:
            raise self._failure

    def offer(self, item: Item) -> bool:
        """From within `work`: have somebody work on the item. False when enough wait already;
        then it is for the caller to do."""
        if self._max_workers == 1:
            return False
        with self._changed:
            if len(self._items) < WAITING_MAX:
                self._items.append(item)
                self._changed.notify()
                return True
            if len(self._threads) + 1 < self._max_workers:
                self._add_worker()
        return False

    def left(self) -> List[Item]:
        """What nobody has worked on, after a failure."""
        return self._items

    def _add_worker(self) -> None:
        thread = threading.Thread(target=self._work, name="clone", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no thread to spare: the others do the work
            self._max_workers = 1
        else:
            self._threads.append(thread)

    def _work(self) -> None:
        while item := self._next():
            try:
                self._work_on(*item)
            except BaseException as error:  # raised by `run`, in the caller's thread
                self._failure = self._failure or error
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _next(self) -> List[Item]:
        """One item, or none when everything is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or not self._busy or self.failed)
            if not self._items or self.failed:
                return []
            self._busy += 1
            return [self._items.pop()]
