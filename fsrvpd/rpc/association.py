"""One client's DCE/RPC connection, without I/O: bytes in, requests out; responses in, PDUs out.

    fresh --bind--> bound --request…--> bound --anything out of sequence--> closed

A client may authenticate with its bind and with alter_context or auth3 after it. While
`pending_verification` is set, nothing more is read, until `resume` brings the result.

Whatever arrives, `receive` returns; a client that breaks the protocol gets the fault or
bind_nak that Samba 4.17 sends, and `closed` is set. The memory that it can use is limited:
one PDU, one incomplete request, MAX_OUTSTANDING requests, and MAX_WAITING bytes while an
account is verified.

Spec: C706 9 to 12, MS-RPCE 3.3.1.5 and 3.3.3.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Union

from fsrvpd.core import ndr, pdu
from fsrvpd.core.messages import RESPONSE_OF, Response
from fsrvpd.core.ndr import Syntax
from fsrvpd.core.pdu import Flag, Pdu, PduType, Verifier
from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount
from fsrvpd.rpc import presentation
from fsrvpd.rpc.faults import Fault, Nak, ProtocolError
from fsrvpd.rpc.presentation import MAX_FRAGMENT, Agreement, fragment_size, negotiate
from fsrvpd.rpc.reassembly import WHOLE, MessageTooLarge, Reassembly
from fsrvpd.rpc.security.acceptors import Acceptors
from fsrvpd.rpc.security.channels import Channels, Security, UnknownProvider
from fsrvpd.rpc.security.context import BadSignature, Reply, UnexpectedProtection
from fsrvpd.rpc.verification_trailer import ActualHeader, Mismatch, without_trailer

SECONDARY_ADDRESS = b"\\PIPE\\fssagentrpc\0"
MAX_CONTEXTS = 64
MAX_OUTSTANDING = 32
MAX_WAITING = 64 * 1024  # bytes

_REQUEST: int = PduType.REQUEST  # looked up once, since every PDU is compared with it

Finish = Callable[[Reply], None]


class RpcRequest(NamedTuple):
    """A request in full. Its opnum is one of MS-FSRVP's; its stub is not decoded yet."""

    call_id: int
    context_id: int
    opnum: int
    stub: bytes
    syntax: Syntax
    big_endian: bool
    security: Optional[Security] = None  # None: nothing beyond the SMB session


