"""The security contexts of one association, each known by its auth_context_id.

A client that has authenticated must protect what it sends: a request without a verifier,
of another level or another provider than agreed is no request but an attack, and so
`NotAgreed`. Spec: MS-RPCE 3.3.1.5.2, 3.3.1.5.4.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from fsrvpd.core import pdu
from fsrvpd.core.pdu import Flag, Pdu, Verifier
from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount
from fsrvpd.rpc.security.acceptors import Acceptors
from fsrvpd.rpc.security.context import (
    AuthLevel,
    AuthType,
    Message,
    NotAgreed,
    Principal,
    Progress,
    Reply,
    SecurityContext,
    Terms,
)

MAX_CHANNELS = 16  # a client uses one; Windows multiplexes those of several users


class Security(NamedTuple):
    """How a call came in."""

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
    """The client asks for a security provider that this server does not have."""


class Channel:
    """One security context with what its first PDU settled."""

    def __init__(
        self, context: SecurityContext, auth_type: int, terms: Terms, context_id: int
    ) -> None:
        self._context = context
        self._context_id = context_id
        self._auth_type = auth_type
        self._level = terms.level
        self._signs, self._seals = terms.needs_signing, terms.needs_sealing
        self._security: Optional[Security] = None
        self.failure = ""  # why the client's first request will be refused
        self.done = False

    @property
    def optional(self) -> bool:
        """Whether requests may come, and responses go, without a verifier."""
        return self.done and not self._signs

    def step(self, parsed: Pdu, token: bytes) -> Progress:
        if self.done or self.failure or not self._agrees(parsed):
            raise AuthenticationError("a token out of sequence, or on other terms")
        return self._noted(self._context.step(token))

    def resume(self, answer: VerifiedAccount) -> Reply:
        reply = self._context.resume(answer)
        self.done = reply.done
        return reply

    def fail(self, why: str) -> None:
        """The client cannot be told before its first request."""
        self.failure, self.done = why, False

    def security(self) -> Security:
        """Settled for good once the client is authenticated."""
        if self._security is None:
            principal = self._context.principal
            if principal is None:
                raise NotAgreed("a request before the client was authenticated")
            self._security = Security(self._context_id, self._level, principal)
        return self._security

    def open(self, parsed: Pdu, data: bytes) -> bytes:
        """The stub in a fragment of a request. Raises: BadSignature."""
        if not self.done:
            raise NotAgreed(self.failure or "a request before the client was authenticated")
        if not self._agrees(parsed):
            raise NotAgreed("a request on other terms than the client's authentication")
        verifier = parsed.token - pdu.VERIFIER_SIZE
        message = Message(
            data[: parsed.body], data[parsed.body : verifier], data[verifier : parsed.token]
        )
        return self._opened(message, data[parsed.token :])[: parsed.body_size]

    def protect(self, fragment: bytes) -> bytes:
        """A response's fragment as it goes out."""
        if not self._signs:
            return fragment
        body_size = len(fragment) - pdu.RESPONSE_HEADER_SIZE
        padding = -body_size % pdu.VERIFIER_ALIGNMENT
        verifier = Verifier(self._auth_type, self._level, padding, self._context_id)
        size = self._context.token_size(body_size + padding)
        whole = pdu.with_verifier(fragment + bytes(padding), verifier, size)
        end = len(whole) - pdu.VERIFIER_SIZE
        head = whole[: pdu.RESPONSE_HEADER_SIZE]
        message = Message(head, whole[pdu.RESPONSE_HEADER_SIZE : end], whole[end:])
        return self._closed(message)

    def overhead(self, body_size: int) -> int:
        """The most that `protect` adds to a fragment."""
        if not self._signs:
            return 0
        padding = pdu.VERIFIER_ALIGNMENT - 1
        return padding + pdu.VERIFIER_SIZE + self._context.token_size(body_size + padding)

    def _opened(self, message: Message, token: bytes) -> bytes:
        if self._seals:
            return self._context.unseal(message, token)
        if self._signs:
            self._context.verify(message, token)
        return message.body

    def _closed(self, message: Message) -> bytes:
        if self._seals:
            body, token = self._context.seal(message)
            return message.head + body + message.sec_trailer + token
        return b"".join((*message, self._context.sign(message)))

    def _agrees(self, parsed: Pdu) -> bool:
        return parsed.auth_type == self._auth_type and parsed.auth_level == self._level

    def _noted(self, progress: Progress) -> Progress:
        self.done = isinstance(progress, Reply) and progress.done
        return progress


class Channels:
    """All of an association's. Whoever owns it stops reading while `question` stands."""

    def __init__(self, acceptors: Optional[Acceptors]) -> None:
        self.question: Optional[NtlmResponse] = None
        self.header_signing = False
        self.begun = False  # whether there are any
        self._acceptors = acceptors
        self._channels: dict[int, Channel] = {}
        self._asking: Optional[Channel] = None

    @property
    def unfinished(self) -> bool:
        """Whether an exchange of tokens is still under way."""
        return any(not channel.done for channel in self._channels.values())

    def leg(self, parsed: Pdu, data: bytes) -> Optional[Reply]:
        """Take the token of a bind, alter_context or auth3; None when there is a question
        now. Raises: AuthenticationError."""
        channel = self._channels.get(parsed.auth_context_id)
        if channel is None:
            channel = self._begin(parsed)
        progress = channel.step(parsed, data[parsed.token :])
        if isinstance(progress, Reply):
            return progress
        self.question, self._asking = progress, channel
        return None

    def resume(self, answer: VerifiedAccount) -> Reply:
        """Raises: AuthenticationError."""
        channel, self._asking, self.question = self._asking, None, None
        if channel is None:
            raise AuthenticationError("an answer to no question")
        return channel.resume(answer)

    def fail(self, context_id: int, why: str) -> None:
        if context_id in self._channels:
            self._channels[context_id].fail(why)

    def open(self, parsed: Pdu, data: bytes) -> tuple[bytes, Optional[Security]]:
        """The stub in a fragment of a request, and how it was secured. Raises: BadSignature."""
        if not parsed.token_size:
            return data[parsed.body : parsed.body + parsed.body_size], self._without_verifier()
        channel = self._channels.get(parsed.auth_context_id)
        if channel is None:
            raise NotAgreed("a verifier without a security context")
        return channel.open(parsed, data), channel.security()

    def channel(self, security: Security) -> Channel:
        """The one that a call came through."""
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
        terms = Terms(_level(parsed.auth_level), self.header_signing)
        context = self._acceptors.begin(parsed.auth_type, terms)
        channel = Channel(context, parsed.auth_type, terms, parsed.auth_context_id)
        self._channels[parsed.auth_context_id] = channel
        self.begun = True
        return channel

    def _without_verifier(self) -> Optional[Security]:
        """Clients of level CONNECT, if they have but one context, may leave it out."""
        if not self._channels:
            return None
        channel, *others = self._channels.values()
        if others or not channel.optional:
            why = channel.failure or "a request without the verifier that was agreed upon"
            raise NotAgreed(why)
        return channel.security()


def _level(number: int) -> AuthLevel:
    try:
        return AuthLevel(number)
    except ValueError:
        raise AuthenticationError(f"no authentication level {number}") from None
