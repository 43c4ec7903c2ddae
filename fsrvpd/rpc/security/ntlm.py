"""The NTLM acceptor: NTLMv2 with extended session security, 128 bits, nobody anonymous.

It never sees a password or its hash: the client's response goes to whoever knows the
account, and what comes back is the session's base key. Spec: MS-NLMP 3.2.5.1.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple, Optional, Union

from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount
from fsrvpd.rpc.security import ntlm_messages
from fsrvpd.rpc.security.context import BadSignature, Message, Principal, Reply, Terms
from fsrvpd.rpc.security.ntlm_messages import Authenticate, Flags, Names
from fsrvpd.rpc.security.ntlm_session import TOKEN_SIZE, NtlmSession, hmac_md5, rc4

KEY_SIZE = 16

# Without these there is no protection worth the name; every client since 2000 has them.
_DEMANDED = Flags.UNICODE | Flags.EXTENDED_SESSIONSECURITY | Flags.KEY_128
_ECHOED = _DEMANDED | Flags.SIGN | Flags.SEAL | Flags.KEY_EXCH | Flags.KEY_56 | Flags.VERSION
_OURS = Flags.NTLM | Flags.ALWAYS_SIGN | Flags.REQUEST_TARGET | Flags.TARGET_INFO


class Offer(NamedTuple):
    """What one acceptor needs beside the client's tokens: a fresh nonce of 8 bytes, and
    the time in 100 ns since 1601-01-01 UTC."""

    names: Names
    nonce: bytes
    file_time: int


class NtlmAcceptor:
    """A `Mechanism`. Three legs: negotiate, challenge, authenticate."""

    principal: Optional[Principal] = None

    def __init__(self, terms: Terms, offer: Offer) -> None:
        self._terms = terms
        self._offer = offer
        self._negotiate = b""
        self._challenge = b""
        self._offered = 0
        self._waiting: Optional[tuple[bytes, Authenticate]] = None
        self._session: Optional[NtlmSession] = None

    def step(self, token: bytes) -> Union[Reply, NtlmResponse]:
        if not self._challenge:
            return self._answer_negotiate(token)
        if self._waiting is not None or self._session is not None:
            raise AuthenticationError("NTLM: a token after the last one")
        return self._ask_about(token)

    def resume(self, answer: VerifiedAccount) -> Reply:
        if self._waiting is None:
            raise AuthenticationError("NTLM: an answer to no question")
        (token, message), self._waiting = self._waiting, None
        key = _exported_key(message, answer.session_base_key)
        self._check_mic(token, message, key)
        self._session = NtlmSession(key, bool(message.flags & Flags.KEY_EXCH))
        self.principal = Principal(answer.account, answer.user_sid)
        return Reply(b"", True)

    def token_size(self, body_size: int) -> int:
        return TOKEN_SIZE

    # NTLM signs header and trailer whether or not that was negotiated: MS-NLMP 3.4.6.1
    # has NTLMv2 cover every buffer.

    def sign(self, message: Message) -> bytes:
        return self._open().sign(b"".join(message))

    def verify(self, message: Message, token: bytes) -> None:
        self._open().verify(b"".join(message), token)

    def seal(self, message: Message) -> tuple[bytes, bytes]:
        return self._open().seal(*message)

    def unseal(self, message: Message, token: bytes) -> bytes:
        return self._open().unseal(*message, token)

    def mic(self, data: bytes) -> bytes:
        token = self._open().sign(data)
        self._open().rewind()
        return token

    def verify_mic(self, data: bytes, token: bytes) -> None:
        self._open().verify(data, token)
        self._open().rewind()

    def _answer_negotiate(self, token: bytes) -> Reply:
        asked = ntlm_messages.negotiate_flags(token)
        self._demand(asked)
        names = self._offer.names
        target = Flags.TARGET_TYPE_DOMAIN if names.is_member else Flags.TARGET_TYPE_SERVER
        self._offered = int((asked & _ECHOED) | _OURS | target)
        self._negotiate = token
        self._challenge = ntlm_messages.challenge(
            self._offered, self._offer.nonce, names, self._offer.file_time
        )
        return Reply(self._challenge, False)

    def _ask_about(self, token: bytes) -> NtlmResponse:
        sent = ntlm_messages.authenticate(token)
        if not sent.account or sent.flags & Flags.ANONYMOUS:
            raise AuthenticationError("NTLM: anonymous authentication is refused")
        message = sent._replace(flags=sent.flags & self._offered)
        self._demand(message.flags)
        self._waiting = (token, message)
        return NtlmResponse(
            challenge=self._offer.nonce,
            account=message.account,
            domain=message.domain,
            workstation=message.workstation,
            nt_response=message.nt_response,
            lm_response=message.lm_response,
        )

    def _demand(self, flags: int) -> None:
        """What the level needs must be among the flags, and so in the keys that follow."""
        wanted = _DEMANDED
        if self._terms.needs_signing:
            wanted |= Flags.SIGN
        if self._terms.needs_sealing:
            wanted |= Flags.SEAL
        missing = wanted & ~flags
        if missing:
            raise AuthenticationError(f"NTLM: the client does without {missing!r}")

    def _check_mic(self, token: bytes, message: Authenticate, key: bytes) -> None:
        """Spec: MS-NLMP 3.2.5.1.2: it covers all three messages, so none was altered."""
        if message.mic is None:
            return
        signed = self._negotiate + self._challenge + ntlm_messages.without_mic(token)
        if not hmac.compare_digest(hmac_md5(key, signed), message.mic):
            raise AuthenticationError("NTLM: the message integrity code does not match")

    def _open(self) -> NtlmSession:
        if self._session is None:
            raise BadSignature("NTLM: a signed message before the client was authenticated")
        return self._session


def _exported_key(message: Authenticate, base_key: bytes) -> bytes:
    """Spec: MS-NLMP 3.2.5.1.2. Samba sends a key also where nothing is to be signed."""
    if len(base_key) != KEY_SIZE:
        raise AuthenticationError(f"NTLM: a session base key of {len(base_key)} bytes")
    if not message.flags & Flags.KEY_EXCH:
        return base_key
    encrypted = message.encrypted_session_key
    if not encrypted and not message.flags & (Flags.SIGN | Flags.SEAL):
        return base_key
    if len(encrypted) != KEY_SIZE:
        raise AuthenticationError(f"NTLM: an encrypted session key of {len(encrypted)} bytes")
    return rc4(base_key, encrypted)
