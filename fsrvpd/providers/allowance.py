"""How long a clone may take, and how far it is."""

from __future__ import annotations

import threading
import time
from math import inf

from fsrvpd.errors import TookTooLong
from fsrvpd.protocol.ports import Progress


class Allowance:
    """Begins when it is made; several threads may use it."""

    def __init__(self, seconds: float = inf) -> None:
        self._seconds = seconds
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._files = 0

    def count(self, files: int, path: str) -> None:
        """So many more are done. Raises: TookTooLong, naming `path`, when time is up."""
        with self._lock:
            self._files += files
        if time.monotonic() - self._began > self._seconds:
            raise TookTooLong(
                path,
                f"{self._files} files were cloned within {self._seconds:g} s and more were"
                " left; clone only what belongs to the backup (fsrvp:include, fsrvp:depth),"
                " share less, or use a file system that takes snapshots",
            )

    def progress(self) -> Progress:
        return Progress(self._files, time.monotonic() - self._began, self._seconds)
