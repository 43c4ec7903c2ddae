"""The pipe's server: connections come in, calls go to the agent, thieves are answered."""

from __future__ import annotations

import errno
import itertools
import logging
import socket
from typing import Callable, Optional

from fsrvpd.core.messages import (
    AddToShadowCopySet,
    IsPathShadowCopied,
    IsPathSupported,
    Request,
)
from fsrvpd.daemon import trace
from fsrvpd.daemon.connection import PipeConnection
from fsrvpd.daemon.doorkeeper import Doorkeeper
from fsrvpd.daemon.events import report
from fsrvpd.daemon.logins import Answer, Logins
from fsrvpd.daemon.lookups import Lookups, Place
from fsrvpd.daemon.loop import READABLE, Loop
from fsrvpd.daemon.service import Pending, Service
from fsrvpd.daemon.shares import ShareFinder
from fsrvpd.protocol.machine import Call
from fsrvpd.protocol.ports import Caller, NtlmResponse
from fsrvpd.rpc.security.requirement import Requirement
from samba_hooks.pipe import PipeError, PipeListener, PipeWatch

log = logging.getLogger("fsrvpd.pipe")

_NAMING = (IsPathSupported, IsPathShadowCopied, AddToShadowCopySet)  # a share, and are the first


class PipeServer:
    """Fulfils `connection.Host`."""

    def __init__(
        self,
        loop: Loop,
        service: Service,
        finder: ShareFinder,
        lookups: Lookups,
        ncalrpc_dir: str,
        logins: Logins,
        requirement: Requirement,
        serve: bool = True,
    ) -> None:
        self.requirement = requirement
        self.acceptors = logins.acceptors
        self.connections: set[PipeConnection] = set()
        self.retaken = 0  # how often the socket had to be taken back
        self._loop = loop
        self._service = service
        self._finder = finder
        self._lookups = lookups
        self._logins = logins
        self._groups = itertools.count(1)
        self._door = Doorkeeper()
        if serve:
            self._listener = PipeListener(ncalrpc_dir)
            self._watch = PipeWatch(self._listener)
            loop.add(self._listener.fileno(), READABLE, self._accept)
            loop.add(self._watch.fileno(), READABLE, self._look)
        self.serves = serve

    @property
    def path(self) -> str:
        return self._listener.path if self.serves else ""

    def owns_pipe(self) -> bool:
        return self.serves and self._listener.is_ours()

    def close(self) -> None:
        if self.serves:
            self._stop_listening()
        for connection in list(self.connections):
            connection.close("fsrvpd ends")

    def _stop_listening(self) -> None:
        self._loop.remove(self._watch.fileno())
        self._watch.close()
        self._loop.remove(self._listener.fileno())
        self._listener.close()

    # What connections call.

    def take(self, pending: Pending, request: Request) -> None:
        peer = pending.peer
        if log.isEnabledFor(logging.DEBUG):
            log.debug("request of %s: %s", peer.caller.address, trace.decoded(request))
        call = Call(pending, peer.caller, pending.opnum, request)
        if isinstance(request, _NAMING):
            self._lookups.find(request.share_name, lambda place: self._take_found(call, place))
        else:
            self._service.call(call)

    def _take_found(self, call: Call, place: Place) -> None:
        call.place = place
        self._service.call(call)

    def refuse(self, pending: Pending, result: int, reason: str) -> None:
        self._service.refuse(pending, result, reason)

    def check(self, response: NtlmResponse, caller: Caller, done: Callable[[Answer], None]) -> None:
        self._logins.check(response, caller, done)

    def admits(self, client_address: str, server_address: str) -> bool:
        self._finder.is_called(server_address)
        return self._door.admits(client_address)

    def settled(self, connection: PipeConnection) -> None:
        self._door.settled(connection)

    def closed(self, connection: PipeConnection) -> None:
        self.connections.discard(connection)
        self._door.left(connection, connection.caller.address if connection.admitted else None)

    # What the daemon calls at each turn of the loop.

    def deadline(self) -> Optional[float]:
        return self._door.deadline()

    def drop_the_slow(self) -> None:
        """Close pipes whose clients have not bound in their time."""
        self._door.expire()

    # What the loop calls.

    def _accept(self, events: int) -> None:
        try:
            connected = self._listener.accept()
        except OSError as error:
            # Out of descriptors: the queue stays until somebody leaves.
            log.error("no connection taken: %s", errno.errorcode.get(error.errno or 0, error))
            return
        if connected is not None:
            self._adopt(connected)

    def _adopt(self, connected: socket.socket) -> None:
        if not self._door.has_room():
            log.error("%d pipes are open; one more is refused", len(self.connections))
            connected.close()
            return
        group = next(self._groups) & 0xFFFFFFFF or next(self._groups)
        connection = PipeConnection(self._loop, self, connected, group)
        self.connections.add(connection)
        self._loop.turn_by(self._door.arrived(connection))

    def _look(self, events: int) -> None:
        """Somebody touched the directory of the pipe: most likely samba-dcerpcd."""
        while self._watch.stolen():
            report(
                log,
                "pipe-stolen",
                f"{self._listener.path} was taken by another program, most likely Samba's own"
                " rpcd_fsrvp (samba-dcerpcd started it); taking it back. Run `fsrvpctl setup`"
                " to move rpcd_fsrvp out of the way for good",
            )
            if not self._retake():
                return

    def _retake(self) -> bool:
        self._loop.remove(self._listener.fileno())
        try:
            for connected in self._listener.retake():
                self._adopt(connected)
        except PipeError as error:
            log.error("%s", error)
            return False
        finally:
            self._loop.add(self._listener.fileno(), READABLE, self._accept)
        self.retaken += 1
        report(log, "pipe-retaken", f"{self._listener.path} is ours again")
        return True
