"""Keeps what Samba's library logs for the next response."""

from __future__ import annotations

from collections import deque
from typing import TypedDict

from samba_hooks.worker.library import Library

_MAX_LINES = 50
_MAX_LEVEL = 1  # 0: errors, 1: warnings; the rest is tracing


class Line(TypedDict):
    level: int
    text: str


class SambaLog:
    """Replaces the library's own log file or stderr for the whole process."""

    def __init__(self, library: Library) -> None:
        self._lines: deque[Line] = deque(maxlen=_MAX_LINES)
        library.on_debug(self._keep)

    def drain(self) -> list[Line]:
        """What was logged since the last call."""
        lines = list(self._lines)
        self._lines.clear()
        return lines

    def _keep(self, level: int, line: str) -> None:
        if level <= _MAX_LEVEL:
            self._lines.append({"level": level, "text": line.strip()})
