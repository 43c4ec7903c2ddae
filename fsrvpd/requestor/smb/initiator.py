"""pyspnego as the client's end of SPNEGO, for the SMB session and for DCE/RPC.

Spec: MS-RPCE 2.2.1.1.7 (SPNEGO), MS-SPNG; header signing as `rpc.client_association` demands it.
"""

from __future__ import annotations

from typing import Any, Union

import spnego
from spnego import ContextReq, NegotiateOptions
from spnego._ntlm_raw.crypto import ntowfv1  # MD4, which OpenSSL 3 hides
from spnego.iov import BufferType

from fsrvpd.errors import AuthenticationError
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.rpc.security.context import BadSignature, PduParts, Reply

NTLM_TOKEN_SIZE = 16
SERVICE = "cifs"  # of the principal, as smbd and Windows have it for pipes

_SIGNING = (
    ContextReq.dce_style
    | ContextReq.mutual_auth
    | ContextReq.integrity
    | ContextReq.replay_detect
    | ContextReq.sequence_detect
)
# What a server's bytes can make pyspnego raise, which does not say.
_FAILURES = (Exception,)


class _Tickets(spnego.CredentialCache):
    """The default credential cache for Kerberos only: pyspnego would also try NTLM with a file
    that an environment variable names."""

    @property
    def supported_protocols(self) -> list[str]:
        return ["kerberos"]


SpnegoCredential = Union[_Tickets, spnego.NTLMHash]


def spnego_credential(credentials: Credentials) -> SpnegoCredential:
    """NTLM needs the hash only, with which pyspnego asks no KDC for a ticket."""
    if not credentials.kerberos:
        return spnego.NTLMHash(credentials.user, nt_hash=ntowfv1(credentials.password or "").hex())
    return _Tickets(credentials.user or None)


class SpnegoInitiator:
    """An `Initiator` of an association with header signing."""

    def __init__(self, credential: SpnegoCredential, host: str, *, seal: bool) -> None:
        """Raises: AuthenticationError."""
        self._wanted = _SIGNING | ContextReq.confidentiality if seal else _SIGNING
        self._seal = seal
        self._mic_size = 0
        try:
            self._context = spnego.client(
                credential,
                hostname=host,
                service=SERVICE,
                protocol="negotiate",
                context_req=self._wanted,
                options=NegotiateOptions.use_negotiate,
            )
        except _FAILURES as error:
            raise AuthenticationError(_one_line(error)) from error

    @property
    def uses_kerberos(self) -> bool:
        return self._context.negotiated_protocol == "kerberos"

    def step(self, token: bytes) -> Reply:
        try:
            answer = self._context.step(token or None) or b""
        except _FAILURES as error:
            raise AuthenticationError(_one_line(error)) from error
        if self._context.complete:
            self._check_attributes()
        return Reply(answer, self._context.complete)

    def token_size(self, body_size: int) -> int:
        if not self.uses_kerberos:
            return NTLM_TOKEN_SIZE
        if self._seal:
            return self._context.query_message_sizes().header
        self._mic_size = self._mic_size or _mic_size(self._context)
        return self._mic_size

    def sign(self, parts: PduParts) -> bytes:
        return self._context.sign(b"".join(parts))

    def verify(self, parts: PduParts, token: bytes) -> None:
        try:
            self._context.verify(b"".join(parts), token)
        except _FAILURES as error:
            raise BadSignature(_one_line(error)) from error

    def seal(self, parts: PduParts) -> tuple[bytes, bytes]:
        buffers = self._context.wrap_iov(_iov(parts, BufferType.header)).buffers
        return buffers[1].data or b"", buffers[3].data or b""

    def unseal(self, parts: PduParts, token: bytes) -> bytes:
        try:
            opened = self._context.unwrap_iov(_iov(parts, (BufferType.header, token)))
        except _FAILURES as error:
            raise BadSignature(_one_line(error)) from error
        if not opened.encrypted:
            raise BadSignature("an unencrypted message instead of a sealed one")
        return opened.buffers[1].data or b""

    def _check_attributes(self) -> None:
        """An NTLM server chooses the flags. Raises: AuthenticationError."""
        needed = ContextReq.integrity | (self._wanted & ContextReq.confidentiality)
        if needed & ~self._context.context_attr:
            raise AuthenticationError("the server does not agree to sign, or to seal")


def _iov(parts: PduParts, header: Any) -> list[Any]:
    return [
        (BufferType.sign_only, parts.head),
        (BufferType.data, parts.body),
        (BufferType.sign_only, parts.sec_trailer),
        header,
    ]


def _mic_size(negotiated: Any) -> int:
    """Of a signature by Kerberos, which depends on the ticket's encryption. It must be known before
    there is a signature, and to make one for nothing would leave a gap in the sequence. pyspnego
    does not tell, but gssapi below it does."""
    from gssapi import raw  # only with Kerberos

    data = (raw.IOVBufferType.data, False, b"")
    iov = raw.IOV(data, raw.IOVBufferType.mic_token, std_layout=False)
    raw.get_mic_iov_length(negotiated._context._context, iov)
    return len(iov[-1].value or b"")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
