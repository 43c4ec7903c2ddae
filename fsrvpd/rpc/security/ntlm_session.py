"""NTLM's keys and what they protect: extended session security and nothing weaker.

Spec: MS-NLMP 3.4, with the 128-bit keys that `fsrvpd.rpc.security.ntlm` insists on.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

from Cryptodome.Cipher import ARC4

from fsrvpd.rpc.security.context import BadSignature

TOKEN_SIZE = 16

_MD5_BLOCK = 64
_AHEAD = 1024  # bytes
_VERSION = 1
_TOKEN = struct.Struct("<I8sI")
_U32 = struct.Struct("<I")
_CLIENT = "client-to-server"
_SERVER = "server-to-client"


def hmac_md5(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, "md5").digest()


def rc4(key: bytes, data: bytes) -> bytes:
    return ARC4.new(key).encrypt(data)


class KeyedMd5:
    """HMAC-MD5 of many messages under one key of up to 64 bytes. What depends on the key
    alone is hashed once: `hmac` begins anew each time, which takes twice as long. RFC 2104."""

    def __init__(self, key: bytes) -> None:
        block = key.ljust(_MD5_BLOCK, b"\0")
        self._inner, self._outer = (
            hashlib.md5(bytes(byte ^ pad for byte in block), usedforsecurity=False)
            for pad in (0x36, 0x5C)
        )

    def digest(self, data: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()


class KeyStream:
    """RC4 whose stream is drawn ahead: one call of the cipher takes longer than it works."""

    def __init__(self, key: bytes) -> None:
        self._cipher = ARC4.new(key)
        self._drawn = b""
        self._used = 0

    def crypt(self, data: bytes) -> bytes:
        """Encrypt or decrypt what comes next."""
        size = len(data)
        end = self._used + size
        if end > len(self._drawn):
            rest = self._drawn[self._used :]
            self._drawn = rest + self._cipher.encrypt(bytes(max(_AHEAD, size)))
            self._used, end = 0, size
        key, self._used = self._drawn[self._used : end], end
        crypted = int.from_bytes(data, "little") ^ int.from_bytes(key, "little")
        return crypted.to_bytes(size, "little")


class NtlmSession:
    """Both directions of an authenticated connection, from the acceptor's end."""

    def __init__(self, session_key: bytes, key_exchange: bool) -> None:
        self._incoming = Direction(session_key, _CLIENT, key_exchange)
        self._outgoing = Direction(session_key, _SERVER, key_exchange)

    def sign(self, signed: bytes) -> bytes:
        return self._outgoing.token(signed)

    def seal(self, head: bytes, body: bytes, tail: bytes) -> tuple[bytes, bytes]:
        sealed = self._outgoing.crypt(body)
        return sealed, self._outgoing.token(head + body + tail)

    def verify(self, signed: bytes, token: bytes) -> None:
        """Raises: BadSignature, also when the message is a replay or one was left out."""
        if not hmac.compare_digest(self._incoming.token(signed), token):
            raise BadSignature("NTLM: the signature does not match the message")

    def unseal(self, head: bytes, sealed: bytes, tail: bytes, token: bytes) -> bytes:
        """Raises: BadSignature."""
        body = self._incoming.crypt(sealed)
        self.verify(head + body + tail, token)
        return body

    def rewind(self) -> None:
        """SPNEGO's own signatures use up sequence numbers but no key stream.

        Spec: MS-SPNG 3.2.5.1.
        """
        self._incoming.rewind()
        self._outgoing.rewind()


class Direction:
    """The keys and the sequence number of one sender. Spec: MS-NLMP 3.4.4.2, 3.4.5."""

    def __init__(self, session_key: bytes, mode: str, key_exchange: bool) -> None:
        self.signing_key = _derived(session_key, mode, "signing")
        self._keyed = KeyedMd5(self.signing_key)
        self.sealing_key = _derived(session_key, mode, "sealing")
        self._key_exchange = key_exchange
        self._sequence = 0
        self.rewind()

    def rewind(self) -> None:
        self._stream = KeyStream(self.sealing_key)

    def crypt(self, data: bytes) -> bytes:
        return self._stream.crypt(data)

    def token(self, signed: bytes) -> bytes:
        """NTLMSSP_MESSAGE_SIGNATURE over the next message in this direction."""
        sequence = self._sequence
        checksum = self._keyed.digest(_U32.pack(sequence) + signed)[:8]
        if self._key_exchange:
            checksum = self._stream.crypt(checksum)
        self._sequence = (sequence + 1) & 0xFFFFFFFF
        return _TOKEN.pack(_VERSION, checksum, sequence)


def _derived(session_key: bytes, mode: str, purpose: str) -> bytes:
    magic = f"session key to {mode} {purpose} key magic constant\0".encode()
    return hashlib.md5(session_key + magic, usedforsecurity=False).digest()
