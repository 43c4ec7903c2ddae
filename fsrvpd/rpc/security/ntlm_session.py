"""NTLM's keys, signatures and encryption, for extended session security only.

Spec: MS-NLMP 3.4, with the 128-bit keys that `fsrvpd.rpc.security.ntlm` requires.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

from Cryptodome.Cipher import ARC4

from fsrvpd.rpc.security.context import BadSignature

TOKEN_SIZE = 16

_VERSION = 1
_TOKEN = struct.Struct("<I8sI")
_U32 = struct.Struct("<I")
_CLIENT = "client-to-server"
_SERVER = "server-to-client"


def rc4(key: bytes, data: bytes) -> bytes:
    return ARC4.new(key).encrypt(data)


class NtlmSession:
    """Both directions of an authenticated connection, from the acceptor's side."""

    def __init__(self, session_key: bytes, key_exchange: bool) -> None:
        self._incoming = Direction(session_key, _CLIENT, key_exchange)
        self._outgoing = Direction(session_key, _SERVER, key_exchange)

    def sign(self, signed: bytes) -> bytes:
        return self._outgoing.token(signed)

    def seal(self, head: bytes, body: bytes, tail: bytes) -> tuple[bytes, bytes]:
        sealed = self._outgoing.crypt(body)
        return sealed, self._outgoing.token(head + body + tail)

    def verify(self, signed: bytes, token: bytes) -> None:
        """Raises: BadSignature, also for a replayed message or after a missing one."""
        if not hmac.compare_digest(self._incoming.token(signed), token):
            raise BadSignature("NTLM: the signature does not match the message")

    def unseal(self, head: bytes, sealed: bytes, tail: bytes, token: bytes) -> bytes:
        """Raises: BadSignature."""
        body = self._incoming.crypt(sealed)
        self.verify(head + body + tail, token)
        return body

    def rewind(self) -> None:
        """SPNEGO's own signatures consume sequence numbers but no key stream.

        Spec: MS-SPNG 3.2.5.1.
        """
        self._incoming.rewind()
        self._outgoing.rewind()


class Direction:
    """The keys and the sequence number of one sender. Spec: MS-NLMP 3.4.4.2, 3.4.5."""

    def __init__(self, session_key: bytes, mode: str, key_exchange: bool) -> None:
        self.signing_key = _derived(session_key, mode, "signing")
        self._mac = hmac.new(self.signing_key, digestmod="md5")
        self.sealing_key = _derived(session_key, mode, "sealing")
        self._key_exchange = key_exchange
        self._sequence = 0
        self.rewind()

    def rewind(self) -> None:
        self._cipher = ARC4.new(self.sealing_key)

    def crypt(self, data: bytes) -> bytes:
        """Encrypt or decrypt what comes next."""
        return self._cipher.encrypt(data)

    def token(self, signed: bytes) -> bytes:
        """NTLMSSP_MESSAGE_SIGNATURE over the next message in this direction."""
        sequence = self._sequence
        mac = self._mac.copy()
        mac.update(_U32.pack(sequence) + signed)
        checksum = mac.digest()[:8]
        if self._key_exchange:
            checksum = self._cipher.encrypt(checksum)
        self._sequence = (sequence + 1) & 0xFFFFFFFF
        return _TOKEN.pack(_VERSION, checksum, sequence)


def _derived(session_key: bytes, mode: str, purpose: str) -> bytes:
    magic = f"session key to {mode} {purpose} key magic constant\0".encode()
    return hashlib.md5(session_key + magic, usedforsecurity=False).digest()
