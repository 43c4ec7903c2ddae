"""Free and total space of volumes, without waiting for one that hangs."""

from __future__ import annotations

import os
from concurrent.futures import Future, wait
from threading import Lock
from typing import Collection, Mapping

from fsrvpd.daemon.worker_threads import WorkerThreads

TIMEOUT = 1.0  # s; a disk that is asleep takes longer, and answers the next time
THREADS = 64


class VolumeSpace:
    """Asks each volume in a thread, and none again before it has answered. Thread-safe.

    Raises: FsrvpdError when no thread can be started.
    """

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._threads = WorkerThreads("volume space", THREADS)
        self._lock = Lock()
        self._asked: dict[str, Future[os.statvfs_result]] = {}

    def of(self, roots: Collection[str]) -> Mapping[str, os.statvfs_result]:
        """The space of each of these volumes that answers in time. Waits for them, so it is not
        for the event loop's thread."""
        asked = {root: self._ask(root) for root in roots}
        answered = wait(asked.values(), self._timeout).done
        return {
            root: future.result()
            for root, future in asked.items()
            if future in answered and future.exception() is None
        }

    def close(self) -> None:
        self._threads.close()

    def _ask(self, root: str) -> Future[os.statvfs_result]:
        with self._lock:
            future = self._asked.get(root)
            if future is None:
                future = self._asked[root] = Future()
                self._threads.submit(lambda: self._answer(root))
            return future

    def _answer(self, root: str) -> None:
        """In a thread."""
        try:
            space = os.statvfs(root)
        except (OSError, ValueError) as error:
            self._take(root).set_exception(error)
        else:
            self._take(root).set_result(space)

    def _take(self, root: str) -> Future[os.statvfs_result]:
        with self._lock:
            return self._asked.pop(root)
