"""What is known of snapshots that an admin's commands made, kept on this machine.

<folder>/<key of the share's directory>/2026.11.21-08.30.00            the mark, a symbolic link
<folder>/<key of the share's directory>/2026.11.21-08.30.00.answer     where the snapshot is

Not on the volume: whoever could bring a disk with records on it would have commands of the
admin run on paths of his choice.

The answer is what the create command prints, into this very file, which is locked as long
as the command runs. So nothing is lost when the daemon dies meanwhile: its next life waits
for the command, and reads where the snapshot is. The file may be written to by its owner
as long as the snapshot may be.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import Iterator, NamedTuple, Optional

from fsrvpd.errors import StorageError
from fsrvpd.providers import mark as marks
from fsrvpd.providers.failures import reported
from fsrvpd.providers.mark import Mark, SnapshotName

_ANSWER = ".answer"
_PATH_MAX = 4096
_POLL = 0.05  # s, between two looks whether a command still runs
_WRITABLE, _SEALED = 0o600, 0o400


class Record(NamedTuple):
    """One snapshot's, there or not. Raises everywhere: StorageError."""

    folder: str
    key: str
    name: SnapshotName

    @property
    def path(self) -> str:
        return os.path.join(self.folder, self.key, self.name.label)

    def put(self, own: Mark, *, writable: bool) -> None:
        """On the disk when this returns. EEXIST when another snapshot has the label."""
        with reported("record the snapshot", self.path):
            os.makedirs(os.path.dirname(self.path), 0o700, exist_ok=True)
            os.symlink(marks.encode(own), os.fsencode(self.path))
            mode = _WRITABLE if writable else _SEALED
            os.close(os.open(self.path + _ANSWER, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode))
            self._sync()

    def mark(self) -> Optional[Mark]:
        try:
            target = os.readlink(os.fsencode(self.path))
        except FileNotFoundError:
            return None
        own = marks.decode(target)
        return own if own and own.shadow_copy_id == self.name.shadow_copy_id else None

    def drop(self) -> None:
        with reported("forget the snapshot", self.path):
            for path in (self.path + _ANSWER, self.path):
                with suppress(FileNotFoundError):
                    os.unlink(path)
            self._sync()

    def seal(self) -> None:
        with reported("seal the snapshot", self.path):
            os.chmod(self.path + _ANSWER, _SEALED)
            self._sync()

    @property
    def writable(self) -> bool:
        with reported("read the record", self.path):
            return stat.S_IMODE(os.stat(self.path + _ANSWER).st_mode) == _WRITABLE

    @contextmanager
    def locked(self, patience: float) -> Iterator[int]:
        """The answer's file, open; no command works on the snapshot meanwhile but one that
        is given the descriptor. Waits `patience` seconds for another."""
        with reported("open the record", self.path):
            fd = os.open(self.path + _ANSWER, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, _SEALED)
        try:
            self._lock(fd, time.monotonic() + patience)
            yield fd
        finally:
            os.close(fd)

    def _lock(self, fd: int, until: float) -> None:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StorageError(self.path, "its command still runs; see `ps`") from None
                time.sleep(_POLL)
            else:
                return

    def _sync(self) -> None:
        fd = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def answer(fd: int) -> str:
    """The first line that a command printed, as Samba reads it; empty when it did not."""
    line = os.pread(fd, _PATH_MAX, 0).split(b"\n")[0]
    return os.fsdecode(line)


def all_in(folder: str) -> Iterator[tuple[str, str, Mark]]:
    """Key, label and mark of each. Raises: StorageError."""
    with reported("read the records", folder):
        for key in _names(folder):
            for label in _names(os.path.join(folder, key)):
                path = os.path.join(folder, key, label)
                own = marks.decode(os.readlink(os.fsencode(path))) if os.path.islink(path) else None
                if own is not None:
                    yield key, label, own


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
