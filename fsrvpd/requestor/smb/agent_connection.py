"""`SmbAgentConnection`: calls of MS-FSRVP over a pipe, signed or sealed at RPC level."""

from __future__ import annotations

from typing import FrozenSet, Optional, Tuple

from fsrvpd.core import messages, ndr
from fsrvpd.core.messages import Opnum
from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.errors import AccessRefused, Disconnected, RequestorError
from fsrvpd.requestor.ports import CALL_TIMEOUT
from fsrvpd.requestor.smb import failures
from fsrvpd.requestor.smb.initiator import SpnegoInitiator
from fsrvpd.requestor.smb.pipe import Pipe
from fsrvpd.requestor.smb.session import SMB_ERRORS, SmbSession
from fsrvpd.rpc.client_association import (
    SYNTAX,
    Answer,
    AssociationError,
    BindRefused,
    ClientAssociation,
)
from fsrvpd.rpc.faults import Fault
from fsrvpd.rpc.security.context import AuthLevel, AuthType

PIPE = "FssagentRpc"
_NOT_PERMITTED = "put the user into Backup Operators of the server"


class Binding:
    """An association of an agent's pipe whose bind is to be sent. `sealed`: it will seal, not only
    sign."""

    def __init__(self, session: SmbSession, *, sealed: Optional[bool] = None) -> None:
        self._session = session
        self.sealed = session.encrypted if sealed is None else sealed
        self._association: Optional[ClientAssociation] = None
        self._error: Optional[RequestorError] = None

    def begin(self) -> None:
        """Make the bind ready, once: it takes as long as a server takes to open the pipe."""
        if self._association is None and self._error is None:
            try:
                self._association = self._begun()
            except RequestorError as error:
                self._error = error

    def association(self) -> ClientAssociation:
        """Raises: AccessRefused."""
        self.begin()
        if self._association is None:
            raise self._error or AssertionError
        return self._association

    def _begun(self) -> ClientAssociation:
        """Raises: AccessRefused."""
        session = self._session
        level = AuthLevel.PKT_PRIVACY if self.sealed else AuthLevel.PKT_INTEGRITY
        try:
            initiator = SpnegoInitiator(session.credential, session.host, seal=self.sealed)
            association = ClientAssociation(initiator, AuthType.GSS_NEGOTIATE, level)
            association.bind()
        except (AuthenticationError, BindRefused) as error:
            raise _bind_refused(session.host, error) from error
        return association


