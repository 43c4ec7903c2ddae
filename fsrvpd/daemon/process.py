"""What the system sees of the process: pid file, background, readiness, exit."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import sys
import threading
import time
from typing import NoReturn

from fsrvpd.errors import ConfigError

_BEGUN_ANEW = "FSRVPD_BEGUN_ANEW"  # in the environment
THREADS_TIMEOUT = 1.0  # s that threads have to end after the daemon has closed everything


class PidFile:
    """A locked file with the daemon's process id, like those of Samba's daemons.

    The lock ends with the process, so a stale file does no harm.
    """

    def __init__(self, path: str) -> None:
        """Raises: ConfigError when another process holds it or it cannot be created."""
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise ConfigError(f"{path}: pid file cannot be created: {error.strerror}") from error
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"{path}: fsrvpd is already running with this configuration (process"
                f" {self._owner()}); stop it first (fsrvpctl fsrvpd shutdown)"
            ) from error
        os.ftruncate(self._file, 0)
        os.write(self._file, b"%d\n" % os.getpid())

    def _owner(self) -> str:
        return os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "?"

    def remove(self) -> None:
        os.unlink(self.path)
        os.close(self._file)


def daemonize() -> None:
    """Detach from terminal and session. The calling process exits; a child returns."""
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
    """Notify systemd if it started us so (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.sendto(state.encode(), address)


def begin_anew() -> NoReturn:
    """Become what was started: the same process, with nothing in its memory and no thread."""
    os.environ[_BEGUN_ANEW] = "yes"
    given = getattr(sys, "orig_argv", None)  # from Python 3.10 on
    logging.shutdown()
    os.execv(sys.executable, [sys.executable, *(given[1:] if given else sys.argv)])  # noqa: S606


def has_begun_anew() -> bool:
    return _BEGUN_ANEW in os.environ


def exit_without_stuck_threads() -> None:
    """Wait for threads for a moment, then exit at once if one still runs: Python would wait
    for ever for a thread that hangs on a dead disk."""
    limit = time.monotonic() + THREADS_TIMEOUT
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(limit - time.monotonic(), 0.0))
            if thread.is_alive():
                logging.shutdown()
                os._exit(0)
