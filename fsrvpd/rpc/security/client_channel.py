"""The security context of a client's association, which has only one.

Spec: MS-RPCE 3.3.1.5.2; the client demands header signing (2.2.2.3, PFC_SUPPORT_HEADER_SIGN).
"""

from __future__ import annotations

from fsrvpd.core import pdu
from fsrvpd.core.pdu import Pdu, Verifier
from fsrvpd.errors import AuthenticationError
from fsrvpd.rpc.security.context import (
    AuthLevel,
    AuthParameters,
    AuthType,
    BadSignature,
    Initiator,
    UnexpectedProtection,
)
from fsrvpd.rpc.security.protection import PduProtection

CONTEXT_ID = 1
MAX_LEGS = 8  # tokens of a server: SPNEGO with NTLM or Kerberos has two


class ClientChannel(PduProtection):
    def __init__(self, initiator: Initiator, auth_type: int, level: AuthLevel) -> None:
        parameters = AuthParameters(level, header_signing=True)
        super().__init__(initiator, auth_type, parameters, CONTEXT_ID)
        self._initiator = initiator
        self._legs = 0
        self.done = False

    @property
    def ends_with_auth3(self) -> bool:
        """Whether the server does not answer the last token: SPNEGO answers each."""
        return self.done and self._auth_type != AuthType.GSS_NEGOTIATE

    def first(self) -> bytes:
        """The token of the bind. Raises: AuthenticationError."""
        return self._step(b"")

    def next(self, parsed: Pdu, data: bytes) -> bytes:
        """Take the token of an answer. Returns the next one for the server, b"" after the last.

        Raises: AuthenticationError, BadSignature.
        """
        if not parsed.token_size:
            if not self.done:
                raise AuthenticationError("the server ended the login too early")
            return b""
        self._check(parsed)
        self._legs += 1
        if self._legs > MAX_LEGS:
            raise AuthenticationError("the login has no end")
        return self._step(data[parsed.token :])

    def with_token(self, data: bytes, token: bytes) -> bytes:
        """A PDU of the bind with a token."""
        verifier = Verifier(self._auth_type, self._level, 0, self._context_id)
        return pdu.with_verifier(data, verifier, len(token)) + token

    def unprotect(self, parsed: Pdu, data: bytes) -> bytes:
        """The stub in a fragment of a response. Raises: BadSignature."""
        if not parsed.token_size:
            raise BadSignature("a response that is not signed")
        self._check(parsed)
        return self.opened(parsed, data)

    def _step(self, token: bytes) -> bytes:
        """Raises: AuthenticationError."""
        reply = self._initiator.step(token)
        self.done = reply.done
        if not reply.token and not reply.done:
            raise AuthenticationError("the login cannot go on")
        return reply.token

    def _check(self, parsed: Pdu) -> None:
        """Raises: UnexpectedProtection."""
        if parsed.auth_context_id != self._context_id or not self.agrees(parsed):
            raise UnexpectedProtection("another protection than was agreed on")
