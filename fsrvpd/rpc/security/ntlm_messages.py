"""The three NTLM messages: reads two, checking every offset, and writes one.

Spec: MS-NLMP 2.2.1, 2.2.2.1, 2.2.2.7.
"""

from __future__ import annotations

import struct
from enum import IntFlag
from typing import Iterator, NamedTuple, Optional

from fsrvpd.errors import AuthenticationError

SIGNATURE = b"NTLMSSP\0"
MAX_MESSAGE = 16 * 1024  # bytes; those of Windows are shorter than 2 KiB

_NEGOTIATE, _CHALLENGE, _AUTHENTICATE = 1, 2, 3
_NEGOTIATE_SIZE = 16  # up to the flags; the names after them are ignored
_CHALLENGE_SIZE = 56
_AUTHENTICATE_SIZE = 64
_MIC_OFFSET, _MIC_SIZE = 72, 16
_PROOF_SIZE = 16
_BLOB_HEAD = 28
_VERSION = struct.pack("<BBH3xB", 6, 1, 0, 15)  # the revision of NTLMSSP; no Windows claimed
_FIELD = struct.Struct("<HHI")
_AV_HEAD = struct.Struct("<HH")
_U32 = struct.Struct("<I")


class Flags(IntFlag):
    """Spec: MS-NLMP 2.2.2.5; those that are used here."""

    UNICODE = 0x00000001
    REQUEST_TARGET = 0x00000004
    SIGN = 0x00000010
    SEAL = 0x00000020
    DATAGRAM = 0x00000040
    NTLM = 0x00000200
    ANONYMOUS = 0x00000800
    ALWAYS_SIGN = 0x00008000
    TARGET_TYPE_DOMAIN = 0x00010000
    TARGET_TYPE_SERVER = 0x00020000
    EXTENDED_SESSIONSECURITY = 0x00080000
    TARGET_INFO = 0x00800000
    VERSION = 0x02000000
    KEY_128 = 0x20000000
    KEY_EXCH = 0x40000000
    KEY_56 = 0x80000000


class AvId:
    """Spec: MS-NLMP 2.2.2.1."""

    EOL = 0
    NB_COMPUTER_NAME = 1
    NB_DOMAIN_NAME = 2
    DNS_COMPUTER_NAME = 3
    DNS_DOMAIN_NAME = 4
    FLAGS = 6
    TIMESTAMP = 7


AV_FLAG_MIC = 0x2


class Names(NamedTuple):
    """The names that the server gives itself. `dns_domain` may be empty; `dns_computer` may
    not, since impacket 0.13 fails without it."""

    netbios_computer: str
    netbios_domain: str
    dns_computer: str
    dns_domain: str
    is_member: bool  # of a domain, and not a standalone server


class Authenticate(NamedTuple):
    """AUTHENTICATE_MESSAGE. `mic` is None when the client announces none."""

    flags: int
    account: str
    domain: str
    workstation: str
    nt_response: bytes
    lm_response: bytes
    encrypted_session_key: bytes
    mic: Optional[bytes]


def negotiate_flags(token: bytes) -> int:
    """The flags of a NEGOTIATE_MESSAGE. Raises: AuthenticationError."""
    _expect(token, _NEGOTIATE, _NEGOTIATE_SIZE)
    return int(_U32.unpack_from(token, 12)[0])


def challenge(flags: int, nonce: bytes, names: Names, file_time: int) -> bytes:
    """A CHALLENGE_MESSAGE. `nonce`: 8 bytes; `file_time`: 100 ns since 1601-01-01 UTC."""
    target = _utf16(names.netbios_domain if names.is_member else names.netbios_computer)
    info = _target_info(names, file_time)
    head = struct.pack("<8sI", SIGNATURE, _CHALLENGE)
    head += _FIELD.pack(len(target), len(target), _CHALLENGE_SIZE)
    head += struct.pack("<I8s8x", flags, nonce)
    head += _FIELD.pack(len(info), len(info), _CHALLENGE_SIZE + len(target))
    return head + _VERSION + target + info


