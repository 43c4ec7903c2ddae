"""The process as the system sees it: pid file, background, readiness."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import threading
import time

from fsrvpd.errors import ConfigError

THREADS_END = 1.0  # s that threads have to end when all jobs have, or are given up


class PidFile:
    """A locked file with our process id, as Samba's daemons keep theirs.

    The lock dies with the process, so a stale file is no obstacle.
    """

    def __init__(self, path: str) -> None:
        """Raises: ConfigError when another process holds it, or it cannot be made."""
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise ConfigError(f"{path}: the pid file cannot be made: {error.strerror}") from error
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"{path}: fsrvpd runs already on this configuration, as process"
                f" {self._owner()}; stop it first (fsrvpctl fsrvpd shutdown)"
            ) from error
        os.ftruncate(self._file, 0)
        os.write(self._file, b"%d\n" % os.getpid())

    def _owner(self) -> str:
        return os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "?"

    def remove(self) -> None:
        os.unlink(self.path)
        os.close(self._file)


def go_to_background() -> None:
    """Leave terminal and session; the caller's process ends here."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.close(null)


def notify(state: str) -> None:
    """Tell systemd, where it asked to be told (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.sendto(state.encode(), address)


def end_threads() -> None:
    """Let this process end whatever its threads do: one that hangs on a dead disk would
    otherwise be waited for, for ever."""
    limit = time.monotonic() + THREADS_END
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(limit - time.monotonic(), 0.0))
            if thread.is_alive():
                logging.shutdown()
                os._exit(0)
