"""Reads the client's name and SID from a Kerberos ticket's PAC: KERB_VALIDATION_INFO.

Spec: MS-PAC 2.5; MS-RPCE 2.2.6 (type serialization version 1).
"""

from __future__ import annotations

from typing import NamedTuple

from fsrvpd.errors import AuthenticationError
from fsrvpd.ndr_reader import NdrReader

MAX_SIZE = 1024 * 1024  # bytes, far more than a ticket of 65,535 bytes can hold

_COMMON_HEADER = bytes.fromhex("01100800cccccccc")  # version 1, little-endian, 8 bytes
_HEADERS_SIZE = 16
_FILE_TIMES = 6 * 8
_STRINGS_TO_SKIP = 5  # FullName, LogonScript, ProfilePath, HomeDirectory, HomeDirectoryDrive


class LogonInfo(NamedTuple):
    account: str
    domain: str
    user_sid: str


class _Text(NamedTuple):
    """An RPC_UNICODE_STRING whose characters follow later."""

    size: int  # bytes
    present: bool


def parse_logon_info(blob: bytes) -> LogonInfo:
    """Read the PAC's logon information as the KDC signed it. Raises: AuthenticationError."""
    if len(blob) > MAX_SIZE or not blob.startswith(_COMMON_HEADER):
        raise AuthenticationError("PAC: no logon information in a known form")
    reader = NdrReader(blob, _HEADERS_SIZE, lambda why: AuthenticationError(f"PAC: {why}"))
    if not reader.u32():
        raise AuthenticationError("PAC: empty logon information")
    return _validation_info(reader)


def _validation_info(reader: NdrReader) -> LogonInfo:
    """The fixed part, then what its pointers refer to, in the same order."""
    reader.skip(_FILE_TIMES)
    effective_name = _text(reader)
    skipped = [_text(reader) for _ in range(_STRINGS_TO_SKIP)]
    reader.u32()  # LogonCount, BadPasswordCount
    user_id = reader.u32()
    reader.u32()  # PrimaryGroupId
    group_count, groups = reader.u32(), reader.u32()
    reader.u32()  # UserFlags
    reader.skip(16)  # UserSessionKey
    server, domain = _text(reader), _text(reader)
    has_domain_id = reader.u32()
    reader.skip(2 * 4 + 4 + 4 + 2 * 8 + 4 + 4)  # Reserved1 to Reserved3
    reader.skip(2 * 4 + 3 * 4)  # SidCount to ResourceGroupIds
    account = _characters(reader, effective_name)
    for text in skipped:
        _characters(reader, text)
    if groups:
        _skip_groups(reader, group_count)
    _characters(reader, server)
    domain_name = _characters(reader, domain)
    if not has_domain_id:
        raise AuthenticationError("PAC: no domain SID")
    return LogonInfo(account, domain_name, f"{_sid(reader)}-{user_id}")


def _skip_groups(reader: NdrReader, count: int) -> None:
    if reader.u32() != count:
        raise AuthenticationError("PAC: two counts of groups")
    reader.skip(8 * count)


def _text(reader: NdrReader) -> _Text:
    reader.align(4)
    size = reader.u16()
    reader.u16()  # MaximumLength
    return _Text(size, reader.pointer())


def _characters(reader: NdrReader, text: _Text) -> str:
    if not text.present:
        return ""
    count = reader.varying_count()
    if 2 * count != text.size:
        raise AuthenticationError("PAC: two lengths of a string")
    try:
        return reader.take(2 * count).decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise AuthenticationError("PAC: a name is not UTF-16") from error


def _sid(reader: NdrReader) -> str:
    announced = reader.u32()
    sid = reader.sid()
    if sid.count("-") != announced + 2:  # S-1-authority and the rest
        raise AuthenticationError("PAC: no SID of a domain")
    return sid
