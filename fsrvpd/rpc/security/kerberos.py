"""The Kerberos acceptor: python-gssapi does the protocol, this file the DCE style of it.

The one module that knows of gssapi, which is an optional dependency. It reads a keytab
and nothing else: no name is resolved and nobody is contacted. The keytab is read anew
for each client, so a rotated machine password needs no restart.

Spec: MS-KILE 3.4.5, MS-RPCE 2.2.2.12, 3.3.1.5.2.2; RFC 4121.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, cast

from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import VerifiedAccount
from fsrvpd.rpc.security import pac, spnego_messages
from fsrvpd.rpc.security.context import BadSignature, Message, Principal, Reply, Terms

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
    """A `Mechanism`. Three legs: AP-REQ, AP-REP, and the AP-REP of DCE style.

    `keytab`: as krb5 names one, such as FILE:/path.
    """

    principal: Optional[Principal] = None

    def __init__(self, terms: Terms, keytab: str) -> None:
        if MISSING is not None:
            raise AuthenticationError(f"Kerberos: {MISSING}")
        self._terms = terms
        self._keytab = keytab
        self._context: Optional[SecurityContext] = None

    def step(self, token: bytes) -> Reply:
        if self.principal is not None:
            raise AuthenticationError("Kerberos: a token after the last one")
        try:
            return self._accept(_bare(token) if self._context is None else token)
        except gss.GSSError as error:
            raise AuthenticationError(
                f"Kerberos: {_one_line(error)}; if a ticket is for a newer key than "
                f"{self._keytab} holds, export that again"
            ) from error

    def resume(self, answer: VerifiedAccount) -> Reply:
        raise AuthenticationError("Kerberos: an answer to no question")

    def token_size(self, body_size: int) -> int:
        message = Message(_HEAD, bytes(body_size), _SEC_TRAILER)
        if self._terms.needs_sealing:
            iov = self._iov(message, None)
            gss.wrap_iov_length(self._ready(), iov, confidential=True)
        else:
            data = (IOVBufferType.data, False, self._signed(message))
            iov = gss.IOV(data, IOVBufferType.mic_token, std_layout=False)
            gss.get_mic_iov_length(self._ready(), iov)
        return len(iov[-1].value or b"")

    def sign(self, message: Message) -> bytes:
        return self.mic(self._signed(message))

    def verify(self, message: Message, token: bytes) -> None:
        self.verify_mic(self._signed(message), token)

    def seal(self, message: Message) -> tuple[bytes, bytes]:
        iov = self._iov(message, None)
        gss.wrap_iov(self._ready(), iov, confidential=True)
        return self._body(iov), bytes(iov[-1].value or b"")

    def unseal(self, message: Message, token: bytes) -> bytes:
        iov = self._iov(message, token)
        try:
            encrypted = gss.unwrap_iov(self._ready(), iov).encrypted
        except gss.GSSError as error:
            raise BadSignature(f"Kerberos: {_one_line(error)}") from error
        if not encrypted:
            raise BadSignature("Kerberos: a message in clear where a sealed one belongs")
        return self._body(iov)

    def mic(self, data: bytes) -> bytes:
        return gss.get_mic(self._ready(), data)

    def verify_mic(self, data: bytes, token: bytes) -> None:
        try:
            gss.verify_mic(self._ready(), data, token)
        except gss.GSSError as error:
            raise BadSignature(f"Kerberos: {_one_line(error)}") from error

    def _accept(self, token: bytes) -> Reply:
        credential = gss.acquire_cred_from(
            {b"keytab": self._keytab.encode()}, mechs=[gss.OID(elements=_KRB5)], usage="accept"
        )
        result = gss.accept_sec_context(token, credential.creds, self._context)
        self._context = cast("SecurityContext", result.context)
        if not result.more_steps:
            self._demand(int(result.flags))
            self.principal = _principal(result.initiator_name)
        return Reply(result.token or b"", not result.more_steps)

    def _demand(self, flags: int) -> None:
        wanted = int(RequirementFlag.dce_style | RequirementFlag.mutual_authentication)
        if self._terms.needs_signing:
            wanted |= RequirementFlag.integrity
            wanted |= RequirementFlag.replay_detection | RequirementFlag.out_of_sequence_detection
        if self._terms.needs_sealing:
            wanted |= RequirementFlag.confidentiality
        if wanted & ~flags:
            missing = RequirementFlag(wanted & ~flags)
            raise AuthenticationError(f"Kerberos: the client does without {missing!r}")

    def _signed(self, message: Message) -> bytes:
        return b"".join(message) if self._terms.header_signing else message.body

    def _iov(self, message: Message, token: Optional[bytes]) -> IOV:
        """The parts of a sealed message as gssapi wants them: those that are only signed,
        the body, and the token at the end, None when it is to be made."""
        body = (IOVBufferType.data, False, message.body)
        header = (IOVBufferType.header, token is None, token)
        if not self._terms.header_signing:
            return gss.IOV(body, header, std_layout=False)
        head = (IOVBufferType.sign_only, False, message.head)
        trailer = (IOVBufferType.sign_only, False, message.sec_trailer)
        return gss.IOV(head, body, trailer, header, std_layout=False)

    def _body(self, iov: IOV) -> bytes:
        return bytes(iov[1 if self._terms.header_signing else 0].value or b"")

    def _ready(self) -> SecurityContext:
        if self._context is None or self.principal is None:
            raise BadSignature("Kerberos: a signed message before the client was authenticated")
        return self._context


def _bare(token: bytes) -> bytes:
    """The AP-REQ without the frame of RFC 2743 3.1 and its two bytes of token id. MIT refuses
    a frame around what its flags call DCE style; impacket sends one."""
    if token[:1] != _APPLICATION:
        return token
    return spnego_messages.unframed(token)[2:]


def _principal(name: Name) -> Principal:
    """Whom the KDC signed for. Raises: AuthenticationError when it is no Active Directory."""
    shown = gss.display_name(name, name_type=False).name.decode("utf-8", "replace")
    try:
        attribute = gss.get_name_attribute(name, _LOGON_INFO)
    except gss.GSSError as error:
        raise AuthenticationError(
            f"Kerberos: the ticket of {shown} carries no PAC: {_one_line(error)}"
        ) from error
    if not attribute.authenticated or len(attribute.values) != 1:
        raise AuthenticationError(f"Kerberos: the PAC of {shown} is not signed for this server")
    return Principal(shown, pac.parse_logon_info(attribute.values[0]).user_sid)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
