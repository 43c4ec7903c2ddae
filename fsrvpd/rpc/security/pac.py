"""Who a Kerberos ticket's PAC says the client is: KERB_VALIDATION_INFO, read as far as that.

Spec: MS-PAC 2.5; MS-RPCE 2.2.6 (type serialization version 1).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from fsrvpd.errors import AuthenticationError

MAX_SIZE = 1024 * 1024  # 65,535 bytes of ticket hold no more; the rest is caution

_COMMON_HEADER = bytes.fromhex("01100800cccccccc")  # version 1, little-endian, 8 bytes
_HEADERS_SIZE = 16
_FILE_TIMES = 6 * 8
_STRINGS_TO_SKIP = 5  # FullName, LogonScript, ProfilePath, HomeDirectory, HomeDirectoryDrive
_MAX_SUB_AUTHORITIES = 15


class LogonInfo(NamedTuple):
    account: str
    domain: str
    user_sid: str


class _Text(NamedTuple):
    """An RPC_UNICODE_STRING whose characters come later."""

    size: int
    present: int


def parse_logon_info(blob: bytes) -> LogonInfo:
    """Read the PAC's logon information as the KDC signed it. Raises: AuthenticationError."""
    if len(blob) > MAX_SIZE or not blob.startswith(_COMMON_HEADER):
        raise AuthenticationError("PAC: no logon information that we can read")
    reader = _Reader(blob, _HEADERS_SIZE)
    if not reader.u32():
        raise AuthenticationError("PAC: empty logon information")
    return _validation_info(reader)


def _validation_info(reader: _Reader) -> LogonInfo:
    """The fixed part, then what its pointers promise, in the same order."""
    reader.take(_FILE_TIMES)
    effective_name = reader.text()
    skipped = [reader.text() for _ in range(_STRINGS_TO_SKIP)]
    reader.u32()  # LogonCount, BadPasswordCount
    user_id = reader.u32()
    reader.u32()  # PrimaryGroupId
    group_count, groups = reader.u32(), reader.u32()
    reader.u32()  # UserFlags
    reader.take(16)  # UserSessionKey
    server, domain = reader.text(), reader.text()
    has_domain_id = reader.u32()
    reader.take(2 * 4 + 4 + 4 + 2 * 8 + 4 + 4)  # Reserved1 to Reserved3
    reader.take(2 * 4 + 3 * 4)  # SidCount to ResourceGroupIds
    account = reader.characters(effective_name)
    for text in skipped:
        reader.characters(text)
    if groups:
        _skip_groups(reader, group_count)
    reader.characters(server)
    domain_name = reader.characters(domain)
    if not has_domain_id:
        raise AuthenticationError("PAC: no domain SID")
    return LogonInfo(account, domain_name, f"{reader.sid()}-{user_id}")


def _skip_groups(reader: _Reader, count: int) -> None:
    if reader.u32() != count:
        raise AuthenticationError("PAC: two counts of groups")
    reader.take(8 * count)


class _Reader:
    """NDR 2.0, little-endian. Nothing is read before it is known to be there."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self._offset = offset

    def take(self, size: int) -> bytes:
        start, self._offset = self._offset, self._offset + size
        if self._offset > len(self._data):
            raise AuthenticationError("PAC: cut short")
        return self._data[start : self._offset]

    def u32(self) -> int:
        self.take(-self._offset % 4)
        return int(struct.unpack("<I", self.take(4))[0])

    def text(self) -> _Text:
        self.take(-self._offset % 4)
        size, _, present = struct.unpack("<HHI", self.take(8))
        return _Text(size, present)

    def characters(self, text: _Text) -> str:
        if not text.present:
            return ""
        _, first, count = self.u32(), self.u32(), self.u32()
        if first != 0 or 2 * count != text.size:
            raise AuthenticationError("PAC: two lengths of a string")
        try:
            return self.take(2 * count).decode("utf-16-le")
        except UnicodeDecodeError as error:
            raise AuthenticationError("PAC: a name is no UTF-16") from error

    def sid(self) -> str:
        announced = self.u32()
        revision, count = self.take(2)
        if revision != 1 or count != announced or count > _MAX_SUB_AUTHORITIES:
            raise AuthenticationError("PAC: no SID of a domain")
        authority = int.from_bytes(self.take(6), "big")
        parts = struct.unpack(f"<{count}I", self.take(4 * count))
        return "-".join(["S-1", str(authority), *map(str, parts)])
