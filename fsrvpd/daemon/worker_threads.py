"""Threads for what may block: the event loop's thread never waits for storage.

concurrent.futures would do, but it queues what it cannot start a thread for and raises all
the same, and a function that it hands over takes twice as long to begin.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Callable, Optional, Sequence, TypeVar

from fsrvpd.errors import FsrvpdError

log = logging.getLogger("fsrvpd.threads")

Function = Callable[[], object]
T = TypeVar("T")
R = TypeVar("R")


class WorkerThreads:
    """Runs functions in up to `most` threads. `ready` of them are started at once and serve
    when the system allows no more; others are started when all are busy.

    Raises: FsrvpdError when those cannot be started.
    """

    def __init__(self, name: str, most: int, ready: int = 1) -> None:
        self._name = name
        self._most = most
        self._queue = _Queue()
        self._lock = Lock()  # guards the three below
        self._threads = 0
        self._idle = 0  # threads without work; negative: functions without a thread
        self._at_limit = False  # the system refused a thread, and that was logged
        self._closed = False
        for _ in range(ready):
            try:
                self._start_thread()
            except RuntimeError as error:
                raise FsrvpdError(
                    f"no thread for {name}: {error}; raise the limit of tasks (systemd:"
                    " TasksMax=) or of processes (ulimit -u)"
                ) from error

    def submit(self, function: Function) -> None:
        """Run a function in a thread as soon as one is free; after `close` do nothing. From any
        thread; never fails."""
        if self._closed:
            return
        self._queue.put(function)
        with self._lock:
            self._idle -= 1
            needs_thread = self._idle < 0 and self._threads < self._most
        if needs_thread:
            self._try_to_start_thread()

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Call a function, which must not raise, for all items at once: in this thread, and in
        others as far as there are some. Results are in the order of the items."""
        if len(items) == 1:
            return [function(items[0])]
        places: SimpleQueue[int] = SimpleQueue()
        ended: SimpleQueue[tuple[int, R]] = SimpleQueue()
        for place in range(len(items)):
            places.put(place)

        def work() -> None:
            with suppress(Empty):
                while True:
                    place = places.get_nowait()
                    ended.put((place, function(items[place])))

        for _ in items[1:]:
            self.submit(work)
        work()
        results = dict(ended.get() for _ in items)
        return [results[place] for place in range(len(items))]

    def close(self) -> None:
        """Forget what waits, and let the threads end. Running functions are not waited for."""
        self._closed = True
        self._queue.clear()
        for _ in range(self._threads):
            self._queue.put(None)

    def _try_to_start_thread(self) -> None:
        try:
            self._start_thread()
            self._at_limit = False
        except RuntimeError as error:
            if not self._at_limit:
                log.error(
                    "no more threads for %s than %d: %s; work waits until one is free (systemd:"
                    " TasksMax=)",
                    self._name,
                    self._threads,
                    error,
                )
            self._at_limit = True

    def _start_thread(self) -> None:
        Thread(target=self._work, name=self._name, daemon=True).start()
        with self._lock:
            self._threads += 1
            self._idle += 1

    def _work(self) -> None:
        while True:
            function = self._queue.get()
            if function is None:
                return
            try:
                function()
            except Exception:
                log.exception("work in a thread for %s failed; please report this", self._name)
            del function
            with self._lock:
                self._idle += 1


class _Queue:
    """A queue of which each item wakes one thread, the last that began to wait. With
    `queue.SimpleQueue` the thread that takes an item wakes another one, which finds nothing."""

    def __init__(self) -> None:
        self._lock = Lock()  # guards both
        self._items: deque[Optional[Function]] = deque()
        self._sleeping: list[Lock] = []  # of each thread that waits, the lock that it waits for

    def put(self, item: Optional[Function]) -> None:
        with self._lock:
            self._items.append(item)
            sleeping = self._sleeping.pop() if self._sleeping else None
        if sleeping is not None:
            sleeping.release()

    def get(self) -> Optional[Function]:
        """Wait for an item and take it."""
        wakes = Lock()
        wakes.acquire()
        while True:
            with self._lock:
                if self._items:
                    return self._items.popleft()
                self._sleeping.append(wakes)
            wakes.acquire()

    def clear(self) -> None:
        with self._lock:
            self._items.clear()
