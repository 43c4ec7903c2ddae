"""What Samba's library says in its debug log, kept for the next response."""

from __future__ import annotations

from collections import deque

from samba_hooks.worker.libsmbconf import Library

_MOST_LINES = 50
_WORST_LEVELS = 1  # 0 is an error, 1 a warning; the rest is tracing


class SambaLog:
    """Takes the place of the library's own log file or stderr for the whole process."""

    def __init__(self, library: Library) -> None:
        self._lines: deque[tuple[int, str]] = deque(maxlen=_MOST_LINES)
        library.on_debug(self._keep)

    def take(self) -> list[tuple[int, str]]:
        """(level, line) of what was said since the last call."""
        lines = list(self._lines)
        self._lines.clear()
        return lines

    def _keep(self, level: int, line: str) -> None:
        if level <= _WORST_LEVELS:
            self._lines.append((level, line.strip()))
