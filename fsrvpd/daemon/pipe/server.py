"""Serves the named pipe: accepts connections, and takes a hijacked socket back."""

from __future__ import annotations

import itertools
import logging
import socket
from functools import partial

from fsrvpd.daemon.acceptor import Acceptor
from fsrvpd.daemon.descriptors import MAX_PIPES
from fsrvpd.daemon.event_loop import READABLE, EventLoop
from fsrvpd.daemon.log.events import report
from fsrvpd.daemon.pipe.authentication import Authenticator
from fsrvpd.daemon.pipe.connection import PipeConnection
from fsrvpd.daemon.pipe.connection_limits import ConnectionLimiter
from fsrvpd.protocol.actions import CallHandler
from fsrvpd.shares.resolver import ShareResolver
from samba_hooks.pipe.listener import PipeError, PipeListener, PipeWatch

log = logging.getLogger("fsrvpd.pipe")


class PipeServer:
    """Listens on the pipe's socket and accepts smbd's connections. With `serve` False it does
    not: the socket is left to Samba's own agent."""

    def __init__(
        self,
        loop: EventLoop,
        ncalrpc_dir: str,
        authenticator: Authenticator,
        resolver: ShareResolver,
        handler: CallHandler,
        serve: bool = True,
        maximum: int = MAX_PIPES,
    ) -> None:
        self.retaken = 0  # how often the socket had to be taken back
        self._loop = loop
        self._groups = itertools.count(1)
        self._limits = ConnectionLimiter(loop, maximum)
        self._connect = partial(
            PipeConnection,
            limits=self._limits,
            authenticator=authenticator,
            resolver=resolver,
            handler=handler,
        )
        if serve:
            self._listener = PipeListener(ncalrpc_dir)
            self._watch = PipeWatch(self._listener)
            self._acceptor = Acceptor(loop, "the pipe", self._listener, self._add_connection)
            loop.register(self._watch.fileno(), READABLE, self._check_socket)
        self.serves = serve

    @property
    def number_of_connections(self) -> int:
        return len(self._limits.connections)

    @property
    def path(self) -> str:
        return self._listener.path if self.serves else ""

    def owns_pipe(self) -> bool:
        return self.serves and self._listener.is_ours()

    def close(self) -> None:
        if self.serves:
            self._stop_listening()
        for connection in list(self._limits.connections):
            connection.close("fsrvpd is shutting down")

    def _stop_listening(self) -> None:
        self._loop.unregister(self._watch.fileno())
        self._watch.close()
        self._acceptor.close()
        self._listener.close()

    def _add_connection(self, connected: socket.socket) -> None:
        if not self._limits.has_capacity():
            why = f"{self.number_of_connections} pipes are open"
            step = "next: fsrvpctl fsrvpd status; raise LimitNOFILE= of fsrvpd.service"
            report(log, "caller-refused", step, client="-", account="-", reason=why)
            connected.close()
            return
        group = next(self._groups) & 0xFFFFFFFF or next(self._groups)
        self._connect(self._loop, connected, group)

    def _check_socket(self, events: int) -> None:
        """Something changed in the pipe's directory; most likely samba-dcerpcd started."""
        while self._watch.hijacked():
            report(
                log,
                "pipe-hijacked",
                f"{self._listener.path} was taken by another program, most likely Samba's own"
                " rpcd_fsrvp (samba-dcerpcd started it); taking it back. Run `fsrvpctl setup`"
                " to move rpcd_fsrvp out of the way for good",
            )
            if not self._retake():
                return

    def _retake(self) -> bool:
        self._acceptor.stop()
        try:
            for connected in self._listener.retake():
                self._add_connection(connected)
        except PipeError as error:
            log.error("%s", error)
            return False
        finally:
            self._acceptor.start()
        self.retaken += 1
        report(log, "pipe-retaken", f"{self._listener.path} belongs to fsrvpd again")
        return True