class Association:
    def __init__(self, association_group: int, acceptors: Optional[Acceptors] = None) -> None:
        """`association_group`: an id that the caller chooses, not 0. Without `acceptors` no
        client can authenticate."""
        self.closed = False
        self.close_reason = ""
        self.denied = False  # closed because the client did not prove who it is
        self._group = association_group
        self._buffer = b""
        self._outgoing: list[bytes] = []
        self._faults: list[str] = []
        self._bound = False
        self._multiplexed = False
        self._max_fragment = MAX_FRAGMENT
        self._contexts: dict[int, Syntax] = {}
        self._reassembly = Reassembly()
        self._outstanding: set[int] = set()  # call ids
        self._channels = Channels(acceptors)
        self._suspended: Optional[tuple[Pdu, Finish]] = None

    @property
    def pending_verification(self) -> Optional[NtlmResponse]:
        """The response that must be verified, for `resume`, before anything more is read."""
        return None if self.closed else self._channels.pending_verification

    @property
    def bound(self) -> bool:
        """Whether the bind is complete, and the authentication if it began one."""
        return self._bound and self._suspended is None and not self._channels.unfinished

    def receive(self, data: bytes) -> list[RpcRequest]:
        """The requests that these bytes complete, in order. Hostile bytes raise nothing."""
        data = self._buffer + data
        requests: list[RpcRequest] = []
        while data and not self.closed and self._suspended is None:
            try:
                parsed = pdu.parse(data)
                if parsed is None:
                    break
                size = parsed.fragment_size
                request = self._take(parsed, data[:size])
            except pdu.BadPdu as error:
                self._refuse(error.pdu, str(error), _nak_for(error))
                break
            if request is not None:
                requests.append(request)
            data = data[size:]
        self._buffer = b"" if self.closed else data
        if self._suspended is not None and len(data) > MAX_WAITING:
            self._close("too many requests while the client's account is being verified")
        return requests

    def resume(self, result: Union[VerifiedAccount, AuthenticationError]) -> list[RpcRequest]:
        """Continue after a verification. Returns the requests that waited for it."""
        if self.closed or self._suspended is None:
            return []
        (parsed, finish), self._suspended = self._suspended, None
        try:
            if isinstance(result, AuthenticationError):
                raise result
            finish(self._channels.resume(result))
        except AuthenticationError as error:
            self._deny(parsed, error)
        return self.receive(b"")

    def respond(self, request: RpcRequest, response: Response) -> None:
        """Send a response, unless the connection has been closed. Raises: ValueError."""
        stub = ndr.encode_response(request.opnum, response, request.syntax)
        if not self._is_outstanding(request):
            return
        call_id, context_id, room = request.call_id, request.context_id, self._max_fragment
        if request.security is None:
            self._outgoing += pdu.responses(call_id, context_id, stub, room)
            return
        channel = self._channels.channel(request.security)
        room -= channel.overhead(len(stub))
        for fragment in pdu.responses(call_id, context_id, stub, room):
            self._outgoing.append(channel.protect(fragment))

    def fault(self, request: RpcRequest, status: int) -> None:
        """Respond with a fault, for example `Fault.BAD_STUB_DATA`."""
        if self._is_outstanding(request):
            self._send_fault(request.call_id, request.context_id, status, executed=True)

    def outgoing(self) -> list[bytes]:
        """The PDUs to send since the last call, each of them one message of the pipe."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def drain_faults(self) -> list[str]:
        """Why requests were answered with faults since the last call, and the association goes
        on."""
        faults, self._faults = self._faults, []
        return faults

    def _is_outstanding(self, request: RpcRequest) -> bool:
        """Whether the request may get a response, which is the only one."""
        was_outstanding = request.call_id in self._outstanding
        self._outstanding.discard(request.call_id)
        return was_outstanding and not self.closed

    def _take(self, parsed: Pdu, data: bytes) -> Optional[RpcRequest]:
        """Handle one PDU, and each error that the client can cause. Raises: BadPdu."""
        try:
            if parsed.type == _REQUEST and self._bound:
                return self._request(parsed, data)
            self._process(parsed, data)
        except ProtocolError as error:
            self._refuse(parsed, str(error))
        except AuthenticationError as error:
            self._deny(parsed, error)
        except (UnexpectedProtection, Mismatch, MessageTooLarge) as error:
            self._fault_and_close(parsed, Fault.ACCESS_DENIED, str(error))
        except BadSignature as error:
            self._fault_and_close(parsed, Fault.SEC_PKG_ERROR, str(error))
        return None

    def _process(self, parsed: Pdu, data: bytes) -> None:
        """Any PDU but a request. Raises: ProtocolError, AuthenticationError."""
        kind = parsed.type
        if not self._bound:
            self._bind(parsed, data)
        elif kind == PduType.ALTER_CONTEXT:
            self._alter_context(parsed, data)
        elif kind == PduType.AUTH3 and parsed.token_size:
            self._leg(parsed, data, _take_last_leg)
        elif kind == PduType.ORPHANED:
            # A complete request is answered anyway.
            self._reassembly.orphaned(parsed.call_id)
        elif kind != PduType.CO_CANCEL:  # which Windows ignores, too
            raise ProtocolError(f"a PDU of type {kind} out of sequence")

    # -- bind and alter_context

    def _bind(self, parsed: Pdu, data: bytes) -> None:
        """The first PDU of a connection, which must be a bind."""
        if parsed.type != PduType.BIND:
            why = f"the first PDU is of type {parsed.type}"
            self._refuse(parsed, why, Nak.PROTOCOL_VERSION_NOT_SUPPORTED)
            return
        agreement = self._negotiate(parsed, data)
        if agreement.syntax is None:
            self._faults.append("it binds to no version of FSRVP in a transfer syntax known here")
        self._leg(parsed, data, lambda reply: self._accept_bind(parsed, agreement, reply.token))

    def _accept_bind(self, parsed: Pdu, agreement: Agreement, token: bytes) -> None:
        self._bound = True
        self._multiplexed = bool(parsed.flags & Flag.CONCURRENT_MULTIPLEXING)
        self._max_fragment = fragment_size(min(parsed.max_transmit, parsed.max_receive))
        self._group = parsed.group or self._group
        self._acknowledge(PduType.BIND_ACK, parsed, agreement, token)

    def _alter_context(self, parsed: Pdu, data: bytes) -> None:
        agreement = self._negotiate(parsed, data)
        kind = PduType.ALTER_CONTEXT_RESPONSE
        self._leg(
            parsed, data, lambda reply: self._acknowledge(kind, parsed, agreement, reply.token)
        )

    def _negotiate(self, parsed: Pdu, data: bytes) -> Agreement:
        """Raises: ProtocolError, BadPdu."""
        agreement = negotiate(pdu.offers(data, parsed), features=not self._bound)
        if agreement.context_id is not None and agreement.syntax is not None:
            self._add_context(agreement.context_id, agreement.syntax)
        return agreement

    def _add_context(self, context_id: int, syntax: Syntax) -> None:
        if self._contexts.setdefault(context_id, syntax) is not syntax:
            raise ProtocolError(f"context {context_id} offered again with another syntax")
        if len(self._contexts) > MAX_CONTEXTS:
            raise ProtocolError("too many presentation contexts")

    def _acknowledge(self, kind: PduType, parsed: Pdu, agreement: Agreement, token: bytes) -> None:
        flags = parsed.flags & Flag.CONCURRENT_MULTIPLEXING if self._multiplexed else 0
        if parsed.token_size and self._channels.header_signing:
            flags |= Flag.SUPPORT_HEADER_SIGNING
        data = pdu.bind_ack(
            kind,
            parsed.call_id,
            agreement.results,
            group=self._group,
            max_fragment=self._max_fragment,
            address=SECONDARY_ADDRESS if kind == PduType.BIND_ACK else b"",
            flags=flags,
        )
        if token:
            verifier = Verifier(parsed.auth_type, parsed.auth_level, 0, parsed.auth_context_id)
            data = pdu.with_verifier(data, verifier, len(token)) + token
        self._outgoing.append(data)

    # -- authentication

    def _leg(self, parsed: Pdu, data: bytes, finish: Finish) -> None:
        """Take the PDU's token, if it has one, and finish: now, or once the account that the
        token names is verified. Raises: AuthenticationError."""
        if not parsed.token_size:
            finish(Reply(b"", True))
            return
        reply = self._channels.leg(parsed, data)
        if reply is None:
            self._suspended = (parsed, finish)
        else:
            finish(reply)

    def _deny(self, parsed: Pdu, error: AuthenticationError) -> None:
        """Tell the client that it failed, not why; after auth3, only with its next request."""
        why = f"authentication failed: {error}"
        self.denied = True
        if parsed.type == PduType.AUTH3:
            self._channels.fail(parsed.auth_context_id, why)
        elif self._bound:
            self._fault_and_close(parsed, Fault.ACCESS_DENIED, why)
        elif isinstance(error, UnknownProvider):
            self._nak(parsed, Nak.AUTHENTICATION_TYPE_NOT_RECOGNIZED, why)
        else:
            self._nak(parsed, Nak.INVALID_CHECKSUM, why)

    # -- requests

    def _request(self, parsed: Pdu, data: bytes) -> Optional[RpcRequest]:
        """Take a fragment. Returns the request when it was the last one.

        Raises: ProtocolError, MessageTooLarge, Mismatch, UnexpectedProtection, BadSignature.
        """
        part, security = self._channels.unprotect(parsed, data)
        incomplete = self._reassembly.incomplete
        if parsed.context_id not in self._contexts and not incomplete:
            self._send_fault(parsed.call_id, 0, Fault.UNKNOWN_INTERFACE)  # also to later fragments
            self._faults.append("a request on a presentation context that was not accepted")
            return None
        if parsed.flags & WHOLE == WHOLE and not incomplete:
            return self._complete(parsed, security, part)
        joined = self._reassembly.add(parsed, security, part)
        return None if joined is None else self._complete(*joined)

    def _complete(
        self, header: Pdu, security: Optional[Security], stub: bytes
    ) -> Optional[RpcRequest]:
        """Raises: ProtocolError, Mismatch."""
        call_id, context_id = header.call_id, header.context_id
        if self._outstanding and (not self._multiplexed or call_id in self._outstanding):
            raise ProtocolError("a request before the last one was answered")
        if len(self._outstanding) >= MAX_OUTSTANDING:
            self._send_fault(call_id, context_id, Fault.SERVER_TOO_BUSY)
            self._faults.append(f"{MAX_OUTSTANDING} requests at a time, and no more")
            return None
        if header.opnum not in RESPONSE_OF:
            self._send_fault(call_id, context_id, Fault.OP_RANGE_ERROR)
            self._faults.append(f"there is no method {header.opnum}")
            return None
        syntax = self._contexts[context_id]
        if security is not None:
            stub = without_trailer(stub, self._actual_header(header, syntax))
        self._outstanding.add(call_id)
        big_endian = header.big_endian != 0
        return RpcRequest(call_id, context_id, header.opnum, stub, syntax, big_endian, security)

    def _actual_header(self, header: Pdu, syntax: Syntax) -> ActualHeader:
        return ActualHeader(
            header_signing=self._channels.header_signing,
            abstract_syntax=presentation.INTERFACE,
            transfer_syntax=presentation.SYNTAX_IDS[syntax],
            kind=header.type,
            big_endian=header.big_endian != 0,
            call_id=header.call_id,
            context_id=header.context_id,
            opnum=header.opnum,
        )

    # -- ends

    def _refuse(self, parsed: Pdu, why: str, nak: Nak = Nak.NOT_SPECIFIED) -> None:
        """Close for a violation of the protocol: with a bind_nak until the bind, then a fault."""
        if self._bound:
            self._fault_and_close(parsed, Fault.PROTOCOL_ERROR, why)
        else:
            self._nak(parsed, nak, why)

    def _nak(self, parsed: Pdu, reason: Nak, why: str) -> None:
        self._outgoing.append(pdu.bind_nak(parsed.call_id, reason))
        self._close(why)

    def _fault_and_close(self, parsed: Pdu, status: Fault, why: str) -> None:
        context_id = parsed.context_id if parsed.context_id in self._contexts else 0
        self._send_fault(parsed.call_id, context_id, status)
        self._close(why)

    def _send_fault(
        self, call_id: int, context_id: int, status: int, *, executed: bool = False
    ) -> None:
        self._outgoing.append(pdu.fault(call_id, context_id, status, executed=executed))

    def _close(self, why: str) -> None:
        self.closed, self.close_reason = True, why
        self._suspended = None
        self._reassembly.discard()
        self._outstanding.clear()


def _take_last_leg(reply: Reply) -> None:
    """auth3 has no response, so it must be the last leg. Raises: AuthenticationError."""
    if reply.token or not reply.done:
        raise AuthenticationError("auth3, but the authentication is not at its end")


def _nak_for(error: pdu.BadPdu) -> Nak:
    if error.wrong_version:
        return Nak.PROTOCOL_VERSION_NOT_SUPPORTED
    return Nak.LOCAL_LIMIT_EXCEEDED if error.too_many else Nak.NOT_SPECIFIED
