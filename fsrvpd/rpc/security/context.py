"""The interface of a security provider: what an association requires of every one.

An acceptor's context begins with the client's first token and takes a step with each further one. A
step returns a `Reply`, or an `NtlmResponse` that must be verified first; then `resume`
takes the result, whenever it comes. Once a reply is `done` the context protects PDUs.

Spec: MS-RPCE 2.2.1.1.7, 2.2.1.1.8, 3.3.1.5.2.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, Optional, Protocol, Union

from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount


class AuthType(IntEnum):
    """Spec: MS-RPCE 2.2.1.1.7; those that MS-FSRVP 3.1.4 allows."""

    GSS_NEGOTIATE = 9
    WINNT = 10
    GSS_KERBEROS = 16


class AuthLevel(IntEnum):
    """Spec: MS-RPCE 2.2.1.1.8."""

    NONE = 1
    CONNECT = 2
    CALL = 3
    PKT = 4
    PKT_INTEGRITY = 5
    PKT_PRIVACY = 6


class BadSignature(FsrvpdError):
    """A PDU is not what the authenticated client sent: the association must end."""


class UnexpectedProtection(BadSignature):
    """A PDU has another protection than the authentication agreed on: it is refused before
    its signature is verified."""


class AuthParameters(NamedTuple):
    """What the first PDU with a token determines for a context, beside the provider."""

    level: AuthLevel
    header_signing: bool  # PFC_SUPPORT_HEADER_SIGN was set by both sides

    @property
    def needs_signing(self) -> bool:
        """CALL and PKT are treated as PKT_INTEGRITY, the next level that is supported."""
        return self.level >= AuthLevel.CALL

    @property
    def needs_sealing(self) -> bool:
        return self.level >= AuthLevel.PKT_PRIVACY


class Principal(NamedTuple):
    """The account that the client has proved to be."""

    account: str  # DOMAIN\\name, as smbd spells it
    user_sid: str


class Reply(NamedTuple):
    """`token` is the next leg for the client, empty when it needs none."""

    token: bytes
    done: bool


StepResult = Union[Reply, NtlmResponse]


class PduParts(NamedTuple):
    """A request or response PDU in the three parts that are protected in different ways: `head`
    up to the stub, `body` with verification trailer and padding, 8 bytes of sec_trailer."""

    head: bytes
    body: bytes
    sec_trailer: bytes


class Protection(Protocol):
    """What an established security context does to PDUs, at either end of the wire."""

    def token_size(self, body_size: int) -> int:
        """Size in bytes of the token that will protect a body of this size: it is part of the
        head that the token signs."""

    def sign(self, parts: PduParts) -> bytes:
        """The token of a PDU that is sent unencrypted."""

    def verify(self, parts: PduParts, token: bytes) -> None:
        """Raises: BadSignature."""

    def seal(self, parts: PduParts) -> tuple[bytes, bytes]:
        """The encrypted body, as long as the plain one, and the token."""

    def unseal(self, parts: PduParts, token: bytes) -> bytes:
        """The plain body. Raises: BadSignature."""


class SecurityContext(Protection, Protocol):
    """One client that authenticates, or has, on one association."""

    @property
    def principal(self) -> Optional[Principal]:
        """None until a reply was `done`."""

    @property
    def answers_last_token(self) -> bool:
        """Whether the client's last token needs a reply, so that auth3 cannot carry it."""

    def step(self, token: bytes) -> StepResult:
        """Take the client's next token. Raises: AuthenticationError, which ends it."""

    def resume(self, verified: VerifiedAccount) -> Reply:
        """Continue after a step that returned an NtlmResponse. Raises: AuthenticationError."""


class Initiator(Protection, Protocol):
    """The client's end: who authenticates, or has, to one server on one association."""

    def step(self, token: bytes) -> Reply:
        """Take the server's next token, b"" for the first step, and return the next one for it.
        Raises: AuthenticationError, which ends it."""


class Mechanism(SecurityContext, Protocol):
    """A context that SPNEGO can negotiate: it also signs data that is not a PDU."""

    def mic(self, data: bytes) -> bytes:
        """The token for SPNEGO's list of mechanisms (mechListMIC)."""

    def verify_mic(self, data: bytes, token: bytes) -> None:
        """Raises: BadSignature."""
