"""What the association asks of a security provider, whichever it is.

A context begins with the client's first token and is stepped with each further one. It
answers with a `Reply`, or, when the account's key must be asked for, with the question:
then `resume` takes the answer whenever that comes. Once a reply says `done` the context
protects messages.

Spec: MS-RPCE 2.2.1.1.7, 2.2.1.1.8, 3.3.1.5.2.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, Optional, Protocol, Union

from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount


class AuthType(IntEnum):
    """Spec: MS-RPCE 2.2.1.1.7; those that MS-FSRVP 3.1.4 admits."""

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
    """A message is not what the authenticated peer sent: the association must end."""


class NotAgreed(BadSignature):
    """A message on other terms than the authentication's: whatever it is, it is refused
    before any signature is looked at."""


class Terms(NamedTuple):
    """What the first PDU with a token settles for a context, beside the provider."""

    level: AuthLevel
    header_signing: bool  # PFC_SUPPORT_HEADER_SIGN was set by both sides

    @property
    def needs_signing(self) -> bool:
        """CALL and PKT are treated as PKT_INTEGRITY, as the next level that we support."""
        return self.level >= AuthLevel.CALL

    @property
    def needs_sealing(self) -> bool:
        return self.level >= AuthLevel.PKT_PRIVACY


class Principal(NamedTuple):
    """Whom the client proved to be."""

    account: str  # DOMAIN\\name or name@REALM, for logs
    user_sid: str


class Reply(NamedTuple):
    """`token` is the next leg for the client, empty when it needs none."""

    token: bytes
    done: bool


Progress = Union[Reply, NtlmResponse]


class Message(NamedTuple):
    """A request or response PDU in the three parts that differ in protection: `head` up
    to the stub, `body` with verification trailer and padding, the 8 bytes of sec_trailer."""

    head: bytes
    body: bytes
    sec_trailer: bytes


class SecurityContext(Protocol):
    """One client, proved or being proved, on one association."""

    @property
    def principal(self) -> Optional[Principal]:
        """None until a reply said `done`."""

    def step(self, token: bytes) -> Progress:
        """Take the client's next token. Raises: AuthenticationError; then it is over."""

    def resume(self, answer: VerifiedAccount) -> Reply:
        """Go on after a step that asked. Raises: AuthenticationError."""

    def token_size(self, body_size: int) -> int:
        """Size in bytes of the token that will protect a body of this size: it stands in
        the head that the token signs."""

    def sign(self, message: Message) -> bytes:
        """The token of a message that goes out in clear."""

    def verify(self, message: Message, token: bytes) -> None:
        """Raises: BadSignature."""

    def seal(self, message: Message) -> tuple[bytes, bytes]:
        """The encrypted body, as long as the plain one, and the token."""

    def unseal(self, message: Message, token: bytes) -> bytes:
        """The plain body. Raises: BadSignature."""


class Mechanism(SecurityContext, Protocol):
    """A context that SPNEGO can negotiate: it can also sign what is no PDU."""

    def mic(self, data: bytes) -> bytes:
        """The token for SPNEGO's list of mechanisms."""

    def verify_mic(self, data: bytes, token: bytes) -> None:
        """Raises: BadSignature."""
