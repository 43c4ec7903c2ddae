"""Independent clients, in memory, to test the acceptors with.

Each has `first()`, `next(token)`, and the four protections of a `PduParts`.
"""

from __future__ import annotations

import struct
from typing import Any, Optional

import spnego
from Cryptodome.Cipher import ARC4
from Cryptodome.Hash import MD4
from impacket import ntlm
from spnego import ContextReq
from spnego.iov import BufferType

from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount
from fsrvpd.rpc.security.acceptors import Acceptors
from fsrvpd.rpc.security.context import PduParts, Reply, SecurityContext
from fsrvpd.rpc.security.ntlm_messages import Names
from samba_hooks.accounts import ntlmv2

USER, PASSWORD, DOMAIN = "Günter", "Lab-päss-0", "LABGROUP"
USER_SID = "S-1-5-21-1-2-3-1000"
FILE_TIME = 133_500_000_000_000_000
STANDALONE = Names("LAB", "LAB", "lab.example", "", False)


class PasswordList:
    """An `AccountVerifier` with a list of passwords."""

    def __init__(self, **passwords: str) -> None:
        self._passwords = passwords or {USER: PASSWORD}

    def verify(self, response: NtlmResponse, user_sid: str = USER_SID) -> VerifiedAccount:
        password = self._passwords[response.account]
        nt_hash = MD4.new(password.encode("utf-16-le")).digest()
        key = ntlmv2.session_base_key(nt_hash, response)
        if key is None:
            raise AuthenticationError("wrong password")
        return VerifiedAccount(f"{DOMAIN}\\{response.account}", USER_SID, key)


def acceptors(names: Names = STANDALONE) -> Acceptors:
    return Acceptors(names, lambda: b"\x01\x23\x45\x67\x89\xab\xcd\xef", lambda: FILE_TIME)


def join(client: Any, server: SecurityContext, verifier: Optional[PasswordList] = None) -> None:
    """Pass tokens until both ends are done; the client's last one may have no answer."""
    verifier = verifier or PasswordList()
    token = client.first()
    for _ in range(6):
        progress = server.step(token)
        if isinstance(progress, NtlmResponse):
            progress = server.resume(verifier.verify(progress))
        assert isinstance(progress, Reply)
        token = client.next(progress.token) if progress.token else b""
        if progress.done:
            assert not token
            return
    raise AssertionError("no end")


class Impacket:
    """impacket's NTLM as its DCE/RPC uses it: raw NTLM, everything signed whole."""

    def __init__(self, user: str = USER, password: str = PASSWORD, domain: str = DOMAIN) -> None:
        self._login = (user, password, domain)
        self._numbers = {"Client": 0, "Server": 0}

    def first(self) -> bytes:
        self._type1 = ntlm.getNTLMSSPType1("CLIENT", self._login[2], True, use_ntlmv2=True)
        return bytes(self._type1.getData())

    def next(self, challenge: bytes) -> bytes:
        message, key = ntlm.getNTLMSSPType3(self._type1, challenge, *self._login, use_ntlmv2=True)
        self._flags, self._key = message["flags"], key
        self.rewind()
        return bytes(message.getData())

    def rewind(self) -> None:
        """Restart the key streams, as SPNEGO does after its signatures."""
        self._streams = {
            mode: ARC4.new(ntlm.SEALKEY(self._flags, self._key, mode)).encrypt
            for mode in ("Client", "Server")
        }

    def mic(self, data: bytes) -> bytes:
        """The client's signature over anything."""
        return self._token("Client", data)

    def server_mic(self, data: bytes) -> bytes:
        """What the server's next signature must be."""
        return self._token("Server", data)

    def sign(self, message: PduParts) -> bytes:
        return self.mic(b"".join(message))

    def seal(self, message: PduParts) -> tuple[bytes, bytes]:
        sealed = self._streams["Client"](message.body)
        return sealed, self.sign(message)

    def verify(self, message: PduParts, token: bytes) -> None:
        assert self.server_mic(b"".join(message)) == token

    def unseal(self, message: PduParts, token: bytes) -> bytes:
        body = self._streams["Server"](message.body)
        self.verify(message._replace(body=body), token)
        return body

    def _token(self, mode: str, data: bytes) -> bytes:
        key = ntlm.SIGNKEY(self._flags, self._key, mode)
        number = self._numbers[mode]
        self._numbers[mode] += 1
        return bytes(ntlm.SIGN(self._flags, key, data, number, self._streams[mode]).getData())


class Pyspnego:
    """pyspnego with protocol `ntlm` or `negotiate`, which then carries NTLM."""

    def __init__(
        self, protocol: str, user: str = USER, password: str = PASSWORD, **options: Any
    ) -> None:
        self._context = spnego.client(
            f"{DOMAIN}\\{user}",
            password,
            hostname="lab.example",
            service="cifs",
            protocol=protocol,
            options=spnego.NegotiateOptions.use_ntlm,
            context_req=ContextReq.integrity
            | ContextReq.confidentiality
            | ContextReq.sequence_detect
            | ContextReq.replay_detect
            | ContextReq.mutual_auth,
            **options,
        )

    def first(self) -> bytes:
        return self._context.step() or b""

    def next(self, token: bytes) -> bytes:
        return self._context.step(token) or b""

    def sign(self, message: PduParts) -> bytes:
        return self._context.sign(b"".join(message))

    def verify(self, message: PduParts, token: bytes) -> None:
        self._context.verify(b"".join(message), token)

    def seal(self, message: PduParts) -> tuple[bytes, bytes]:
        wrapped = self._context.wrap_iov(_iov(message, BufferType.header)).buffers
        return wrapped[1].data or b"", wrapped[3].data or b""

    def unseal(self, message: PduParts, token: bytes) -> bytes:
        opened = self._context.unwrap_iov(_iov(message, (BufferType.header, token)))
        return opened.buffers[1].data or b""


def _iov(message: PduParts, header: Any) -> list[Any]:
    return [
        (BufferType.sign_only, message.head),
        (BufferType.data, message.body),
        (BufferType.sign_only, message.sec_trailer),
        header,
    ]


def pdu(body: bytes, number: int = 1) -> PduParts:
    """A request with the parts around its body."""
    head = struct.pack("<4B4sHHI8x", 5, 0, 0, 3, b"\x10\0\0\0", 48 + len(body), 16, number)
    return PduParts(head, body, struct.pack("<4BI", 10, 5, 0, 0, 1))
