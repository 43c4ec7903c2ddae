"""The mount table of this process, read again when the kernel says that it changed.

Spec: proc(5), /proc/pid/mounts: poll reports POLLERR and POLLPRI once after each change.
"""

from __future__ import annotations

import os
import select
import threading

from fsrvpd.core.mounts import Mount, MountTable
from fsrvpd.errors import StorageError

_MOUNTINFO = "/proc/self/mountinfo"
_CHANGED = select.POLLPRI | select.POLLERR


class LiveMounts:
    """As `MountTable`, for now. Safe for threads. An unchanged table costs one poll (1 us).

    A loop may wait for changes on `fileno()`, for POLLPRI only: it is always readable. An
    open mountinfo tells of each change once, to whoever asks first: hence one for the loop
    and one for us, and after a fork new ones, lest the child take the parent's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._generation = 0
        self._open()

    def close(self) -> None:
        self._file.close()
        self._watched.close()

    def fileno(self) -> int:
        return self._watched.fileno()

    def generation(self) -> int:
        """A number that grows with each change of the table."""
        self._current()
        return self._generation

    def lookup(self, path: str) -> Mount:
        """The mount on which a path lies. Raises: StorageError for a path that lies on none."""
        try:
            return self._current().lookup(path)
        except ValueError as error:
            raise StorageError(path, "is on no mount that this process can see") from error

    def below(self, path: str) -> list[Mount]:
        """The mounts strictly below a directory."""
        return self._current().below(path)

    def _current(self) -> MountTable:
        with self._lock:
            if self._process != os.getpid():
                self.close()
                self._open()
            # Again after reading: a change meanwhile may have torn what was read.
            while self._changed():
                self._read()
            return self._table

    def _open(self) -> None:
        self._process = os.getpid()
        self._file = open(_MOUNTINFO, "rb", buffering=0)  # noqa: SIM115 (held for life)
        self._watched = open(_MOUNTINFO, "rb", buffering=0)  # noqa: SIM115
        self._poll = select.poll()
        self._poll.register(self._file, _CHANGED)
        self._read()

    def _changed(self) -> bool:
        return any(events & _CHANGED for _, events in self._poll.poll(0))

    def _read(self) -> None:
        self._file.seek(0)
        self._table = MountTable.parse(self._file.readall())
        self._generation += 1