def authenticate(token: bytes) -> Authenticate:
    """Read an AUTHENTICATE_MESSAGE with an NTLMv2 response. Raises: AuthenticationError."""
    _expect(token, _AUTHENTICATE, _AUTHENTICATE_SIZE)
    nt_response = _field(token, 20)
    mic = _mic(token) if _promises_mic(nt_response) else None
    first = _AUTHENTICATE_SIZE if mic is None else _MIC_OFFSET + _MIC_SIZE
    return Authenticate(
        flags=_U32.unpack_from(token, 60)[0],
        account=_name(_field(token, 36, first)),
        domain=_name(_field(token, 28, first)),
        workstation=_name(_field(token, 44, first)),
        nt_response=_field(token, 20, first),
        lm_response=_field(token, 12, first),
        encrypted_session_key=_field(token, 52, first),
        mic=mic,
    )


def without_mic(token: bytes) -> bytes:
    """The message as its MIC signs it: the MIC itself is zero."""
    return token[:_MIC_OFFSET] + bytes(_MIC_SIZE) + token[_MIC_OFFSET + _MIC_SIZE :]


def _expect(token: bytes, kind: int, size: int) -> None:
    if not size <= len(token) <= MAX_MESSAGE:
        raise AuthenticationError(f"NTLM: message of {len(token)} bytes")
    if token[:8] != SIGNATURE or _U32.unpack_from(token, 8)[0] != kind:
        raise AuthenticationError(f"NTLM: not a message of type {kind}")


def _field(token: bytes, at: int, first: int = _AUTHENTICATE_SIZE) -> bytes:
    """The bytes that a field points to, which must lie after the fixed part."""
    size, _, offset = _FIELD.unpack_from(token, at)
    if size == 0:
        return b""
    if offset < first or offset + size > len(token):
        raise AuthenticationError(
            f"NTLM: field at {at} names {size} bytes at {offset} of {len(token)}"
        )
    return token[offset : offset + size]


def _name(raw: bytes) -> str:
    """A name in UTF-16. Control characters are refused: they could forge lines of a log."""
    try:
        name = raw.decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise AuthenticationError("NTLM: a name is not UTF-16") from error
    if any(character < " " for character in name):
        raise AuthenticationError("NTLM: control characters in a name")
    return name


def _mic(token: bytes) -> bytes:
    mic = token[_MIC_OFFSET : _MIC_OFFSET + _MIC_SIZE]
    if len(mic) != _MIC_SIZE:
        raise AuthenticationError("NTLM: the message integrity code is cut short")
    return mic


def _promises_mic(nt_response: bytes) -> bool:
    """Whether the client announces a MIC, in the part that its password signs."""
    if len(nt_response) < _PROOF_SIZE + _BLOB_HEAD:
        raise AuthenticationError("NTLM: no NTLMv2 response; NTLMv1 and anonymous are refused")
    if nt_response[_PROOF_SIZE : _PROOF_SIZE + 2] != b"\x01\x01":
        raise AuthenticationError("NTLM: unknown version of the NTLMv2 response")
    for av_id, value in _av_pairs(nt_response[_PROOF_SIZE + _BLOB_HEAD :]):
        if av_id == AvId.FLAGS and len(value) == _U32.size:
            return bool(_U32.unpack(value)[0] & AV_FLAG_MIC)
    return False


def _av_pairs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Spec: MS-NLMP 2.2.2.1. The list must end with its terminator; padding may follow."""
    offset = 0
    while offset + _AV_HEAD.size <= len(data):
        av_id, size = _AV_HEAD.unpack_from(data, offset)
        offset += _AV_HEAD.size
        if av_id == AvId.EOL:
            return
        if offset + size > len(data):
            break
        yield av_id, data[offset : offset + size]
        offset += size
    raise AuthenticationError("NTLM: the client's target information is cut short")


def _target_info(names: Names, file_time: int) -> bytes:
    """It has a time, so that clients protect the exchange by a MIC (MS-NLMP 3.1.5.1.2)."""
    texts = (
        (AvId.NB_DOMAIN_NAME, names.netbios_domain),
        (AvId.NB_COMPUTER_NAME, names.netbios_computer),
        (AvId.DNS_DOMAIN_NAME, names.dns_domain),
        (AvId.DNS_COMPUTER_NAME, names.dns_computer),
    )
    pairs = [(av_id, _utf16(text)) for av_id, text in texts if text]
    pairs += [(AvId.TIMESTAMP, struct.pack("<Q", file_time)), (AvId.EOL, b"")]
    return b"".join(_AV_HEAD.pack(av_id, len(value)) + value for av_id, value in pairs)


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le")
