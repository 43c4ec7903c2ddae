"""The mount table of this process, read again when the kernel reports a change that is not ours.

Spec: proc(5), /proc/pid/mounts: poll reports POLLERR and POLLPRI once after each change.
"""

from __future__ import annotations

import os
import select
import threading

from fsrvpd.core.mounts import MOUNT_ROOT, Mount, MountTable
from fsrvpd.core.other_mounts import OtherMounts
from fsrvpd.errors import StorageError

_MOUNTINFO = "/proc/self/mountinfo"
_OWN = MOUNT_ROOT.encode() + b"/"
_CHANGED = select.POLLPRI | select.POLLERR


_forks = 0  # between the first process and this one


def _count_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_count_fork)


class LiveMounts:
    """A `MountTable` that is current, without what fsrvpd itself mounts below MOUNT_ROOT.
    Thread-safe. An unchanged table costs one poll (1 us).

    An event loop may wait for changes on `fileno()`, but only for POLLPRI: it is always
    readable. An open mountinfo reports each change once, to the first who asks. Therefore the
    loop and the table have one each, and a forked child opens new ones.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._generation, self._table, self._text = 0, MountTable.parse(b""), b""
        self._is_behind = True
        self._open()

    def close(self) -> None:
        self._file.close()
        self._watched.close()

    def fileno(self) -> int:
        return self._watched.fileno()

    def generation(self) -> int:
        """A number that increases with each change of the table; fsrvpd's own mounts change
        nothing."""
        self._current()
        return self._generation

    def lookup(self, path: str) -> Mount:
        """The mount on which a path lies. Raises: StorageError when there is none."""
        try:
            return self._current().lookup(path)
        except ValueError as error:
            raise StorageError(path, "is on no mount that this process can see") from error

    def below(self, path: str) -> list[Mount]:
        """The mounts strictly below a directory."""
        return self._current().below(path)

    def _current(self) -> MountTable:
        with self._lock:
            if self._forks != _forks:
                self.close()
                self._open()
            while self._changed() or self._is_behind:
                self._is_behind = self._others.have_changed() or self._is_behind
                if self._is_behind:
                    self._read()
                    # A change meanwhile may have spoilt what was read, whatever others see now.
                    self._is_behind = self._changed()
            return self._table

    def _open(self) -> None:
        self._forks = _forks
        self._file = open(_MOUNTINFO, "rb", buffering=0)  # noqa: SIM115 (held for life)
        self._watched = open(_MOUNTINFO, "rb", buffering=0)  # noqa: SIM115
        self._poll = select.poll()
        self._poll.register(self._file, _CHANGED)
        self._others = OtherMounts(lambda path: path.startswith(_OWN))
        self._is_behind = True

    def _changed(self) -> bool:
        return any(events & _CHANGED for _, events in self._poll.poll(0))

    def _read(self) -> None:
        self._file.seek(0)
        text = _without_own(self._file.readall())
        if text != self._text:
            self._table, self._text = MountTable.parse(text), text
            self._generation += 1


def _without_own(mountinfo: bytes) -> bytes:
    """The lines of what is mounted elsewhere."""
    if _OWN not in mountinfo:
        return mountinfo
    lines = mountinfo.splitlines(keepends=True)
    return b"".join(line for line in lines if _OWN not in line or not _is_own(line))


def _is_own(line: bytes) -> bool:
    return line.split(b" ", 5)[4].startswith(_OWN)
