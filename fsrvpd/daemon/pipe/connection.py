"""One open pipe: first smbd's named_pipe_auth request, then messages with DCE/RPC PDUs.

The stub of a request is decoded only when its caller is authorised; others get
E_ACCESSDENIED for every method.
"""

from __future__ import annotations

import logging
import socket
from shlex import quote
from typing import Callable, Optional

from fsrvpd.core.messages import OPNUMS, Response
from fsrvpd.core.messages import refusal as refusal_of
from fsrvpd.core.ndr import Malformed, TooLong, decode_request
from fsrvpd.daemon.event_loop import READABLE, WRITABLE, EventLoop
from fsrvpd.daemon.log.events import report
from fsrvpd.daemon.pipe.authentication import Authenticator
from fsrvpd.daemon.pipe.connection_limits import ConnectionLimiter
from fsrvpd.daemon.pipe.verifications import Result, Verification
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.access import refusal
from fsrvpd.protocol.actions import Call, CallHandler
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Caller
from fsrvpd.rpc.association import Association, RpcRequest
from fsrvpd.rpc.faults import Fault
from fsrvpd.shares.resolver import ShareResolver
from samba_hooks.pipe import named_pipe_auth
from samba_hooks.pipe.framing import MessageFraming

log = logging.getLogger("fsrvpd.pipe")

RECEIVE = 8192  # bytes; nearly every message is smaller
MAX_UNSENT = 1 << 17  # bytes; a client that does not read them is disconnected
END_TIMEOUT = 5.0  # s that a client has to read the last PDUs of its association
INTERNAL_ERROR = "an internal error"  # a closed pipe is better than a client that waits
# What an admin can do about a client that was refused.
UPDATE = "look for an update of the client's program; fsrvpctl fsrvpd debug 10 traces what it sends"
FEWER = "fsrvpctl fsrvpd status; end backup programs on the client that hang"
RECONNECT = "let the client connect again"
LOG_IN = "have the client log in, as a user with SeBackupPrivilege"
SMBD = "smbd --version; fsrvpctl doctor"
ANONYMOUS = Caller("-", "-", "", frozenset(), 0, -1, True)


