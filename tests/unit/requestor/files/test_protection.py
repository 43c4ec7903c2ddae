"""Signatures and encryption are those of smbprotocol, which real servers take."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from smbprotocol import Dialects
from smbprotocol.connection import Ciphers, SigningAlgorithms, SMB2TransformHeader

from fsrvpd.requestor.files import protection as protection_module
from fsrvpd.requestor.files.messages import Malformed
from fsrvpd.requestor.files.protection import Protection, is_sealed, parts
from fsrvpd.requestor.smb.connection import StrictConnection

KEY = bytes(range(16))
PART = bytes(48) + bytes(16) + b"what is signed"


def protection(dialect: int, signing: Any = None, cipher: Any = None) -> tuple[Any, Protection]:
    theirs = StrictConnection("nas")
    theirs.dialect, theirs.signing_algorithm_id, theirs.cipher_id = dialect, signing, cipher
    session = SimpleNamespace(
        session_id=5, signing_key=KEY, encryption_key=KEY, decryption_key=KEY, encrypt_data=True
    )
    theirs.session_table[5] = session
    return theirs, Protection(theirs, session, seals=cipher is not None)


@pytest.mark.parametrize(
    ("dialect", "signing"),
    [
        (Dialects.SMB_2_1_0, None),
        (Dialects.SMB_3_0_2, None),
        (Dialects.SMB_3_1_1, SigningAlgorithms.AES_CMAC),
        (Dialects.SMB_3_1_1, SigningAlgorithms.AES_GMAC),
        (Dialects.SMB_3_1_1, SigningAlgorithms.HMAC_SHA256),
    ],
)
def test_signatures(dialect: int, signing: Any) -> None:
    theirs, ours = protection(dialect, signing)
    part = bytearray(PART)
    ours.sign(7, part)
    assert part[48:64] == theirs._generate_signature(PART, KEY, 7, False, 8)
    answer = bytearray(PART)
    answer[48:64] = theirs._generate_signature(PART, KEY, 7, True, 8)
    ours.verify(7, memoryview(answer))
    answer = bytearray(PART)
    answer[48:64] = theirs._generate_signature(PART, KEY, 7, True, 8)
    answer[-1] ^= 1
    with pytest.raises(Malformed):
        ours.verify(7, memoryview(answer))


@pytest.mark.parametrize(
    ("dialect", "cipher"),
    [
        (Dialects.SMB_3_0_2, Ciphers.AES_128_CCM),
        (Dialects.SMB_3_1_1, Ciphers.AES_128_CCM),
        (Dialects.SMB_3_1_1, Ciphers.AES_128_GCM),
    ],
)
def test_encryption(dialect: int, cipher: Any) -> None:
    theirs, ours = protection(dialect, cipher=cipher)
    header = SMB2TransformHeader()
    header.unpack(ours.seal(b"secret"))
    assert theirs._decrypt(header) == b"secret"
    sealed = bytearray(theirs._encrypt(b"secret", theirs.session_table[5]).pack())
    assert is_sealed(sealed)
    assert ours.opened(sealed) == b"secret"
    sealed[-1] ^= 1
    with pytest.raises(Malformed):
        ours.opened(sealed)


class _OfDebian12:
    """What its cryptography demands."""

    def __init__(self, kind: Any) -> None:
        self._made = kind(KEY)

    def encrypt(self, *values: object) -> bytes:
        assert {type(value) for value in values} == {bytes}
        return bytes(self._made.encrypt(*values))

    def decrypt(self, *values: object) -> bytes:
        assert {type(value) for value in values} == {bytes}
        return bytes(self._made.decrypt(*values))


@pytest.mark.parametrize("cipher", [Ciphers.AES_128_GCM, Ciphers.AES_128_CCM])
def test_old_libraries_get_bytes(monkeypatch: pytest.MonkeyPatch, cipher: Any) -> None:
    for name in ("AESGCM", "AESCCM"):
        kind = getattr(protection_module.aead, name)
        monkeypatch.setattr(protection_module.aead, name, lambda key, kind=kind: _OfDebian12(kind))
    _, ours = protection(Dialects.SMB_3_1_1, SigningAlgorithms.AES_GMAC, cipher)
    ours.sign(7, bytearray(PART))
    with pytest.raises(Malformed):
        ours.verify(7, memoryview(bytearray(PART)))
    assert ours.opened(bytearray(ours.seal(b"secret"))) == b"secret"


def test_what_is_encrypted_for_another_session() -> None:
    theirs, ours = protection(Dialects.SMB_3_1_1, cipher=Ciphers.AES_128_GCM)
    sealed = bytearray(theirs._encrypt(b"secret", theirs.session_table[5]).pack())
    sealed[44] ^= 1
    with pytest.raises(Malformed):
        ours.opened(sealed)
    with pytest.raises(Malformed):
        ours.opened(bytearray(b"\xfdSMB"))


def test_parts_of_a_message() -> None:
    one, two = bytearray(72), bytearray(64)
    one[20] = 72
    assert list(map(len, parts(memoryview(one + two)))) == [72, 64]
    for following in (1, 63, 200):
        one[20] = following
        with pytest.raises(Malformed):
            parts(memoryview(one + two))
    with pytest.raises(Malformed):
        parts(memoryview(bytearray(63)))
