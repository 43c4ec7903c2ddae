"""What an admin is told about a clone that succeeded all the same."""

from __future__ import annotations

import logging
import threading
from typing import Dict, Tuple

log = logging.getLogger(__name__)


class Remarks:
    """One line of the log for each reason, however many files it concerns. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: Dict[str, Tuple[str, int]] = {}  # the first path, and how many others

    def add(self, reason: str, where: object) -> None:
        with self._lock:
            first, others = self._found.get(reason, ("", -1))
            self._found[reason] = first or str(where), others + 1

    def report(self) -> None:
        for reason, (first, others) in self._found.items():
            more = f" (the same applies to {others} more)" if others else ""
            log.warning("%s %s%s", first, reason, more)