class SmbAgentConnection:
    """An `AgentConnection`. It owns the session.

    It signs. Where the session is encrypted it seals, and also if the server refuses the very
    first call: an agent may demand that, and there is no way to ask it before.
    """

    def __init__(self, session: SmbSession, pipe: Pipe, binding: Binding) -> None:
        """Binds. Raises: AccessRefused, Disconnected, RequestorError."""
        self._session, self._pipe = session, pipe
        self._any_call_permitted = False
        self._closed = False
        self._association = self._bind(binding)

    @property
    def host(self) -> str:
        return self._session.host

    @property
    def proved_names(self) -> FrozenSet[str]:
        return self._session.proved_names

    @property
    def uses_kerberos(self) -> bool:
        return self._session.uses_kerberos

    @property
    def round_trips(self) -> int:
        """Answers that were waited for since the connection began."""
        return self._session.connection.round_trips

    def call(self, request: messages.Request, timeout: float = CALL_TIMEOUT) -> messages.Response:
        opnum = Opnum[type(request).__name__]
        try:
            stub = ndr.encode_request(request, SYNTAX)
        except ValueError as error:
            raise RequestorError(self.host, f"{opnum.name}: {error}", "shorten the name") from error
        self._session.connection.limit(timeout)
        answer, response = self._answered(opnum, stub)
        if _is_refusal(answer, response) and not self._sealed and not self._any_call_permitted:
            self._seal()
            answer, response = self._answered(opnum, stub)
        if response is None:
            raise self._fault(opnum, answer.status)
        self._any_call_permitted |= response.result != HResult.E_ACCESSDENIED
        return response

    def has_share(self, name: str) -> bool:
        if self._closed:
            raise Disconnected(self.host, "the connection is closed", "connect again")
        self._session.connection.limit(CALL_TIMEOUT)
        try:
            self._session.tree(name)
        except RequestorError as error:
            if isinstance(error, Disconnected):
                self.close()
                raise
            return error.result != failures.BAD_NETWORK_NAME
        return True

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._association.close()
            self._session.close()

    def _answered(self, opnum: int, stub: bytes) -> Tuple[Answer, Optional[messages.Response]]:
        """A fault has no response. Raises: Disconnected."""
        answer = self._answer(opnum, stub)
        return answer, None if answer.status else self._decoded(opnum, answer)

    def _answer(self, opnum: int, stub: bytes) -> Answer:
        """Raises: Disconnected."""
        if self._closed:
            raise Disconnected(self.host, "the connection is closed", "connect again")
        try:
            self._association.call(opnum, stub)
            return self._exchange(self._association)
        except AssociationError as error:
            self.close()
            raise Disconnected(self.host, str(error), "see the server's log") from error
        except SMB_ERRORS as error:
            self.close()
            method = Opnum(opnum).name
            broken = failures.failure(self.host, error)
            cause = f"{method}: {broken.cause}"
            raise Disconnected(self.host, cause, broken.next_step, result=broken.result) from error

    def _exchange(self, association: ClientAssociation) -> Answer:
        """Send and receive until nothing is awaited. Raises: AssociationError, SMB_ERRORS."""
        answer: Optional[Answer] = None
        while association.awaits_answer:
            *earlier, last = association.outgoing() or [b""]
            for message in earlier:
                self._pipe.write(message)
            answer = association.receive(self._pipe.transceive(last) if last else self._pipe.read())
        return answer or Answer(b"")

    def _decoded(self, opnum: int, answer: Answer) -> messages.Response:
        """Raises: Disconnected."""
        try:
            return ndr.decode_response(opnum, answer.stub, SYNTAX, answer.big_endian)
        except ndr.Malformed as error:
            self.close()
            raise Disconnected(self.host, str(error), "see the server's log") from error

    def _fault(self, opnum: int, status: int) -> RequestorError:
        method = Opnum(opnum).name
        if status == Fault.ACCESS_DENIED:
            cause = f"{method}: access is denied"
            return AccessRefused(self.host, cause, _NOT_PERMITTED, result=status)
        name = Fault(status).name if status in Fault.__members__.values() else f"{status:#010x}"
        cause = f"{method} was answered with fault {name}"
        return RequestorError(self.host, cause, "see the server's log", result=status)

    # -- bind

    def _seal(self) -> None:
        """Bind again, on a pipe of its own, with a higher level. Raises: RequestorError."""
        self._pipe.close()
        binding = Binding(self._session, sealed=True)
        try:
            self._pipe = Pipe(self._session, PIPE, binding.begin)
        except SMB_ERRORS as error:
            self.close()
            raise failures.failure(self.host, error, failures.PIPE) from error
        self._association = self._bind(binding)

    def _bind(self, binding: Binding) -> ClientAssociation:
        """Raises: AccessRefused, Disconnected, RequestorError."""
        self._sealed = binding.sealed
        association = binding.association()
        try:
            self._exchange(association)
        except (AuthenticationError, BindRefused) as error:
            raise _bind_refused(self.host, error) from error
        except AssociationError as error:
            raise Disconnected(self.host, str(error), "see the server's log") from error
        except SMB_ERRORS as error:
            raise failures.failure(self.host, error) from error
        return association


def _is_refusal(answer: Answer, response: Optional[messages.Response]) -> bool:
    if response is None:
        return answer.status == Fault.ACCESS_DENIED
    return response.result == HResult.E_ACCESSDENIED


def _bind_refused(host: str, error: Exception) -> RequestorError:
    cause = f"the login to the agent failed: {error}"
    if isinstance(error, BindRefused) and not error.denied:
        return RequestorError(host, str(error), "see whether its agent is fsrvpd")
    return AccessRefused(host, cause, "see the agent's log")
