"""One client's DCE/RPC connection, without I/O: bytes in, calls out; answers in, PDUs out.

    fresh --bind--> bound --request…--> bound --anything out of sequence--> closed

A client may authenticate with its bind and with alter_context or auth3 behind it. While
`question` stands, nothing further is read: whoever can answer it calls `resume`.

Whatever arrives, `receive` returns; a client that breaks the protocol gets the fault or
bind_nak that Samba 4.17 sends, and `closed` is set. What it can make us hold is bounded:
one PDU, one unfinished request, MAX_OUTSTANDING calls, and MAX_WAITING bytes behind a
question.

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
from fsrvpd.rpc.faults import Fault, Nak
from fsrvpd.rpc.presentation import Agreement, ProtocolError, negotiate
from fsrvpd.rpc.security.acceptors import Acceptors
from fsrvpd.rpc.security.channels import Channels, Security, UnknownProvider
from fsrvpd.rpc.security.context import BadSignature, NotAgreed, Reply
from fsrvpd.rpc.verification_trailer import Mismatch, Sent, Trailers

SECONDARY_ADDRESS = b"\\PIPE\\fssagentrpc\0"
# Fragments that we accept and send at most: what Samba and Windows offer on pipes. C706
# 12.6.3.1 makes every peer receive the lower number.
MAX_FRAGMENT, MUST_RECEIVE_FRAGMENT = 4280, 1432
# A request of MS-FSRVP takes less than 4 KiB with its verification trailer.
MAX_STUB = 16 * 1024
MAX_FRAGMENTS = 4096
MAX_CONTEXTS = 64
MAX_OUTSTANDING = 32
MAX_WAITING = 64 * 1024

# Looked up once: members of enumerations are found slowly, and each request asks.
_REQUEST: int = PduType.REQUEST
_FIRST_FRAGMENT, _LAST_FRAGMENT = Flag.FIRST_FRAGMENT, Flag.LAST_FRAGMENT
_WHOLE = _FIRST_FRAGMENT | _LAST_FRAGMENT

Finish = Callable[[Reply], None]


class Call(NamedTuple):
    """A request in full. Its opnum is one of MS-FSRVP's; its stub is not decoded yet."""

    call_id: int
    context_id: int
    opnum: int
    stub: bytes
    syntax: Syntax
    big_endian: bool
    security: Optional[Security] = None  # None: nothing beyond the SMB session


class _Unfinished:
    """The request whose fragments are arriving."""

    __slots__ = ("first", "parts", "security", "size")

    def __init__(self, first: Pdu, security: Optional[Security], part: bytes) -> None:
        self.first = first
        self.security = security
        self.parts = [part]
        self.size = len(part)

    def add(self, part: bytes) -> bool:
        """False when the request has grown beyond what is accepted."""
        self.parts.append(part)
        self.size += len(part)
        return self.size <= MAX_STUB and len(self.parts) <= MAX_FRAGMENTS


