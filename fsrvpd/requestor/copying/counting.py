"""How much there is to copy, found out beside the copy, by a session of its own."""

from __future__ import annotations

import threading
from typing import Callable

from fsrvpd.requestor.copying.shortfalls import Shortfalls
from fsrvpd.requestor.copying.traversal import File, Source, steps
from fsrvpd.requestor.files.records import FileFailure


class Counting:
    """For a progress bar alone: what fails is told of by the copy."""

    def __init__(self, share: Source, found: Callable[[int], None]) -> None:
        """`found` gets the bytes of all files, from another thread."""
        self._share, self._found = share, found
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Waits until the thread has ended: the session is the caller's to close."""
        self._stop.set()
        self._thread.join()

    def _count(self) -> None:
        size = 0
        try:
            for step in steps(self._share, Shortfalls(lambda shortfall: None)):
                if self._stop.is_set():
                    return
                size += step.entry.size if isinstance(step, File) else 0
        except FileFailure:
            return
        self._found(size)
