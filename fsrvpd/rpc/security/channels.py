"""The security contexts of one association, by auth_context_id.

A client that has authenticated must protect its requests. A request without a verifier, or
with another level or provider than agreed, may be an attack: `UnexpectedProtection`.
Spec: MS-RPCE 3.3.1.5.2, 3.3.1.5.4.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from fsrvpd.core.pdu import Flag, Pdu, PduType
from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount
from fsrvpd.rpc.security.acceptors import Acceptors
from fsrvpd.rpc.security.context import (
    AuthLevel,
    AuthParameters,
    AuthType,
    Principal,
    Reply,
    SecurityContext,
    StepResult,
    UnexpectedProtection,
)
from fsrvpd.rpc.security.protection import PduProtection

MAX_CHANNELS = 16  # a client uses one; Windows multiplexes those of several users


class Security(NamedTuple):
    """How the client authenticated and protected a request."""

    context_id: int
    level: AuthLevel
    principal: Principal

    @property
    def signed(self) -> bool:
        return self.level >= AuthLevel.CALL

    @property
    def sealed(self) -> bool:
        return self.level >= AuthLevel.PKT_PRIVACY


class UnknownProvider(AuthenticationError):
    """The client asks for a security provider that this server does not support."""


class Channel(PduProtection):
    """One security context, with the parameters from its first PDU."""

    def __init__(
        self, context: SecurityContext, auth_type: int, parameters: AuthParameters, context_id: int
    ) -> None:
        super().__init__(context, auth_type, parameters, context_id)
        self._context = context
        self._security: Optional[Security] = None
        self.failure = ""  # the reason to refuse the client's first request
        self.done = False

    @property
    def optional(self) -> bool:
        """Whether requests and responses may have no verifier."""
        return self.done and not self._signs

    def step(self, parsed: Pdu, token: bytes) -> StepResult:
        if self.done or self.failure or not self.agrees(parsed):
            raise AuthenticationError("a token out of sequence, or with other parameters")
        result = self._context.step(token)
        if isinstance(result, NtlmResponse) and parsed.type == PduType.AUTH3:
            self._check_needs_no_reply()
        self.done = isinstance(result, Reply) and result.done
        return result

    def _check_needs_no_reply(self) -> None:
        """auth3 has none: nobody's account need be looked up to see that this is in vain."""
        if self._context.answers_last_token:
            raise AuthenticationError("auth3, but the authentication is not at its end")

    def resume(self, verified: VerifiedAccount) -> Reply:
        reply = self._context.resume(verified)
        self.done = reply.done
        return reply

    def fail(self, why: str) -> None:
        """After auth3: the client cannot learn of it before its first request."""
        self.failure, self.done = why, False

    def security(self) -> Security:
        """It does not change once the client is authenticated. Raises: UnexpectedProtection."""
        if self._security is None:
            principal = self._context.principal
            if principal is None:
                raise UnexpectedProtection("a request before the client was authenticated")
            self._security = Security(self._context_id, self._level, principal)
        return self._security

    def unprotect(self, parsed: Pdu, data: bytes) -> bytes:
        """The stub in a fragment of a request. Raises: UnexpectedProtection, BadSignature."""
        if not self.done:
            raise UnexpectedProtection(
                self.failure or "a request before the client was authenticated"
            )
        if not self.agrees(parsed):
            raise UnexpectedProtection(
                "a request with another protection than the client authenticated for"
            )
        return self.opened(parsed, data)


class Channels:
    """The owner, an association, stops reading while `pending_verification` is set."""

    def __init__(self, acceptors: Optional[Acceptors]) -> None:
        self.pending_verification: Optional[NtlmResponse] = None
        self.header_signing = False  # agreed on with the first token
        self._acceptors = acceptors
        self._channels: dict[int, Channel] = {}
        self._verifying: Optional[Channel] = None

    @property
    def unfinished(self) -> bool:
        """Whether an exchange of tokens is still under way."""
        return any(not channel.done for channel in self._channels.values())

    def leg(self, parsed: Pdu, data: bytes) -> Optional[Reply]:
        """Take the token of a bind, alter_context or auth3. None when `pending_verification`
        is set now. Raises: AuthenticationError."""
        channel = self._channels.get(parsed.auth_context_id)
        if channel is None:
            channel = self._begin(parsed)
        result = channel.step(parsed, data[parsed.token :])
        if isinstance(result, Reply):
            return result
        self.pending_verification, self._verifying = result, channel
        return None

    def resume(self, verified: VerifiedAccount) -> Reply:
        """Raises: AuthenticationError."""
        channel, self._verifying, self.pending_verification = self._verifying, None, None
        if channel is None:
            raise AuthenticationError("no verification is pending")
        return channel.resume(verified)

    def fail(self, context_id: int, why: str) -> None:
        if context_id in self._channels:
            self._channels[context_id].fail(why)

    def unprotect(self, parsed: Pdu, data: bytes) -> tuple[bytes, Optional[Security]]:
        """The stub in a fragment of a request, and how it was protected: None if the client
        has not begun to authenticate.

        Raises: UnexpectedProtection, BadSignature.
        """
        if not parsed.token_size:
            return data[parsed.body : parsed.body + parsed.body_size], self._without_verifier()
        channel = self._channels.get(parsed.auth_context_id)
        if channel is None:
            raise UnexpectedProtection("a verifier without a security context")
        return channel.unprotect(parsed, data), channel.security()

    def channel(self, security: Security) -> Channel:
        """The one that protected a request."""
        return self._channels[security.context_id]

    def _begin(self, parsed: Pdu) -> Channel:
        if self._acceptors is None or parsed.auth_type not in AuthType.__members__.values():
            raise UnknownProvider(
                f"no security provider for authentication type {parsed.auth_type}"
            )
        if len(self._channels) >= MAX_CHANNELS:
            raise AuthenticationError("too many security contexts")
        if not self._channels:
            self.header_signing = bool(parsed.flags & Flag.SUPPORT_HEADER_SIGNING)
        parameters = AuthParameters(_level(parsed.auth_level), self.header_signing)
        context = self._acceptors.begin(parsed.auth_type, parameters)
        channel = Channel(context, parsed.auth_type, parameters, parsed.auth_context_id)
        self._channels[parsed.auth_context_id] = channel
        return channel

    def _without_verifier(self) -> Optional[Security]:
        """A client of level CONNECT with a single context may omit verifiers."""
        if not self._channels:
            return None
        channel, *others = self._channels.values()
        if others or not channel.optional:
            why = channel.failure or "a request without the verifier that was agreed on"
            raise UnexpectedProtection(why)
        return channel.security()


def _level(number: int) -> AuthLevel:
    try:
        return AuthLevel(number)
    except ValueError:
        raise AuthenticationError(f"no authentication level {number}") from None