class Association:
    def __init__(self, association_group: int, acceptors: Optional[Acceptors] = None) -> None:
        """`association_group`: an id of the caller's choice, not 0. Without `acceptors`
        nobody can authenticate."""
        self.closed = False
        self.close_reason = ""
        # Whether something else than complete requests has arrived since `outgoing` was asked.
        self.stirred = False
        self._group = association_group
        self._buffer = b""
        self._outgoing: list[bytes] = []
        self._bound = False
        self._multiplexed = False
        self._max_fragment = MAX_FRAGMENT
        self._contexts: dict[int, Syntax] = {}
        self._unfinished: Optional[_Unfinished] = None
        self._outstanding: dict[int, Call] = {}
        self._channels = Channels(acceptors)
        self._trailers = Trailers()
        self._suspended: Optional[tuple[Pdu, Finish]] = None

    @property
    def question(self) -> Optional[NtlmResponse]:
        """What must be answered, by `resume`, before anything else can go on."""
        return None if self.closed else self._channels.question

    @property
    def bound(self) -> bool:
        """Whether the bind is complete, an authentication that it began included."""
        return self._bound and self._suspended is None and not self._channels.unfinished

    def receive(self, data: bytes) -> list[Call]:
        """The calls that these bytes complete, in order. Never raises on hostile bytes."""
        whole = self._whole_request(data)
        if whole is not None:
            return [whole]
        data = self._buffer + data if self._buffer else data
        calls: list[Call] = []
        while data and not self.closed and self._suspended is None:
            try:
                parsed = pdu.parse(data)
                if parsed is None:
                    break
                size = parsed.fragment_size
                if parsed.type == _REQUEST and self._bound:
                    self._request(parsed, data[:size], calls)
                else:
                    self._process(parsed, data[:size])
            except pdu.BadPdu as error:
                self._refuse(error.pdu, str(error), _nak_for(error))
                break
            data = data[size:]
        self._buffer = b"" if self.closed else data
        if self._suspended is not None and len(data) > MAX_WAITING:
            self._close("more requests than can wait for the client's authentication")
        return calls

    def resume(self, answer: Union[VerifiedAccount, AuthenticationError]) -> list[Call]:
        """Answer the question; the calls that were waiting behind it come out."""
        if self.closed or self._suspended is None:
            return []
        (parsed, finish), self._suspended = self._suspended, None
        try:
            if isinstance(answer, AuthenticationError):
                raise answer
            finish(self._channels.resume(answer))
        except AuthenticationError as error:
            self._deny(parsed, error)
        return self.receive(b"")

    def answer(self, call: Call, response: Response) -> None:
        """Nothing happens when the connection is closed by now."""
        call_id, context_id, opnum, _, syntax, _, security = call
        size = ndr.write_response(opnum, response, syntax)
        if self._outstanding.pop(call_id, None) is None or self.closed:
            return
        if security is None:
            self._outgoing += pdu.responses(call_id, context_id, size, self._max_fragment)
            return
        channel = self._channels.channel(security)
        room = self._max_fragment - channel.overhead(size)
        for fragment in pdu.responses(call_id, context_id, size, room):
            self._outgoing.append(channel.protect(fragment))

    def fault(self, call: Call, status: int) -> None:
        """Answer with a fault: `Fault.BAD_STUB_DATA`, say."""
        if self._outstanding.pop(call.call_id, None) is not None and not self.closed:
            self._send_fault(call.call_id, call.context_id, status, executed=True)

    def outgoing(self) -> list[bytes]:
        """The PDUs to send since last asked, each a message of its own."""
        outgoing, self._outgoing = self._outgoing, []
        self.stirred = False
        return outgoing

    def _process(self, parsed: Pdu, data: bytes) -> None:
        """Whatever is no request."""
        self.stirred = True
        kind = parsed.type
        if not self._bound:
            self._bind(parsed, data)
        elif kind == PduType.ALTER_CONTEXT:
            self._alter_context(parsed, data)
        elif kind == PduType.AUTH3 and parsed.token_size:
            self._leg(parsed, data, lambda reply: self._take_last_leg(parsed, reply))
        elif kind == PduType.ORPHANED:
            self._orphaned(parsed)
        elif kind != PduType.CO_CANCEL:  # which Windows ignores, too
            self._refuse(parsed, f"a PDU of type {kind} out of sequence")

    # -- bind and alter_context

    def _bind(self, parsed: Pdu, data: bytes) -> None:
        """The first PDU of a connection must be a bind."""
        if parsed.type != PduType.BIND:
            why = f"the first PDU is of type {parsed.type}"
            self._refuse(parsed, why, Nak.PROTOCOL_VERSION_NOT_SUPPORTED)
        else:
            agreement = self._negotiate(parsed, data)
            if agreement is not None:
                self._leg(
                    parsed, data, lambda reply: self._accept_bind(parsed, agreement, reply.token)
                )

    def _accept_bind(self, parsed: Pdu, agreement: Agreement, token: bytes) -> None:
        self._bound = True
        self._multiplexed = bool(parsed.flags & Flag.CONCURRENT_MULTIPLEXING)
        wanted = min(parsed.max_transmit, parsed.max_receive)
        self._max_fragment = min(MAX_FRAGMENT, max(MUST_RECEIVE_FRAGMENT, wanted)) & ~7
        self._group = parsed.group or self._group
        self._acknowledge(PduType.BIND_ACK, parsed, agreement, token)

    def _alter_context(self, parsed: Pdu, data: bytes) -> None:
        agreement = self._negotiate(parsed, data)
        if agreement is not None:
            kind = PduType.ALTER_CONTEXT_RESPONSE
            self._leg(
                parsed,
                data,
                lambda reply: self._acknowledge(kind, parsed, agreement, reply.token),
            )

    def _negotiate(self, parsed: Pdu, data: bytes) -> Optional[Agreement]:
        """None when the association is refused for what was offered."""
        try:
            agreement = negotiate(pdu.offers(data, parsed), features=not self._bound)
            if agreement.context_id is not None and agreement.syntax is not None:
                self._add_context(agreement.context_id, agreement.syntax)
        except ProtocolError as error:
            self._refuse(parsed, str(error))
            return None
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
        """Take the token that a PDU carries, if any, and finish then or once a question
        that it raises is answered."""
        if not parsed.token_size:
            finish(Reply(b"", True))
            return
        try:
            reply = self._channels.leg(parsed, data)
            if reply is None:
                self._suspended = (parsed, finish)
            else:
                finish(reply)
        except AuthenticationError as error:
            self._deny(parsed, error)

    def _take_last_leg(self, parsed: Pdu, reply: Reply) -> None:
        """auth3 is not answered, so it must be the end. Raises: AuthenticationError."""
        if reply.token or not reply.done:
            raise AuthenticationError("auth3, but the authentication is not at its end")

    def _deny(self, parsed: Pdu, error: AuthenticationError) -> None:
        """Tell the client no more than that; after auth3, with its next request."""
        why = f"authentication failed: {error}"
        if parsed.type == PduType.AUTH3:
            self._channels.fail(parsed.auth_context_id, why)
        elif self._bound:
            self._break(parsed, Fault.ACCESS_DENIED, why)
        elif isinstance(error, UnknownProvider):
            self._nak(parsed, Nak.AUTHENTICATION_TYPE_NOT_RECOGNIZED, why)
        else:
            self._nak(parsed, Nak.INVALID_CHECKSUM, why)

    # -- requests

    def _whole_request(self, data: bytes) -> Optional[Call]:
        """The call that nearly every message is of a client which does not authenticate,
        found at one look. None for whatever is something else, or must be refused."""
        busy = self._outstanding or self._unfinished or self._buffer
        if busy or self._channels.begun or not self._bound or self.closed:
            return None
        request = pdu.whole_request(data)
        if request is None:
            return None
        big_endian, call_id, context_id, opnum, stub = request
        syntax = self._contexts.get(context_id)
        if syntax is None or opnum not in RESPONSE_OF:
            return None
        call = Call(call_id, context_id, opnum, stub, syntax, big_endian != 0)
        self._outstanding[call_id] = call
        return call

    def _request(self, parsed: Pdu, data: bytes, calls: list[Call]) -> None:
        security = None
        if self._channels.begun or parsed.token_size:
            try:
                part, security = self._channels.open(parsed, data)
            except NotAgreed as error:
                self._break(parsed, Fault.ACCESS_DENIED, str(error))
                return
            except BadSignature as error:
                self._break(parsed, Fault.SEC_PKG_ERROR, str(error))
                return
        else:
            part = data[parsed.body : parsed.body + parsed.body_size]
        fragment = parsed.flags & _WHOLE
        if not fragment & _FIRST_FRAGMENT:
            self._continue(parsed, security, part, calls)
        elif self._unfinished is not None:
            self._refuse(parsed, "a request inside the fragments of another")
        elif parsed.context_id not in self._contexts:
            self._send_fault(parsed.call_id, 0, Fault.UNKNOWN_INTERFACE)
        elif fragment == _WHOLE:
            self._complete(parsed, security, part, calls)
        else:
            self._unfinished = _Unfinished(parsed, security, part)

    def _continue(
        self, parsed: Pdu, security: Optional[Security], part: bytes, calls: list[Call]
    ) -> None:
        """A fragment that is not the first of its request."""
        unfinished = self._unfinished
        if unfinished is None:
            # The other fragments of a request whose context was unknown end here.
            if parsed.context_id in self._contexts:
                self._refuse(parsed, "a fragment of a request that has not begun")
            else:
                self._send_fault(parsed.call_id, 0, Fault.UNKNOWN_INTERFACE)
        elif unfinished.security != security or not _same_request(unfinished.first, parsed):
            self._refuse(parsed, "a fragment of another request")
        elif not unfinished.add(part):
            self._break(parsed, Fault.ACCESS_DENIED, "a request larger than is accepted")
        elif parsed.flags & _LAST_FRAGMENT:
            self._unfinished = None
            self._complete(unfinished.first, security, b"".join(unfinished.parts), calls)

    def _complete(
        self, first: Pdu, security: Optional[Security], stub: bytes, calls: list[Call]
    ) -> None:
        outstanding = self._outstanding
        if outstanding and (not self._multiplexed or first.call_id in outstanding):
            self._refuse(first, "a request before the last one was answered")
        elif len(outstanding) >= MAX_OUTSTANDING:
            self._send_fault(first.call_id, first.context_id, Fault.SERVER_TOO_BUSY)
        elif first.opnum not in RESPONSE_OF:
            self._send_fault(first.call_id, first.context_id, Fault.OP_RANGE_ERROR)
        else:
            syntax = self._contexts[first.context_id]
            if security is not None:
                syntax_id = presentation.SYNTAX_IDS[syntax]
                try:
                    stub = self._trailers.without(
                        stub, syntax_id, lambda: self._sent(first, syntax_id)
                    )
                except Mismatch as error:  # the client says that it sent something else
                    self._break(first, Fault.ACCESS_DENIED, str(error))
                    return
            big_endian = first.big_endian != 0
            call = Call(
                first.call_id, first.context_id, first.opnum, stub, syntax, big_endian, security
            )
            outstanding[call.call_id] = call
            calls.append(call)

    def _sent(self, first: Pdu, syntax_id: bytes) -> Sent:
        return Sent(
            header_signing=self._channels.header_signing,
            abstract_syntax=presentation.INTERFACE,
            transfer_syntax=syntax_id,
            kind=first.type,
            big_endian=bool(first.big_endian),
            call_id=first.call_id,
            context_id=first.context_id,
            opnum=first.opnum,
        )

    def _orphaned(self, parsed: Pdu) -> None:
        """The client will not send the rest. A call that is complete is answered anyway."""
        if self._unfinished is not None and self._unfinished.first.call_id == parsed.call_id:
            self._unfinished = None

    # -- ends

    def _refuse(self, parsed: Pdu, why: str, nak: Nak = Nak.NOT_SPECIFIED) -> None:
        """What breaking the protocol earns, before the bind and after."""
        if self._bound:
            self._break(parsed, Fault.PROTOCOL_ERROR, why)
        else:
            self._nak(parsed, nak, why)

    def _nak(self, parsed: Pdu, reason: Nak, why: str) -> None:
        self._outgoing.append(pdu.bind_nak(parsed.call_id, reason))
        self._close(why)

    def _break(self, parsed: Pdu, status: Fault, why: str) -> None:
        context_id = parsed.context_id if parsed.context_id in self._contexts else 0
        self._send_fault(parsed.call_id, context_id, status)
        self._close(why)

    def _send_fault(
        self, call_id: int, context_id: int, status: int, *, executed: bool = False
    ) -> None:
        self._outgoing.append(pdu.fault(call_id, context_id, status, executed=executed))
        self.stirred = True

    def _close(self, why: str) -> None:
        self.closed = self.stirred = True
        self.close_reason = why
        self._unfinished = self._suspended = None
        self._outstanding.clear()


def _same_request(first: Pdu, parsed: Pdu) -> bool:
    return (first.call_id, first.context_id, first.opnum, first.big_endian) == (
        parsed.call_id,
        parsed.context_id,
        parsed.opnum,
        parsed.big_endian,
    )


def _nak_for(error: pdu.BadPdu) -> Nak:
    if error.wrong_version:
        return Nak.PROTOCOL_VERSION_NOT_SUPPORTED
    return Nak.LOCAL_LIMIT_EXCEEDED if error.too_many else Nak.NOT_SPECIFIED
