"""One opened pipe: smbd's introduction, then message mode, association and calls.

Nothing of a request is looked at before its caller has been authorised: an unauthorised
one gets E_ACCESSDENIED for every method, its stub unread.
"""

from __future__ import annotations

import logging
import socket
import time
from typing import Callable, Optional, Protocol

from fsrvpd.core.messages import OPNUMS, Request, Response
from fsrvpd.core.ndr import Malformed, decode_request
from fsrvpd.daemon.logins import Answer
from fsrvpd.daemon.logs import NOTICE
from fsrvpd.daemon.loop import READABLE, WRITABLE, Loop
from fsrvpd.daemon.service import Pending
from fsrvpd.protocol.access import refusal
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Caller, NtlmResponse
from fsrvpd.rpc.association import Association
from fsrvpd.rpc.association import Call as RpcCall
from fsrvpd.rpc.faults import Fault
from fsrvpd.rpc.security.acceptors import Acceptors
from fsrvpd.rpc.security.requirement import Requirement
from samba_hooks import npa
from samba_hooks.message_mode import MessageFraming

log = logging.getLogger("fsrvpd.pipe")

RECEIVE = 8192  # bytes at once: nearly every message is smaller
MAX_UNSENT = 1 << 20  # bytes that wait for a client which does not read; then it is dropped
NOBODY = Caller("-", "-", "", frozenset(), 0, -1, True)


class Host(Protocol):
    """What a connection needs of the server behind it."""

    requirement: Requirement
    acceptors: Acceptors

    def take(self, pending: Pending, request: Request) -> None:
        """An authorised call."""

    def refuse(self, pending: Pending, result: int, reason: str) -> None:
        """A call to be answered with nothing but a result."""

    def check(self, response: NtlmResponse, caller: Caller, done: Callable[[Answer], None]) -> None:
        """A client's claim to be somebody; `done` is called when it has been judged."""

    def admits(self, client_address: str, server_address: str) -> bool:
        """Whether the client, which came by this address of ours, may have one more pipe."""

    def settled(self, connection: PipeConnection) -> None:
        """The client has bound."""

    def closed(self, connection: PipeConnection) -> None:
        """The connection is gone."""


class PipeConnection:
    """Fulfils `service.Peer`."""

    def __init__(
        self, loop: Loop, host: Host, connected: socket.socket, association_group: int
    ) -> None:
        self.caller = NOBODY
        self.admitted = False
        self._loop = loop
        self._host = host
        self._socket = connected
        self._association = Association(association_group, host.acceptors)
        self._framing = MessageFraming()
        self._introduction = b""
        self._refusal: Optional[str] = None
        self._asked: Optional[NtlmResponse] = None
        self._settled = False
        self._unsent = b""
        self._open = True
        self._receive: Callable[[bytes], None] = self._take_introduction
        loop.add(connected.fileno(), READABLE, self._on_ready)

    def answer(self, reference: RpcCall, response: Response) -> None:
        """Send the response to a call of this connection; a closed one ignores it."""
        if not self._open:
            return
        self._association.answer(reference, response)
        self._send_outgoing()

    def close(self, reason: str) -> None:
        if not self._open:
            return
        self._open = False
        log.debug("pipe of %s closed: %s", self.caller.address, reason)
        self._loop.remove(self._socket.fileno())
        self._socket.close()
        self._host.closed(self)

    def _on_ready(self, events: int) -> None:
        try:
            if events & WRITABLE:
                self._send(b"")
            if events != WRITABLE and self._open:
                self._read()
        except Exception:
            self.close("a handler failed")  # better than a client that waits
            raise

    def _read(self) -> None:
        try:
            data = self._socket.recv(RECEIVE)
        except BlockingIOError:
            return
        except OSError as error:
            self.close(error.strerror or "broken")
            return
        if data:
            self._receive(data)
        else:
            self.close("the client hung up")

    def _take_introduction(self, data: bytes) -> None:
        """named_pipe_auth: who is calling."""
        self._introduction += data
        try:
            if len(self._introduction) < npa.LENGTH_SIZE:
                return
            size = npa.request_size(self._introduction)
            if len(self._introduction) < size:
                return
            request = npa.parse_request(self._introduction[:size])
        except npa.UnknownLevel as error:
            log.error("%s", error)
            self._send(npa.reply(error.level, npa.STATUS_INVALID_LEVEL))
            self.close("named_pipe_auth level unknown")
            return
        except npa.NpaError as error:
            log.log(NOTICE, "a connection was refused: %s", error)
            self.close("not introduced by smbd")
            return
        rest, self._introduction = self._introduction[size:], b""
        self._meet(request)
        if rest and self._open:
            self._take_messages(rest)

    def _meet(self, request: npa.PipeRequest) -> None:
        self.caller = request.caller
        self.admitted = self._host.admits(request.caller.address, request.server_address)
        if not self.admitted:
            self._send(npa.reply(request.level, npa.STATUS_PIPE_NOT_AVAILABLE))
            self._hang_up("the client has too many pipes open")
            return
        self._refusal = refusal(request.caller)
        self._receive = self._take_messages
        self._send(npa.reply(request.level))

    def _take_messages(self, data: bytes) -> None:
        association = self._association
        for message in self._framing.feed(data):
            for call in association.receive(message):
                self._take_call(call)
        if association.stirred:
            self._go_on()

    def _go_on(self) -> None:
        """Send what the association has to say, and ask what it has to ask."""
        if not self._settled and self._association.bound:
            self._settled = True
            self._host.settled(self)
        question = self._association.question
        if question is not None and question is not self._asked:
            self._asked = question
            self._host.check(question, self.caller, self._take_verdict)
        self._send_outgoing()

    def _take_verdict(self, verdict: Answer) -> None:
        """The association goes on with what has been waiting, if it is still there."""
        if not self._open:
            return
        self._asked = None
        for call in self._association.resume(verdict):
            self._take_call(call)
        self._go_on()

    def _take_call(self, call: RpcCall) -> None:
        opnum, began, host = OPNUMS[call.opnum], time.monotonic(), self._host
        why = self._refusal or host.requirement.refusal(self.caller, call.security)
        if why is not None:
            host.refuse(Pending(self, call, opnum, began), HResult.E_ACCESSDENIED, why)
            return
        try:
            request = decode_request(opnum, call.stub, call.syntax, call.big_endian)
        except Malformed as error:
            log.log(NOTICE, "%s of %s: %s", opnum.name, self.caller.address, error)
            self._association.fault(call, Fault.BAD_STUB_DATA)
            return
        host.take(Pending(self, call, opnum, began, request), request)

    def _send_outgoing(self) -> None:
        association = self._association
        for message in association.outgoing():
            self._send(MessageFraming.encode(message))
        if association.closed and not self._unsent:
            self._hang_up(association.close_reason)

    def _hang_up(self, why: str) -> None:
        """An association ends by itself only for what the client did."""
        who = f"{self.caller.account} at {self.caller.address}"
        log.log(NOTICE, "the pipe of %s is closed: %s", who, why)
        self.close(why)

    def _send(self, data: bytes) -> None:
        """Send, and keep what the socket does not take now."""
        was_waiting = bool(self._unsent)
        if was_waiting:
            data = self._unsent + data
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.close(error.strerror or "broken")
            return
        if sent == len(data) and not was_waiting:
            return
        self._unsent = data[sent:]
        if len(self._unsent) > MAX_UNSENT:
            self.close("the client does not read its answers")
        elif bool(self._unsent) != was_waiting:
            events = READABLE | WRITABLE if self._unsent else READABLE
            self._loop.change(self._socket.fileno(), events)
