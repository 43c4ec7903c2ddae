"""The Kerberos acceptor: python-gssapi for the protocol, and DCE style on top of it.

This is the only module that imports gssapi, an optional dependency. It reads a keytab, and
neither resolves names nor contacts a server. The keytab is read again for each client, so
that a new machine password needs no restart.

Spec: MS-KILE 3.4.5, MS-RPCE 2.2.2.12, 3.3.1.5.2.2; RFC 4121.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, cast

from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import VerifiedAccount
from fsrvpd.rpc.security import pac, spnego_messages
from fsrvpd.rpc.security.context import AuthParameters, BadSignature, PduParts, Principal, Reply

try:
    from gssapi import raw as gss
    from gssapi.raw import IOVBufferType, RequirementFlag

    MISSING: Optional[str] = None
except ImportError as error:
    MISSING = f"{error}: install python3-gssapi, or fsrvpd with its extra 'kerberos'"

if TYPE_CHECKING:
    from gssapi import SecurityContext
    from gssapi.raw import IOV, Name

_LOGON_INFO = b"urn:mspac:logon-info"
_APPLICATION = b"\x60"
_SEC_TRAILER = bytes(8)
_HEAD = bytes(24)

_KRB5 = bytes.fromhex("2a864886f712010202")  # 1.2.840.113554.1.2.2


class KerberosAcceptor:
    """A `Mechanism` of three legs: AP-REQ, AP-REP, and the client's AP-REP of DCE style.

    `keytab`: a name in the form of krb5, such as FILE:/path.
    """

    principal: Optional[Principal] = None
    answers_last_token = False

    def __init__(self, parameters: AuthParameters, keytab: str) -> None:
        if MISSING is not None:
            raise AuthenticationError(f"Kerberos: {MISSING}")
        self._parameters = parameters
        self._keytab = keytab
        self._context: Optional[SecurityContext] = None

    def step(self, token: bytes) -> Reply:
        if self.principal is not None:
            raise AuthenticationError("Kerberos: a token after the last one")
        try:
            return self._accept(_bare(token) if self._context is None else token)
        except gss.GSSError as error:
            raise AuthenticationError(
                f"Kerberos: {_one_line(error)}; if the ticket is for a newer key than those in "
                f"{self._keytab}, export that again"
            ) from error

    def resume(self, verified: VerifiedAccount) -> Reply:
        raise AuthenticationError("Kerberos: no verification is pending")

    def token_size(self, body_size: int) -> int:
        try:
            return self._token_size(PduParts(_HEAD, bytes(body_size), _SEC_TRAILER))
        except gss.GSSError as error:
            raise BadSignature(f"Kerberos: {_one_line(error)}") from error

    def _token_size(self, parts: PduParts) -> int:
        if self._parameters.needs_sealing:
            iov = self._iov(parts, None)
            gss.wrap_iov_length(self._established(), iov, confidential=True)
        else:
            data = (IOVBufferType.data, False, self._signed(parts))
            iov = gss.IOV(data, IOVBufferType.mic_token, std_layout=False)
            gss.get_mic_iov_length(self._established(), iov)
        return len(iov[-1].value or b"")

    def sign(self, parts: PduParts) -> bytes:
        return self.mic(self._signed(parts))

    def verify(self, parts: PduParts, token: bytes) -> None:
        self.verify_mic(self._signed(parts), token)

    def seal(self, parts: PduParts) -> tuple[bytes, bytes]:
        iov = self._iov(parts, None)
        try:
            gss.wrap_iov(self._established(), iov, confidential=True)
        except gss.GSSError as error:
            raise BadSignature(f"Kerberos: {_one_line(error)}") from error
        return self._body(iov), bytes(iov[-1].value or b"")

    def unseal(self, parts: PduParts, token: bytes) -> bytes:
        iov = self._iov(parts, token)
        try:
            encrypted = gss.unwrap_iov(self._established(), iov).encrypted
        except gss.GSSError as error:
            raise BadSignature(f"Kerberos: {_one_line(error)}") from error
        if not encrypted:
            raise BadSignature("Kerberos: an unencrypted message instead of a sealed one")
        return self._body(iov)

    def mic(self, data: bytes) -> bytes:
        try:
            return gss.get_mic(self._established(), data)
        except gss.GSSError as error:
            raise BadSignature(f"Kerberos: {_one_line(error)}") from error

    def verify_mic(self, data: bytes, token: bytes) -> None:
        try:
            gss.verify_mic(self._established(), data, token)
        except gss.GSSError as error:
            raise BadSignature(f"Kerberos: {_one_line(error)}") from error

    def _accept(self, token: bytes) -> Reply:
        credential = gss.acquire_cred_from(
            {b"keytab": self._keytab.encode()}, mechs=[gss.OID(elements=_KRB5)], usage="accept"
        )
        result = gss.accept_sec_context(token, credential.creds, self._context)
        self._context = cast("SecurityContext", result.context)
        if not result.more_steps:
            self._require(int(result.flags))
            self.principal = _principal(result.initiator_name)
        return Reply(result.token or b"", not result.more_steps)

    def _require(self, flags: int) -> None:
        wanted = int(RequirementFlag.dce_style | RequirementFlag.mutual_authentication)
        if self._parameters.needs_signing:
            wanted |= RequirementFlag.integrity
            wanted |= RequirementFlag.replay_detection | RequirementFlag.out_of_sequence_detection
        if self._parameters.needs_sealing:
            wanted |= RequirementFlag.confidentiality
        if wanted & ~flags:
            missing = RequirementFlag(wanted & ~flags)
            raise AuthenticationError(f"Kerberos: the client does not offer {missing!r}")

    def _signed(self, parts: PduParts) -> bytes:
        return b"".join(parts) if self._parameters.header_signing else parts.body

    def _iov(self, parts: PduParts, token: Optional[bytes]) -> IOV:
        """The parts of a sealed PDU in the form of gssapi: those that are only signed, the
        body, and at the end the token, None for a new one."""
        body = (IOVBufferType.data, False, parts.body)
        header = (IOVBufferType.header, token is None, token)
        if not self._parameters.header_signing:
            return gss.IOV(body, header, std_layout=False)
        head = (IOVBufferType.sign_only, False, parts.head)
        trailer = (IOVBufferType.sign_only, False, parts.sec_trailer)
        return gss.IOV(head, body, trailer, header, std_layout=False)

    def _body(self, iov: IOV) -> bytes:
        return bytes(iov[1 if self._parameters.header_signing else 0].value or b"")

    def _established(self) -> SecurityContext:
        if self._context is None or self.principal is None:
            raise BadSignature("Kerberos: a signed message before the client has authenticated")
        return self._context


def _bare(token: bytes) -> bytes:
    """The AP-REQ without the frame of RFC 2743 3.1 and its two bytes of token id. impacket
    sends a frame with DCE style, and MIT Kerberos refuses that."""
    if token[:1] != _APPLICATION:
        return token
    return spnego_messages.unframed(token)[2:]


def _principal(name: Name) -> Principal:
    """The client that the KDC signed for. Raises: AuthenticationError: no Active Directory."""
    shown = gss.display_name(name, name_type=False).name.decode("utf-8", "replace")
    try:
        attribute = gss.get_name_attribute(name, _LOGON_INFO)
    except gss.GSSError as error:
        raise AuthenticationError(
            f"Kerberos: the ticket of {shown} has no PAC: {_one_line(error)}"
        ) from error
    if not attribute.authenticated or len(attribute.values) != 1:
        raise AuthenticationError(f"Kerberos: the PAC of {shown} is not signed for this server")
    info = pac.parse_logon_info(attribute.values[0])
    return Principal(f"{info.domain}\\{info.account}", info.user_sid)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
