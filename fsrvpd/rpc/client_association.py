"""One connection of a requestor, without I/O: calls in, PDUs out; bytes in, answers out.

    fresh --bind--> binding --legs of the login--> bound --call--> calling --answer--> bound

Whatever arrives, `receive` returns or raises `AssociationError`, after which the association is
closed and takes nothing more. The memory that a server can use is limited: one PDU and one
incomplete response. One call is outstanding at a time, as MS-FSRVP's client makes them.

With an initiator, each response must be signed (sealed at PKT_PRIVACY) with its header; a fault
need not be, since it carries nothing but the refusal.

Spec: C706 9 to 12, MS-RPCE 3.3.1.5 and 3.3.2.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, NoReturn, Optional

from fsrvpd.core import pdu
from fsrvpd.core.ndr import Malformed, Syntax
from fsrvpd.core.pdu import Flag, Offer, Pdu, PduType
from fsrvpd.errors import AuthenticationError, FsrvpdError
from fsrvpd.rpc import client_pdus, presentation
from fsrvpd.rpc.faults import Fault, Nak, ProtocolError
from fsrvpd.rpc.presentation import MAX_FRAGMENT, fragment_size
from fsrvpd.rpc.reassembly import WHOLE, MessageTooLarge, Reassembly
from fsrvpd.rpc.security.client_channel import ClientChannel
from fsrvpd.rpc.security.context import AuthLevel, AuthType, BadSignature, Initiator
from fsrvpd.rpc.verification_trailer import ActualHeader, trailer

SYNTAX = Syntax.NDR
CONTEXT_ID = 0

_OFFER = Offer(CONTEXT_ID, presentation.INTERFACE, [presentation.NDR])


class AssociationError(FsrvpdError):
    """The server broke a rule of DCE/RPC, or refuses the bind. The association is closed."""


class BindRefused(AssociationError):
    """The server does not take the bind, or not who binds. `denied`: the login failed."""

    def __init__(self, why: str, *, denied: bool = False) -> None:
        super().__init__(why)
        self.denied = denied


class Answer(NamedTuple):
    """The stub of a response, or the status of a fault, which is not 0."""

    stub: bytes
    big_endian: bool = False
    status: int = 0


class _State(Enum):
    FRESH = "no bind was sent"
    BINDING = "the bind is not complete"
    BOUND = "no call is outstanding"
    CALLING = "a call is outstanding"
    CLOSED = "the association is closed"


class ClientAssociation:
    def __init__(
        self,
        initiator: Optional[Initiator] = None,
        auth_type: int = AuthType.GSS_NEGOTIATE,
        level: AuthLevel = AuthLevel.PKT_INTEGRITY,
    ) -> None:
        """Without an initiator nothing is signed at RPC level. `level` is one that signs."""
        self._state = _State.FRESH
        self._channel: Optional[ClientChannel] = None
        if initiator is not None:
            self._channel = ClientChannel(initiator, auth_type, level)
        self._buffer = b""
        self._outgoing: list[bytes] = []
        self._call_id = 0
        self._acknowledged = False
        self._max_fragment, self._group = MAX_FRAGMENT, 0
        self._trailer_sent = False
        self._reassembly = Reassembly()

    @property
    def bound(self) -> bool:
        """Whether a call can be made."""
        return self._state is _State.BOUND

    @property
    def closed(self) -> bool:
        return self._state is _State.CLOSED

    @property
    def awaits_answer(self) -> bool:
        """Whether the server must send something before anything else can happen."""
        return self._state in (_State.BINDING, _State.CALLING)

    def outgoing(self) -> list[bytes]:
        """The PDUs to send since the last call, each of them one message of the pipe."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def bind(self) -> None:
        """Raises: AssociationError if the initiator has no token."""
        self._expect(_State.FRESH)
        self._state = _State.BINDING
        try:
            token = b"" if self._channel is None else self._channel.first()
        except AuthenticationError as error:
            self._refuse(str(error), denied=True)
        self._send_bind(PduType.BIND, token)

    def call(self, opnum: int, stub: bytes) -> None:
        """Send a request, whose stub is in `SYNTAX` and little-endian. Raises: AssociationError."""
        self._expect(_State.BOUND)
        self._state = _State.CALLING
        call_id = self._next_call_id()
        room = self._max_fragment
        if self._channel is None:
            self._outgoing += client_pdus.requests(call_id, CONTEXT_ID, opnum, stub, room)
            return
        if not self._trailer_sent:
            stub, self._trailer_sent = self._with_trailer(stub, opnum), True
        room -= self._channel.overhead(len(stub))
        for fragment in client_pdus.requests(call_id, CONTEXT_ID, opnum, stub, room):
            self._outgoing.append(self._channel.protect(fragment))

    def receive(self, data: bytes) -> Optional[Answer]:
        """Take bytes of the server. Returns the answer to the call once it is whole.

        Raises: AssociationError, also for bytes after the answer.
        """
        data = self._buffer + data
        answer = None
        while data:
            if not self.awaits_answer:
                self._fail("bytes that nothing asked for")
            try:
                parsed = pdu.parse(data)
                if parsed is None:
                    break
                answer = self._take(parsed, data[: parsed.fragment_size])
            except (Malformed, ProtocolError, MessageTooLarge, BadSignature) as error:
                self._fail(str(error))
            data = data[parsed.fragment_size :]
        self._buffer = data
        return answer

    def close(self) -> None:
        """Nothing is sent or taken any more."""
        self._state = _State.CLOSED
        self._buffer, self._outgoing = b"", []
        self._reassembly.discard()

    def _take(self, parsed: Pdu, data: bytes) -> Optional[Answer]:
        """Raises: ProtocolError, MessageTooLarge, BadSignature, AssociationError."""
        if parsed.call_id != self._call_id:
            raise ProtocolError("an answer to another call")
        if self._state is _State.BINDING:
            self._bind_answer(parsed, data)
            return None
        if parsed.type == PduType.FAULT:
            return self._fault(parsed, data)
        if parsed.type != PduType.RESPONSE:
            raise ProtocolError(f"a PDU of type {parsed.type} instead of a response")
        return self._response(client_pdus.inside(parsed, data), data)

    # -- bind

    def _bind_answer(self, parsed: Pdu, data: bytes) -> None:
        """Raises: ProtocolError, BadSignature, AssociationError."""
        if parsed.type == PduType.BIND_NAK and not self._acknowledged:
            self._refuse_for(client_pdus.read_nak(parsed, data))
        if parsed.type == PduType.FAULT and self._acknowledged:
            status = client_pdus.read_fault(parsed, data)
            denied = status == Fault.ACCESS_DENIED
            self._refuse(f"the server refuses the login with fault {status:#010x}", denied=denied)
        answers = (PduType.BIND_ACK, PduType.ALTER_CONTEXT_RESPONSE)
        if parsed.type != answers[self._acknowledged] or parsed.flags & WHOLE != WHOLE:
            raise ProtocolError(f"a PDU of type {parsed.type} in the bind")
        ack = client_pdus.read_ack(parsed, data)
        self._check(ack, parsed)
        if not self._acknowledged:
            self._acknowledged = True
            self._group, self._max_fragment = ack.group, fragment_size(ack.max_receive)
        self._log_in(parsed, data)

    def _check(self, ack: client_pdus.BindAck, parsed: Pdu) -> None:
        """Raises: ProtocolError, BindRefused."""
        if len(ack.results) != 1:
            raise ProtocolError("not one result for one presentation context")
        result = ack.results[0]
        if result.result != presentation.ACCEPTANCE:
            self._refuse(f"no agent of MS-FSRVP 1.0 answers there (reason {result.reason})")
        if result.syntax != presentation.NDR:
            raise ProtocolError("a transfer syntax that was not offered")
        if self._channel is None:
            if parsed.token_size:
                raise ProtocolError("a token without a login")
        elif not parsed.flags & Flag.SUPPORT_HEADER_SIGNING:
            self._refuse("the server does not sign headers")

    def _log_in(self, parsed: Pdu, data: bytes) -> None:
        """Take the token of an answer, and send the next one if there is one.

        Raises: BadSignature, BindRefused.
        """
        token = b""
        if self._channel is not None:
            try:
                token = self._channel.next(parsed, data)
            except AuthenticationError as error:
                self._refuse(str(error), denied=True)
            if token and self._channel.ends_with_auth3:
                auth3 = client_pdus.auth3(self._next_call_id())
                self._outgoing.append(self._channel.with_token(auth3, token))
                token = b""
        if token:
            self._send_bind(PduType.ALTER_CONTEXT, token)
        else:
            self._state = _State.BOUND

    def _send_bind(self, kind: PduType, token: bytes) -> None:
        data = client_pdus.bind(kind, self._next_call_id(), _OFFER, MAX_FRAGMENT, self._group)
        if self._channel is not None:
            data = self._channel.with_token(data, token)
        self._outgoing.append(data)

    def _refuse_for(self, reason: int) -> NoReturn:
        """Raises: BindRefused."""
        name = Nak(reason).name if reason in Nak.__members__.values() else f"reason {reason}"
        denied = reason in (Nak.INVALID_CHECKSUM, Nak.AUTHENTICATION_TYPE_NOT_RECOGNIZED)
        self._refuse(f"the server refuses the bind: {name}", denied=denied)

    # -- calls

    def _response(self, parsed: Pdu, data: bytes) -> Optional[Answer]:
        """Raises: ProtocolError, MessageTooLarge, BadSignature."""
        if parsed.context_id != CONTEXT_ID:
            raise ProtocolError("a response on another presentation context")
        part = self._unprotect(parsed, data)
        if parsed.flags & WHOLE != WHOLE or self._reassembly.incomplete:
            joined = self._reassembly.add(parsed, None, part)
            if joined is None:
                return None
            part = joined.stub
        self._state = _State.BOUND
        return Answer(part, parsed.big_endian != 0)

    def _fault(self, parsed: Pdu, data: bytes) -> Answer:
        """Raises: ProtocolError, BadSignature."""
        status = client_pdus.read_fault(parsed, data)
        if self._channel is not None and parsed.token_size:
            # What it signs begins where the stub of a response does, with the status.
            part = self._channel.unprotect(client_pdus.inside(parsed, data), data)
            status = client_pdus.status_in(part, parsed)
        if status == 0:
            raise ProtocolError("a fault without a status")
        self._reassembly.discard()
        self._state = _State.BOUND
        return Answer(b"", status=status)

    def _unprotect(self, parsed: Pdu, data: bytes) -> bytes:
        """Raises: ProtocolError, BadSignature."""
        if self._channel is not None:
            return self._channel.unprotect(parsed, data)
        if parsed.token_size:
            raise ProtocolError("a verifier without a login")
        return data[parsed.body : parsed.body + parsed.body_size]

    def _with_trailer(self, stub: bytes, opnum: int) -> bytes:
        """The stub of the first request, with what no signature of the bind covers."""
        header = ActualHeader(
            header_signing=True,
            abstract_syntax=presentation.INTERFACE,
            transfer_syntax=presentation.NDR,
            kind=PduType.REQUEST,
            big_endian=False,
            call_id=self._call_id,
            context_id=CONTEXT_ID,
            opnum=opnum,
        )
        return stub + trailer(len(stub), header)

    # -- ends

    def _next_call_id(self) -> int:
        self._call_id += 1
        return self._call_id

    def _expect(self, state: _State) -> None:
        """Raises: AssociationError."""
        if self._state is not state:
            raise AssociationError(f"out of sequence: {self._state.value}")

    def _refuse(self, why: str, *, denied: bool = False) -> NoReturn:
        """Raises: BindRefused."""
        self.close()
        raise BindRefused(why, denied=denied)

    def _fail(self, why: str) -> NoReturn:
        """Raises: AssociationError."""
        self.close()
        raise AssociationError(f"the server breaks the protocol: {why}")
