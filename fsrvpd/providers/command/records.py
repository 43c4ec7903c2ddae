"""Records of the snapshots that an admin's commands made, kept on this machine.

<folder>/<key of the share's directory>/2026.11.21-08.30.00           the marker, a symbolic link
<folder>/<key of the share's directory>/2026.11.21-08.30.00.output    where the snapshot is

They are not on the volume: somebody who attaches a disk with records on it could have the
admin's commands run on paths of his choice.

The create command prints the path of its snapshot into this very file, which is locked as
long as the command runs. So nothing is lost when the daemon dies meanwhile: the next start
waits for the command, and reads where the snapshot is. The file's mode tells whether the
snapshot is still writable.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import Iterator, NamedTuple, Optional

from fsrvpd.core.descriptors import closing_fd
from fsrvpd.errors import StorageError
from fsrvpd.providers.catalog.marker import (
    SnapshotMarker,
    SnapshotName,
    decode_any,
    decode_or_warn,
    encode,
)
from fsrvpd.providers.catalog.volume import open_directory
from fsrvpd.providers.os_errors import as_storage_error

_OUTPUT = ".output"
_PATH_MAX = 4096
_POLL_INTERVAL = 0.05  # s, between two checks whether a command still runs
_WRITABLE, _SEALED = 0o600, 0o400


class Record(NamedTuple):
    """The record of one snapshot, whether it exists or not. Raises: StorageError."""

    folder: str
    key: str
    name: SnapshotName

    @property
    def path(self) -> str:
        return os.path.join(self.folder, self.key, self.name.timestamp)

    @property
    def _output_path(self) -> str:
        return self.path + _OUTPUT

    def put(self, marker: SnapshotMarker, *, writable: bool) -> None:
        """Durable when this returns. EEXIST when another snapshot has the timestamp."""
        with as_storage_error("record the snapshot", self.path):
            os.makedirs(os.path.dirname(self.path), 0o700, exist_ok=True)
            os.symlink(encode(marker), os.fsencode(self.path))
            mode = _WRITABLE if writable else _SEALED
            os.close(os.open(self._output_path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode))
            self._sync()

    def marker(self) -> Optional[SnapshotMarker]:
        """Also one of another version of fsrvpd."""
        with as_storage_error("read the record", self.path):
            try:
                text = os.readlink(os.fsencode(self.path))
            except FileNotFoundError:
                return None
        marker = decode_any(text, self.name.timestamp)
        return marker if marker and marker.name == self.name else None

    def remove(self) -> None:
        with as_storage_error("remove the record of the snapshot", self.path):
            for path in (self._output_path, self.path):
                with suppress(FileNotFoundError):
                    os.unlink(path)
            self._sync()

    def seal(self) -> None:
        with as_storage_error("seal the snapshot", self.path):
            os.chmod(self._output_path, _SEALED)
            self._sync()

    @property
    def writable(self) -> bool:
        with as_storage_error("read the record", self.path):
            return stat.S_IMODE(os.stat(self._output_path).st_mode) == _WRITABLE

    @contextmanager
    def locked(self, timeout: float) -> Iterator[int]:
        """The file with the command's output, open for reading and writing, and locked: no
        command works on the snapshot meanwhile but one that is given the descriptor. Waits
        `timeout` seconds for another command to end."""
        with as_storage_error("open the record", self.path):
            fd = os.open(self._output_path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, _SEALED)
        with closing_fd(fd):
            self._lock(fd, time.monotonic() + timeout)
            yield fd

    def _lock(self, fd: int, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StorageError(self.path, "its command still runs; see `ps`") from None
                time.sleep(_POLL_INTERVAL)
            else:
                return

    def _sync(self) -> None:
        with open_directory(os.path.dirname(self.path)) as fd:
            os.fsync(fd)


def printed_path(fd: int) -> str:
    """The first line that a command printed, as Samba reads it; empty without any."""
    line = os.pread(fd, _PATH_MAX, 0).split(b"\n")[0]
    return os.fsdecode(line)


def markers_in(folder: str) -> Iterator[tuple[str, SnapshotMarker]]:
    """Every key with each of its markers. Raises: StorageError."""
    with as_storage_error("read the records", folder):
        for key in _names(folder):
            for timestamp in _names(os.path.join(folder, key)):
                path = os.path.join(folder, key, timestamp)
                if os.path.islink(path):
                    text = os.readlink(os.fsencode(path))
                    marker = decode_or_warn(text, timestamp, path)
                    if marker is not None:
                        yield key, marker


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
