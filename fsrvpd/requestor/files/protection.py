"""Signing and encryption of whole messages, with one key schedule for a session.

Debian 12's cryptography takes bytes alone, no other buffers.

`smb.exchange` does the same by smbprotocol's own functions, for the few messages of an agent.
Spec: MS-SMB2 3.1.4.1, 3.1.4.3, 2.2.41.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from typing import Any, Callable, List, Union

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import aead, algorithms
from smbprotocol import Dialects
from smbprotocol.connection import Ciphers, SigningAlgorithms

from fsrvpd.requestor.files.messages import HEADER_SIZE, Malformed

SIGNATURE = slice(48, 64)
_SEALED = b"\xfdSMB"
_TRANSFORM = struct.Struct("<4s16s16sIHHQ")
_TAG = 16  # bytes
Buffer = Union[bytes, bytearray, memoryview]
_Sign = Callable[[int, bool, Buffer], bytes]


class Protection:
    """`session` and `connection` are smbprotocol's, logged in. `seals`: all is encrypted."""

    def __init__(self, connection: Any, session: Any, *, seals: bool) -> None:
        self.seals = seals
        self._session_id = session.session_id
        self._sign = _signer(connection, session.signing_key)
        if seals:
            self._nonce_size, kind = _cipher(connection)
            self._encryption = kind(session.encryption_key)
            self._decryption = kind(session.decryption_key)

    def sign(self, message_id: int, part: bytearray) -> None:
        """A request whose signature is still zeros."""
        part[SIGNATURE] = self._sign(message_id, False, part)

    def verify(self, message_id: int, part: memoryview) -> None:
        """Wipes the signature. Raises: Malformed."""
        signature = bytes(part[SIGNATURE])
        part[SIGNATURE] = bytes(16)
        if not hmac.compare_digest(self._sign(message_id, True, part), signature):
            raise Malformed("an answer whose signature is wrong")

    def seal(self, data: Buffer) -> bytes:
        nonce = os.urandom(self._nonce_size)
        head = _TRANSFORM.pack(
            _SEALED, b"", nonce.ljust(16, b"\0"), len(data), 0, 1, self._session_id
        )
        sealed = self._encryption.encrypt(nonce, data, head[20:])
        return b"".join((head[:4], sealed[-_TAG:], head[20:], sealed[:-_TAG]))

    def opened(self, data: bytearray) -> bytearray:
        """The message inside of a sealed one. Raises: Malformed."""
        if not self.seals or len(data) < _TRANSFORM.size:
            raise Malformed("an answer that is encrypted for nobody")
        _, tag, nonce, _, _, flags, session_id = _TRANSFORM.unpack_from(data)
        if flags != 1 or session_id != self._session_id:
            raise Malformed("an answer that is encrypted for another session")
        try:
            sealed, head = bytes(data[_TRANSFORM.size :]) + tag, bytes(data[20 : _TRANSFORM.size])
            return bytearray(self._decryption.decrypt(nonce[: self._nonce_size], sealed, head))
        except InvalidTag:
            raise Malformed("an answer that is not encrypted with the session's key") from None


def is_sealed(data: Buffer) -> bool:
    return bytes(data[:4]) == _SEALED


def _signer(connection: Any, key: bytes) -> _Sign:
    algorithm = SigningAlgorithms.HMAC_SHA256
    if connection.dialect >= Dialects.SMB_3_1_1 and connection.signing_algorithm_id is not None:
        algorithm = connection.signing_algorithm_id
    elif connection.dialect >= Dialects.SMB_3_0_0:
        algorithm = SigningAlgorithms.AES_CMAC
    if algorithm == SigningAlgorithms.AES_GMAC:
        gcm = aead.AESGCM(key)

        def by_gmac(message_id: int, is_answer: bool, data: Buffer) -> bytes:
            return gcm.encrypt(struct.pack("<QI", message_id, is_answer), b"", bytes(data))

        return by_gmac
    if algorithm == SigningAlgorithms.AES_CMAC:
        begun = cmac.CMAC(algorithms.AES(key))

        def by_cmac(message_id: int, is_answer: bool, data: Buffer) -> bytes:
            made = begun.copy()
            made.update(bytes(data))
            return made.finalize()

        return by_cmac
    return lambda message_id, is_answer, data: hmac.digest(key, data, hashlib.sha256)[:16]


def _cipher(connection: Any) -> tuple[int, Any]:
    """The size of its nonces, and its class."""
    cipher = Ciphers.AES_128_CCM
    if connection.dialect >= Dialects.SMB_3_1_1:
        cipher = connection.cipher_id
    if cipher in (Ciphers.AES_128_GCM, Ciphers.AES_256_GCM):
        return 12, aead.AESGCM
    return 11, aead.AESCCM


def parts(data: memoryview) -> List[memoryview]:
    """The answers in a message. Raises: Malformed."""
    found: List[memoryview] = []
    while True:
        if len(data) < HEADER_SIZE:
            raise Malformed("an answer that is cut short")
        (following,) = struct.unpack_from("<I", data, 20)
        if not following:
            return [*found, data]
        if following < HEADER_SIZE or following > len(data):
            raise Malformed("an answer that ends beyond its end")
        found.append(data[:following])
        data = data[following:]
