"""Accepts the connections of one listening socket, whatever the process runs out of.

A listening socket stays readable while a connection waits, so a failure to accept it would make
the loop spin. Instead the socket is left alone for a moment. A socket that must always answer
keeps a spare descriptor: it is given up for one connection when there is no other.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from typing import Callable, Optional, Protocol

from fsrvpd.daemon.event_loop import READABLE, EventLoop, TimerHandle

log = logging.getLogger("fsrvpd.loop")

PAUSE = 0.5  # s until a connection that could not be accepted is tried again
MAX_A_TURN = 16  # connections; others have their turn, too
LOG_INTERVAL = 60.0  # s between two messages about it
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


class Listener(Protocol):
    """A listening socket; its descriptor may change while the `Acceptor` is stopped."""

    def fileno(self) -> int: ...

    def accept(self) -> Optional[socket.socket]:
        """The next connection, nonblocking; None if there is none. Raises: OSError."""


class SocketListener:
    """A `Listener` of a nonblocking socket."""

    def __init__(self, listening: socket.socket) -> None:
        self._socket = listening
        self.fileno = listening.fileno

    def accept(self) -> Optional[socket.socket]:
        try:
            connected, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None
        connected.setblocking(False)
        return connected


class Acceptor:
    """Passes each connection to `take`. Belongs to the event loop's thread. `what` is the name of
    the socket in the log."""

    def __init__(
        self,
        loop: EventLoop,
        what: str,
        listener: Listener,
        take: Callable[[socket.socket], None],
        *,
        spare: bool = False,
    ) -> None:
        self._loop = loop
        self._what = what
        self._listener = listener
        self._take = take
        self._has_spare = spare
        self._spare = -1
        self._quiet_until = 0.0
        self._pause: Optional[TimerHandle] = None
        self.restore_spare()
        self.start()

    def start(self) -> None:
        self._loop.register(self._listener.fileno(), READABLE, self._on_ready)

    def stop(self) -> None:
        """Leave the socket alone, until `start`. Call this before closing it."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        else:
            self._loop.unregister(self._listener.fileno())

    def close(self) -> None:
        self.stop()
        self._release_spare()
        self._has_spare = False

    def _on_ready(self, events: int) -> None:
        self.restore_spare()
        for _ in range(MAX_A_TURN):
            try:
                connected = self._accept()
            except OSError as error:
                self._wait(error)
                return
            if connected is None:
                return
            self._take(connected)

    def _accept(self) -> Optional[socket.socket]:
        try:
            return self._listener.accept()
        except OSError as error:
            if error.errno not in _NO_DESCRIPTORS or self._spare < 0:
                raise
        self._release_spare()
        return self._listener.accept()

    def _wait(self, error: OSError) -> None:
        self._loop.unregister(self._listener.fileno())
        self._pause = self._loop.call_later(PAUSE, self._resume)
        if self._loop.time() >= self._quiet_until:
            self._quiet_until = self._loop.time() + LOG_INTERVAL
            name = errno.errorcode.get(error.errno or 0, "?")
            log.error(
                "connections to %s have to wait: %s (%s); `ls -l /proc/%d/fd` lists the files"
                " that fsrvpd has open",
                self._what,
                error.strerror,
                name,
                os.getpid(),
            )

    def _resume(self) -> None:
        self._pause = None
        self.start()

    def restore_spare(self) -> None:
        """Call this when a connection was closed, before another socket takes its descriptor."""
        if self._has_spare and self._spare < 0:
            try:
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return  # as before; the next connection tries again

    def _release_spare(self) -> None:
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1