class PipeConnection:
    """An `actions.ReplySink`. Belongs to the event loop's thread."""

    def __init__(
        self,
        loop: EventLoop,
        connected: socket.socket,
        association_group: int,
        *,
        limits: ConnectionLimiter,
        authenticator: Authenticator,
        resolver: ShareResolver,
        handler: CallHandler,
    ) -> None:
        self._loop = loop
        self._socket = connected
        self._limits = limits
        self._authenticator = authenticator
        self._resolver = resolver
        self._handler = handler
        self._association = Association(association_group, authenticator.acceptors)
        self._framing = MessageFraming()
        self._caller = ANONYMOUS
        self._pipe_auth = b""  # the received part of smbd's request
        self._refusal: Optional[str] = None
        self._verification: Optional[Verification] = None
        self._is_bound = False
        self._is_ending = False  # the association has ended, its last PDUs are unsent
        self._unanswered: dict[Call, RpcRequest] = {}
        self._unsent = b""
        self._open = True
        self._receive: Callable[[bytes], None] = self._read_pipe_auth
        loop.register(connected.fileno(), READABLE, self._on_ready)
        limits.register(self)

    def reply(self, call: Call, response: Response) -> None:
        """Send the response to a call, unless the connection has been closed."""
        received = self._unanswered.pop(call)
        if self._open:
            try:
                self._respond(call, received, response)
                self._send_outgoing()
            except FsrvpdError as error:  # its security context has expired
                self._close_refused(str(error), RECONNECT)
            except Exception:
                self.close(INTERNAL_ERROR)
                raise

    def _respond(self, call: Call, received: RpcRequest, response: Response) -> None:
        """Encode a response, or in its place that it cannot be sent. Raises: FsrvpdError when the
        security context does not serve any more."""
        try:
            self._association.respond(received, response)
        except ValueError as error:
            log.error("the response to %s cannot be sent: %s", call.opnum.name, error)
            self._association.respond(received, refusal_of(call.opnum, HResult.E_UNEXPECTED))

    def close(self, reason: str) -> None:
        if not self._open:
            return
        self._open = False
        log.debug("pipe of %s closed: %s", self._caller.address, reason)
        self._loop.unregister(self._socket.fileno())
        self._socket.close()
        self._limits.unregister(self)
        if self._verification is not None:
            self._authenticator.verifications.cancel(self._verification)

    def _on_ready(self, events: int) -> None:
        try:
            if events & WRITABLE:
                self._send(b"")
                self._close_if_ended()
            if events != WRITABLE and self._open:
                self._read()
        except Exception:
            self.close(INTERNAL_ERROR)
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
            self.close("closed by the client")

    def _read_pipe_auth(self, data: bytes) -> None:
        """Read smbd's named_pipe_auth request, which says who the client is."""
        received = self._pipe_auth = self._pipe_auth + data
        try:
            if len(received) < named_pipe_auth.LENGTH_SIZE:
                return
            size = named_pipe_auth.request_size(received)
            if len(received) < size:
                return
            request = named_pipe_auth.parse_request(received[:size])
        except named_pipe_auth.UnknownLevel as error:
            log.error("%s", error)
            self._send(named_pipe_auth.reply(error.level, named_pipe_auth.STATUS_INVALID_LEVEL))
            self.close("named_pipe_auth level unknown")
            return
        except named_pipe_auth.NpaError as error:
            self._close_refused(f"no valid named_pipe_auth request from smbd: {error}", SMBD)
            return
        self._pipe_auth = b""
        self._admit(request)
        if len(received) > size and self._open:
            self._read_messages(received[size:])

    def _admit(self, request: named_pipe_auth.PipeRequest) -> None:
        self._caller = request.caller
        self._resolver.add_own_address(request.server_address)
        self._refusal = refusal(request.caller)
        if not self._limits.try_admit(self, request.caller, self._refusal):
            self._send(
                named_pipe_auth.reply(request.level, named_pipe_auth.STATUS_PIPE_NOT_AVAILABLE)
            )
            self._close_refused("the client has too many pipes open", FEWER)
            return
        self._receive = self._read_messages
        self._send(named_pipe_auth.reply(request.level))

    def _read_messages(self, data: bytes) -> None:
        association = self._association
        for message in self._framing.feed(data):
            for received in association.receive(message):
                self._take_call(received)
        self._advance()

    def _advance(self) -> None:
        """Send the association's output, and start the verification that it waits for."""
        if not self._is_bound and self._association.bound:
            self._is_bound = True
            self._limits.mark_bound(self)
        response = self._association.pending_verification
        if response is not None and self._verification is None:
            self._verification = self._authenticator.verifications.begin(
                response, self._caller, self._take_result
            )
        self._send_outgoing()

    def _take_result(self, result: Result) -> None:
        if not self._open:
            return
        try:
            self._resume(result)
        except Exception:
            self.close(INTERNAL_ERROR)
            raise

    def _resume(self, result: Result) -> None:
        """Continue with the requests that waited for the authentication."""
        self._verification = None
        for received in self._association.resume(result):
            self._take_call(received)
        self._advance()

    def _take_call(self, received: RpcRequest) -> None:
        call = Call(self._caller, OPNUMS[received.opnum], None, self, self._loop.time())
        requirement = self._authenticator.requirement
        why = self._refusal or requirement.refusal(self._caller, received.security)
        if why is not None:
            self._unanswered[call] = received
            self._handler.refuse(call, HResult.E_ACCESSDENIED, why)
            return
        try:
            call.request = decode_request(
                call.opnum, received.stub, received.syntax, received.big_endian
            )
        except TooLong as error:
            self._unanswered[call] = received
            self._handler.refuse(call, HResult.E_INVALIDARG, str(error))
            return
        except Malformed as error:
            self._report_refusal(f"{call.opnum.name}: {error}", UPDATE)
            self._association.fault(received, Fault.BAD_STUB_DATA)
            return
        self._unanswered[call] = received
        self._handler.call(call)

    def _send_outgoing(self) -> None:
        association = self._association
        for message in association.outgoing():
            self._send(MessageFraming.encode(message))
        for why in association.drain_faults():
            self._report_refusal(why, UPDATE)
        self._close_if_ended()

    def _close_if_ended(self) -> None:
        """Close when the association has ended: at once if the client has everything that was
        sent to it, else when it has, or when it has had its time."""
        why = self._association.close_reason
        if not self._open or not self._association.closed:
            return
        if not self._unsent:
            self._close_refused(why, self._step_after_end())
        elif not self._is_ending:
            self._is_ending = True
            self._loop.call_later(END_TIMEOUT, lambda: self.close(why))

    def _step_after_end(self) -> str:
        if not self._association.denied:
            return UPDATE
        if self._caller.anonymous:
            return LOG_IN
        account = quote(self._caller.account)
        return f"smbclient -L localhost -U {account}, with the password that the client uses"

    def _close_refused(self, why: str, next_step: str) -> None:
        """Close and log: a pipe is closed from this side only for what its client did."""
        self._report_refusal(why, next_step)
        self.close(why)

    def _report_refusal(self, why: str, next_step: str) -> None:
        caller = self._caller
        fields = {"client": caller.address, "account": caller.account, "reason": why}
        report(log, "caller-refused", f"next: {next_step}", **fields)

    def _send(self, data: bytes) -> None:
        """Send, and keep what the socket cannot take now."""
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
            self._close_refused("the client does not read its responses", RECONNECT)
        elif bool(self._unsent) != was_waiting:
            events = READABLE | WRITABLE if self._unsent else READABLE
            self._loop.modify(self._socket.fileno(), events)
