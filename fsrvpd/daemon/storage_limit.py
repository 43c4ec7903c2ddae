"""A limit on how many threads one storage may hold, so that one that hangs leaves the others
to everybody else."""

from __future__ import annotations

from collections import Counter, deque
from functools import partial
from threading import Lock
from typing import Collection, FrozenSet, TypeVar

from fsrvpd.daemon.worker_threads import Function, WorkerThreads

COMBINATIONS = 4  # of storages, one of them the same, that may have all the places they can

T = TypeVar("T")
_Storages = FrozenSet[str]


class StorageLimit:
    """Lets at most `most` functions at a time use the same storages, and COMBINATIONS times as
    many any one of them. Those above wait without a thread. So a storage that hangs holds up what
    needs it, and not what needs only the others that were used with it. Thread-safe; a storage is
    whatever name its users agree on."""

    def __init__(self, threads: WorkerThreads, most: int) -> None:
        self._threads = threads
        self._most = most
        self._lock = Lock()  # guards the three below
        self._running: Counter[_Storages] = Counter()
        self._users: Counter[str] = Counter()  # running functions, by storage
        self._waiting: dict[_Storages, deque[Function]] = {}  # whose turn it is first

    def run(self, storages: Collection[str], function: Function) -> None:
        """Run a function that uses these storages: here, or later in a thread of the pool."""
        together = frozenset(storages)
        with self._lock:
            may_run = self._enter(together)
            if not may_run:
                self._waiting.setdefault(together, deque()).append(function)
        if may_run:
            self._run(together, function)

    def _run(self, together: _Storages, function: Function) -> None:
        try:
            function()
        finally:
            self._leave(together)

    def _enter(self, together: _Storages) -> bool:
        if self._running[together] >= self._most:
            return False
        if any(self._users[each] >= COMBINATIONS * self._most for each in together):
            return False
        self._running[together] += 1
        self._users.update(together)
        return True

    def _leave(self, together: _Storages) -> None:
        with self._lock:
            _subtract(self._running, [together])
            _subtract(self._users, together)
            ready = [(each, self._next(each)) for each in list(self._waiting) if self._enter(each)]
        for each, function in ready:
            self._threads.submit(partial(self._run, each, function))

    def _next(self, together: _Storages) -> Function:
        """Take the first that waits for these storages; others that wait come before the next."""
        queue = self._waiting.pop(together)
        function = queue.popleft()
        if queue:
            self._waiting[together] = queue
        return function


def _subtract(counter: Counter[T], names: Collection[T]) -> None:
    counter.subtract(names)
    for name in names:
        if not counter[name]:
            del counter[name]
