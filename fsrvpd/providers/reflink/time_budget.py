"""How long a clone may take, and how far it has come."""

from __future__ import annotations

import threading
import time
from math import inf

from fsrvpd.errors import TookTooLong
from fsrvpd.protocol.ports import Progress

MORE_LEFT = (
    "more were left; clone only what belongs to the backup (fsrvp:include, fsrvp:depth), share"
    " less, or use a file system that takes snapshots"
)


class TimeBudget:
    """Starts when it is constructed. Thread-safe."""

    def __init__(self, seconds: float = inf) -> None:
        self._seconds = seconds
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._files = 0

    def count(self, files: int, where: object, cause: str = MORE_LEFT) -> None:
        """So many more are cloned. Raises: TookTooLong, naming `where`, when time is up."""
        with self._lock:
            self._files += files
        if time.monotonic() - self._started > self._seconds:
            done = f"{self._files} files were cloned within {self._seconds:g} s"
            raise TookTooLong(str(where), f"{done} and {cause}")

    def progress(self) -> Progress:
        return Progress(self._files, time.monotonic() - self._started, self._seconds)
