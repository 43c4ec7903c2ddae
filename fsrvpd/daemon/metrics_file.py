"""The file with metrics for the node exporter, written and deleted by a thread of its own: its
directory may lie on storage that hangs."""

from __future__ import annotations

import logging
import os
import secrets
from threading import Event
from typing import Callable

from fsrvpd.daemon.worker_threads import WorkerThreads

log = logging.getLogger("fsrvpd.metrics")

CLOSE_TIMEOUT = 1.0  # s that the deletion may take when the daemon ends


class MetricsFile:
    """Belongs to the event loop's thread. `content` returns what to write; it is called in the
    other thread. Raises: FsrvpdError when that cannot be started."""

    def __init__(self, content: Callable[[], bytes]) -> None:
        self._content = content
        self._thread = WorkerThreads("metrics file", most=1)
        self._path = ""
        self._written = Event()  # the last write has ended
        self._written.set()
        self._failure = ""  # the last one that was logged

    def set_path(self, path: str) -> None:
        """Write another file from now on, "" for none. The old one is deleted: its numbers
        would be taken for current ones."""
        if self._path and path != self._path:
            old = self._path
            self._thread.submit(lambda: _delete(old))
        self._path = path

    def write(self) -> None:
        """Write the file, unless the last write still waits for the disk."""
        if self._path and self._written.is_set():
            self._written.clear()
            path = self._path
            self._thread.submit(lambda: self._write(path))

    def close(self) -> None:
        """Delete the file, if that takes no time."""
        self.set_path("")
        deleted = Event()
        self._thread.submit(deleted.set)
        deleted.wait(CLOSE_TIMEOUT)
        self._thread.close()

    def _write(self, path: str) -> None:
        try:
            _replace(path, self._content())
            self._failure = ""
        except Exception as error:
            why = getattr(error, "strerror", None) or str(error)
            if why != self._failure:  # not every few seconds
                log.error("%s: metrics cannot be written: %s", path, why)
            self._failure = why
        finally:
            self._written.set()


def _replace(path: str, content: bytes) -> None:
    """Replace the file atomically, readable for the node exporter. No link is followed, since
    the directory may belong to another user."""
    folder, name = os.path.split(path)
    fresh = f".{name}.{secrets.token_hex(8)}"
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with open(os.open(fresh, flags, 0o644, dir_fd=directory), "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(content)
        os.rename(fresh, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(directory)


def _delete(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        log.error("%s: cannot be removed: %s", path, error)
