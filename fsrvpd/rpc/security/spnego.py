"""The SPNEGO acceptor: chooses a mechanism from the client's list and passes tokens to it.

Every mechanism here ends with a token of the client. The client sends its signature over
the list of mechanisms with that token, and the server answers with its own. If the client's
first choice was not accepted, only these signatures prove that nobody shortened the list:
without them the authentication fails.

Spec: RFC 4178 4.2, 5; MS-SPNG 3.2.5, 3.1.5.1.
"""

from __future__ import annotations

from typing import Callable, Mapping, Optional, Union

from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount
from fsrvpd.rpc.security import spnego_messages
from fsrvpd.rpc.security.context import (
    BadSignature,
    Mechanism,
    PduParts,
    Principal,
    Reply,
    StepResult,
)
from fsrvpd.rpc.security.spnego_messages import NegState

NTLMSSP_OID = bytes.fromhex("2b06010401823702020a")  # 1.3.6.1.4.1.311.2.2.10
KRB5_OID = bytes.fromhex("2a864886f712010202")  # 1.2.840.113554.1.2.2
MS_KRB5_OID = bytes.fromhex("2a864882f712010202")  # 1.2.840.48018.1.2.2, a mistake of Windows 2000

MechanismFactories = Mapping[bytes, Callable[[], Mechanism]]


class SpnegoAcceptor:
    """A `SecurityContext`. `factories`: for each OID, what begins its mechanism."""

    def __init__(self, factories: MechanismFactories) -> None:
        self._factories = factories
        self._mechanism: Optional[Mechanism] = None
        self._raw = False  # the client does not use SPNEGO
        self._mechanism_list = b""
        self._mic_needed = False
        self._client_mic: Optional[bytes] = None

    @property
    def answers_last_token(self) -> bool:
        return not self._raw

    @property
    def principal(self) -> Optional[Principal]:
        return None if self._mechanism is None else self._mechanism.principal

    def step(self, token: bytes) -> StepResult:
        if self._mechanism is None:
            return self._begin(token)
        if self._raw:
            return self._mechanism.step(token)
        answer = spnego_messages.parse_resp(token)
        if answer.token is None:
            raise AuthenticationError("SPNEGO: the client sends no token")
        self._client_mic = answer.mechanism_list_mic
        return self._wrapped(self._mechanism.step(answer.token))

    def resume(self, verified: VerifiedAccount) -> Reply:
        reply = self._chosen().resume(verified)
        return reply if self._raw else self._wrap(reply)

    def token_size(self, body_size: int) -> int:
        return self._chosen().token_size(body_size)

    def sign(self, parts: PduParts) -> bytes:
        return self._chosen().sign(parts)

    def verify(self, parts: PduParts, token: bytes) -> None:
        self._chosen().verify(parts, token)

    def seal(self, parts: PduParts) -> tuple[bytes, bytes]:
        return self._chosen().seal(parts)

    def unseal(self, parts: PduParts, token: bytes) -> bytes:
        return self._chosen().unseal(parts, token)

    def _begin(self, token: bytes) -> StepResult:
        raw = _raw_mechanism(token)
        if raw is not None:
            self._raw = True
            self._mechanism = self._make(raw)
            return self._mechanism.step(token)
        init = spnego_messages.parse_init(token)
        self._mechanism_list = init.mechanism_list
        oid = self._choose(init.mechanisms)
        self._mechanism = self._make(oid)
        if oid != init.mechanisms[0]:
            # The token is for another mechanism: RFC 4178 4.2.2.
            self._mic_needed = True
            return Reply(spnego_messages.resp(NegState.REQUEST_MIC, mechanism=oid), False)
        if init.token is None:
            return Reply(spnego_messages.resp(NegState.ACCEPT_INCOMPLETE, mechanism=oid), False)
        return self._wrapped(self._mechanism.step(init.token), oid)

    def _choose(self, offered: tuple[bytes, ...]) -> bytes:
        for oid in offered:
            if oid in self._factories:
                return oid
        raise AuthenticationError(
            "SPNEGO: the client offers no supported mechanism, but "
            + (", ".join(oid.hex() for oid in offered) or "none at all")
        )

    def _make(self, oid: bytes) -> Mechanism:
        if oid not in self._factories:
            raise AuthenticationError(f"SPNEGO: mechanism {oid.hex()} is not available")
        return self._factories[oid]()

    def _wrapped(self, progress: StepResult, oid: bytes = b"") -> StepResult:
        if isinstance(progress, NtlmResponse):
            self._check_mic_is_there()
            return progress
        return self._wrap(progress, oid)

    def _wrap(self, reply: Reply, oid: bytes = b"") -> Reply:
        if not reply.done:
            token = spnego_messages.resp(
                NegState.ACCEPT_INCOMPLETE, mechanism=oid, token=reply.token
            )
            return Reply(token, False)
        mic = self._exchange_mics()
        return Reply(
            spnego_messages.resp(NegState.ACCEPT_COMPLETED, token=reply.token, mic=mic), True
        )

    def _exchange_mics(self) -> bytes:
        """Check the client's and return the server's, b"" when the client sent none."""
        self._check_mic_is_there()
        if self._client_mic is None:
            return b""
        try:
            self._chosen().verify_mic(self._mechanism_list, self._client_mic)
        except BadSignature as error:
            raise AuthenticationError(f"SPNEGO: the list of mechanisms: {error}") from error
        return self._chosen().mic(self._mechanism_list)

    def _check_mic_is_there(self) -> None:
        if self._mic_needed and self._client_mic is None:
            raise AuthenticationError("SPNEGO: no signature over the list of mechanisms")

    def _chosen(self) -> Mechanism:
        if self._mechanism is None:
            raise BadSignature("SPNEGO: a signed message before the client has authenticated")
        return self._mechanism


def _raw_mechanism(token: bytes) -> Union[bytes, None]:
    """The mechanism of a first token without SPNEGO, which Windows accepts, too."""
    if token.startswith(b"NTLMSSP\0"):
        return NTLMSSP_OID
    if token[:1] == b"\x6e":  # AP-REQ, DCE style
        return KRB5_OID
    oid = spnego_messages.framed_oid(token)
    return None if oid == spnego_messages.SPNEGO_OID else oid
