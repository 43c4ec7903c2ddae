"""A few threads that work on paths, while more of them turn up."""

from __future__ import annotations

import os
import threading
from typing import Callable, List, Optional

MOST = min(4, len(os.sched_getaffinity(0)))
_WORTH_A_HELPER = 8  # paths that wait for each of those who are there


class Crew:
    """Whoever calls `run` works too; helpers join where much waits. Paths are worked on in
    no order, the newest first, so that few wait. `most` is how many there may be, MOST
    unless it says."""

    def __init__(self, work: Callable[[str], None], most: int = 0) -> None:
        self._work = work
        self._most = most or MOST
        self._changed = threading.Condition()
        self._paths: List[str] = []
        self._busy = 0
        self._helpers: List[threading.Thread] = []
        self._failure: Optional[BaseException] = None

    @property
    def failed(self) -> bool:
        """One of them has failed: what the others do is in vain."""
        return self._failure is not None

    def run(self, first: str) -> None:
        """Returns when no path is left and nobody works. Raises: what `work` raised first."""
        self._paths.append(first)
        self._take_part()
        for helper in self._helpers:
            helper.join()
        if self._failure is not None:
            raise self._failure

    def add(self, path: str) -> None:
        """From within `work`."""
        with self._changed:
            self._paths.append(path)
            self._changed.notify()
            present = len(self._helpers) + 1
            if present < self._most and len(self._paths) > present * _WORTH_A_HELPER:
                self._get_help()

    def _get_help(self) -> None:
        helper = threading.Thread(target=self._take_part, name="clone", daemon=True)
        try:
            helper.start()
        except RuntimeError:  # the system has no thread to spare: then those here do it
            self._most = 0
        else:
            self._helpers.append(helper)

    def _take_part(self) -> None:
        while (path := self._next()) is not None:
            try:
                self._work(path)
            except BaseException as error:  # raised by `run`, in the caller's thread
                self._failure = self._failure or error
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _next(self) -> Optional[str]:
        with self._changed:
            self._changed.wait_for(lambda: self._paths or not self._busy or self.failed)
            if not self._paths or self.failed:
                return None
            self._busy += 1
            return self._paths.pop()
