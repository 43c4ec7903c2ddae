"""Notices that a file of Samba's configuration has changed, so that it is read again before
somebody asks: with 10,000 shares that takes Samba's parser a quarter of a second.

Whether what is known is still true is asked at each look-up all the same. A change that is not
noticed here costs the next look-up this time, and nothing else. Spec: inotify(7).
"""

from __future__ import annotations

import os
import sys
from typing import Iterable, Iterator, Set

from samba_hooks.registry.worker.libsmbconf import Library

_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_CHANGES = 0x04 | 0x08 | 0x80  # attributes, closed after writing, moved to this name
_HEADER, _SIZE_AT = 16, 12  # of an event; its name's size is at its end
_MOST = 65536  # bytes, some hundred events


class ConfigWatch:
    def __init__(self, library: Library) -> None:
        self._call = library.call
        self._names: Set[str] = set()
        self._fd = int(self._call.inotify_init1(_FLAGS))  # -1: as many as the user may have

    def fileno(self) -> int:
        """-1 if nothing can be watched."""
        return self._fd

    def follow(self, files: Iterable[str]) -> None:
        """Watch these files from now on, those that do not exist too."""
        paths = [os.path.abspath(file) for file in files]
        self._names |= {os.path.basename(path) for path in paths}
        for directory in {os.path.dirname(path) for path in paths}:
            self._call.inotify_add_watch(self._fd, os.fsencode(directory), _CHANGES)

    def has_seen(self) -> bool:
        """Whether one of them, or one of its name, has changed since the last call."""
        try:
            events = os.read(self._fd, _MOST)
        except BlockingIOError:
            return False
        return any(name in self._names for name in _names(events))


def _names(events: bytes) -> Iterator[str]:
    while events:
        end = _HEADER + int.from_bytes(events[_SIZE_AT:_HEADER], sys.byteorder)
        yield os.fsdecode(events[_HEADER:end].rstrip(b"\0"))
        events = events[end:]
