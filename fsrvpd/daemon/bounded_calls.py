"""Calls functions that wait for storage, without waiting for storage that hangs."""

from __future__ import annotations

from concurrent.futures import Future, wait
from functools import partial
from threading import Lock
from typing import Any, Callable, Hashable, Mapping, NamedTuple, Optional, TypeVar

from fsrvpd.daemon.storage_limit import StorageLimit
from fsrvpd.daemon.worker_threads import WorkerThreads

THREADS = 256
MOST_OF_STORAGE = 16  # threads that one storage may hold

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Call(NamedTuple):
    """`storage`: whatever name the callers agree on."""

    storage: str
    function: Callable[[], Any]


class BoundedCalls:
    """Runs each function in a thread. One that did not return in time goes on, and none is
    called by the same name before it has returned.

    Raises: FsrvpdError when no thread can be started.
    """

    def __init__(self, name: str) -> None:
        self._threads = WorkerThreads(name, THREADS)
        self._limit = StorageLimit(self._threads, MOST_OF_STORAGE)
        self._lock = Lock()  # guards the two below
        self._running: dict[Hashable, Future[Any]] = {}
        self._silent: set[Future[Any]] = set()

    def results(self, calls: Mapping[K, Call], silence: float) -> dict[K, Any]:
        """By name, what those return that are not silent: which end before no other has for
        `silence` s, or twice as long. Blocks. Raises: what a function raises."""
        begun = {name: self._begin(name, call) for name, call in calls.items()}
        silent = {each for each in begun.values() if each is not None}
        before = len(silent) + 1
        while silent and len(silent) < before:
            before = len(silent)
            silent = wait(silent, silence).not_done
        with self._lock:
            self._silent |= silent
        return {
            name: future.result()
            for name, future in begun.items()
            if future is not None and future not in silent
        }

    def when_one_returns(self, done: Callable[[], None]) -> None:
        """Call a function, from any thread, for each that was silent when it returns, or now."""
        with self._lock:
            silent = self._silent
            self._silent = {each for each in silent if not each.done()}
        for future in silent:
            future.add_done_callback(lambda _: done())

    def close(self) -> None:
        self._threads.close()

    def _begin(self, name: Hashable, call: Call) -> Optional[Future[Any]]:
        """None when the one before has not returned."""
        with self._lock:
            if name in self._running:
                return None
            future = self._running[name] = Future()
        work = partial(self._work, name, future, call.function)
        self._threads.submit(partial(self._limit.run, [call.storage], work))
        return future

    def _work(self, name: Hashable, future: Future[Any], function: Callable[[], Any]) -> None:
        """In a thread."""
        try:
            result = function()
        except Exception as error:
            self._forget(name)
            future.set_exception(error)
        else:
            self._forget(name)
            future.set_result(result)

    def _forget(self, name: Hashable) -> None:
        with self._lock:
            del self._running[name]
