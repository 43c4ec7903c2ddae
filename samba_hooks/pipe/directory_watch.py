"""Notices when a name appears in a directory or vanishes from it."""

from __future__ import annotations

import os

from fsrvpd.core import files

_LARGEST_READ = 64 * 1024  # bytes


class DirectoryWatch:
    """`fileno()` is readable once a name was created, deleted or renamed in a directory."""

    def __init__(self) -> None:
        """Raises: OSError."""
        self._fd = files.inotify_open()

    def fileno(self) -> int:
        return self._fd

    def add(self, directory: str) -> None:
        """Adding a directory twice changes nothing. Raises: OSError."""
        files.inotify_add(self._fd, directory)

    def drain(self) -> None:
        """Discard the events so far, so that `fileno()` is not readable any more."""
        try:
            while os.read(self._fd, _LARGEST_READ):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
