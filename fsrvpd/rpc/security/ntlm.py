"""The NTLM acceptor: NTLMv2, extended session security, 128-bit keys, never anonymous.

It never sees a password or its hash: it hands out the client's response to be verified, and
gets back the session base key. Spec: MS-NLMP 3.2.5.1.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple, Optional, Union

from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount
from fsrvpd.rpc.security import ntlm_messages
from fsrvpd.rpc.security.context import AuthParameters, BadSignature, PduParts, Principal, Reply
from fsrvpd.rpc.security.ntlm_messages import Authenticate, Flags, Names
from fsrvpd.rpc.security.ntlm_session import TOKEN_SIZE, NtlmSession, rc4

KEY_SIZE = 16

# Without these there is no real protection; every client since 2000 supports them.
_REQUIRED = Flags.UNICODE | Flags.EXTENDED_SESSIONSECURITY | Flags.KEY_128
_ECHOED = _REQUIRED | Flags.SIGN | Flags.SEAL | Flags.KEY_EXCH | Flags.KEY_56 | Flags.VERSION
_OURS = Flags.NTLM | Flags.ALWAYS_SIGN | Flags.REQUEST_TARGET | Flags.TARGET_INFO


class ChallengeFields(NamedTuple):
    """What the server puts into a CHALLENGE_MESSAGE: its names, a new nonce of 8 bytes, and
    the time in 100 ns since 1601-01-01 UTC."""

    names: Names
    nonce: bytes
    file_time: int


class NtlmAcceptor:
    """A `Mechanism` of three legs: negotiate, challenge, authenticate."""

    principal: Optional[Principal] = None
    answers_last_token = False

    def __init__(self, parameters: AuthParameters, fields: ChallengeFields) -> None:
        self._parameters = parameters
        self._fields = fields
        self._negotiate = b""
        self._challenge = b""
        self._offered = 0
        self._pending: Optional[tuple[bytes, Authenticate]] = None
        self._session: Optional[NtlmSession] = None

    def step(self, token: bytes) -> Union[Reply, NtlmResponse]:
        if not self._challenge:
            return self._take_negotiate(token)
        if self._pending is not None or self._session is not None:
            raise AuthenticationError("NTLM: a token after the last one")
        return self._take_authenticate(token)

    def resume(self, verified: VerifiedAccount) -> Reply:
        if self._pending is None:
            raise AuthenticationError("NTLM: no verification is pending")
        (token, message), self._pending = self._pending, None
        key = _exported_key(message, verified.session_base_key)
        self._check_mic(token, message, key)
        self._session = NtlmSession(key, bool(message.flags & Flags.KEY_EXCH))
        self.principal = Principal(verified.account, verified.user_sid)
        return Reply(b"", True)

    def token_size(self, body_size: int) -> int:
        return TOKEN_SIZE

    # NTLM signs header and trailer, negotiated or not: by MS-NLMP 3.4.6.1 NTLMv2 covers every
    # buffer.

    def sign(self, parts: PduParts) -> bytes:
        return self._established().sign(b"".join(parts))

    def verify(self, parts: PduParts, token: bytes) -> None:
        self._established().verify(b"".join(parts), token)

    def seal(self, parts: PduParts) -> tuple[bytes, bytes]:
        return self._established().seal(*parts)

    def unseal(self, parts: PduParts, token: bytes) -> bytes:
        return self._established().unseal(*parts, token)

    def mic(self, data: bytes) -> bytes:
        token = self._established().sign(data)
        self._established().rewind()
        return token

    def verify_mic(self, data: bytes, token: bytes) -> None:
        self._established().verify(data, token)
        self._established().rewind()

    def _take_negotiate(self, token: bytes) -> Reply:
        asked = ntlm_messages.negotiate_flags(token)
        self._require(asked)
        names = self._fields.names
        target = Flags.TARGET_TYPE_DOMAIN if names.is_member else Flags.TARGET_TYPE_SERVER
        self._offered = int((asked & _ECHOED) | _OURS | target)
        self._negotiate = token
        self._challenge = ntlm_messages.challenge(
            self._offered, self._fields.nonce, names, self._fields.file_time
        )
        return Reply(self._challenge, False)

    def _take_authenticate(self, token: bytes) -> NtlmResponse:
        sent = ntlm_messages.authenticate(token)
        if not sent.account or sent.flags & Flags.ANONYMOUS:
            raise AuthenticationError("NTLM: anonymous authentication is refused")
        message = sent._replace(flags=sent.flags & self._offered)
        self._require(message.flags)
        _check_session_key(message)
        self._pending = (token, message)
        return NtlmResponse(
            challenge=self._fields.nonce,
            account=message.account,
            domain=message.domain,
            workstation=message.workstation,
            nt_response=message.nt_response,
            lm_response=message.lm_response,
        )

    def _require(self, flags: int) -> None:
        """The flags must include what the level needs: they determine the keys."""
        wanted = _REQUIRED
        if self._parameters.needs_signing:
            wanted |= Flags.SIGN
        if self._parameters.needs_sealing:
            wanted |= Flags.SEAL
        missing = wanted & ~flags
        if missing:
            raise AuthenticationError(f"NTLM: the client does not offer {missing!r}")

    def _check_mic(self, token: bytes, message: Authenticate, key: bytes) -> None:
        """The MIC proves that none of the three messages was altered. Spec: MS-NLMP 3.2.5.1.2."""
        if message.mic is None:
            return
        signed = self._negotiate + self._challenge + ntlm_messages.without_mic(token)
        if not hmac.compare_digest(hmac.digest(key, signed, "md5"), message.mic):
            raise AuthenticationError("NTLM: the message integrity code does not match")

    def _established(self) -> NtlmSession:
        if self._session is None:
            raise BadSignature("NTLM: a signed message before the client has authenticated")
        return self._session


def _check_session_key(message: Authenticate) -> None:
    """Raises: AuthenticationError if no key can be had from the message, whoever sent it."""
    size = len(message.encrypted_session_key)
    if _has_session_key(message) and size != KEY_SIZE:
        raise AuthenticationError(f"NTLM: an encrypted session key of {size} bytes")


def _has_session_key(message: Authenticate) -> bool:
    """Samba sends a key even when nothing will be signed. Spec: MS-NLMP 3.2.5.1.2."""
    if not message.flags & Flags.KEY_EXCH:
        return False
    return bool(message.encrypted_session_key or message.flags & (Flags.SIGN | Flags.SEAL))


def _exported_key(message: Authenticate, base_key: bytes) -> bytes:
    """Spec: MS-NLMP 3.2.5.1.2."""
    if len(base_key) != KEY_SIZE:
        raise AuthenticationError(f"NTLM: a session base key of {len(base_key)} bytes")
    if not _has_session_key(message):
        return base_key
    return rc4(base_key, message.encrypted_session_key)
