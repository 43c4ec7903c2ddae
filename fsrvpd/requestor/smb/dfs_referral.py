"""The answer to FSCTL_DFS_GET_REFERRALS, taken apart. Each byte of it is the server's.

Spec: MS-DFSC 2.2.2 (request), 2.2.4 (response), 2.2.5 (entries of versions 1 to 4).
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Tuple

HIGHEST_LEVEL = 4
_HEADER = struct.Struct("<HHI")  # PathConsumed, NumberOfReferrals, ReferralHeaderFlags
_ENTRY = struct.Struct("<HHHH")  # VersionNumber, Size, ServerType, ReferralEntryFlags
_ROOT = 1  # ServerType of targets that hold a namespace
_NAME_LIST = 0x2  # the entry lists domain controllers, not targets
# Where NetworkAddressOffset is in an entry. Version 1 has the name itself behind the fixed part.
_ADDRESS_OFFSET = {2: 20, 3: 16, 4: 16}
_MOST_ENTRIES = 1024


class Malformed(Exception):
    """The server's bytes are no referral for the path."""


class ReferralResponse(NamedTuple):
    targets: Tuple[str, ...]
    rest: str  # what of the path lies below a target, without a backslash at either end
    is_root: bool


def request(path: str) -> bytes:
    r"""REQ_GET_DFS_REFERRAL for `\server\share\path`."""
    return struct.pack("<H", HIGHEST_LEVEL) + f"{path}\0".encode("utf-16-le")


def parse(data: bytes, path: str) -> ReferralResponse:
    """The answer to `request(path)`. Raises: Malformed."""
    try:
        consumed, count, _ = _HEADER.unpack_from(data)
        if count > _MOST_ENTRIES:
            raise Malformed(f"{count} referrals")
        is_root = bool(count) and _ENTRY.unpack_from(data, _HEADER.size)[2] == _ROOT
        return ReferralResponse(_targets(data, count), _rest(path, consumed), is_root)
    except (struct.error, UnicodeDecodeError) as error:
        raise Malformed(str(error)) from None


def _targets(data: bytes, count: int) -> Tuple[str, ...]:
    targets, start = [], _HEADER.size
    for _ in range(count):
        version, size, _, flags = _ENTRY.unpack_from(data, start)
        if size < _ENTRY.size:
            raise Malformed(f"an entry of {size} bytes")
        if version == 1:
            targets.append(_text(data, start + _ENTRY.size))
        elif version in _ADDRESS_OFFSET and not flags & _NAME_LIST:
            [offset] = struct.unpack_from("<H", data, start + _ADDRESS_OFFSET[version])
            targets.append(_text(data, start + offset))
        else:
            raise Malformed(f"an entry of version {version} with flags {flags:#x}")
        start += size
    return tuple(targets)


def _text(data: bytes, start: int) -> str:
    """UTF-16 up to its NUL."""
    for end in range(start, len(data) - 1, 2):
        if data[end : end + 2] == b"\0\0":
            return data[start:end].decode("utf-16-le")
    raise Malformed("a name without an end")


def _rest(path: str, consumed: int) -> str:
    """`consumed` counts bytes, with or without the backslash that follows."""
    encoded = path.encode("utf-16-le")
    if consumed % 2 or not 0 < consumed <= len(encoded):
        raise Malformed(f"{consumed} of {len(encoded)} bytes of the path")
    head, rest = encoded[:consumed].decode("utf-16-le"), encoded[consumed:].decode("utf-16-le")
    if rest and not (rest.startswith("\\") or head.endswith("\\")):
        raise Malformed("a name is cut in two")
    return rest.strip("\\")
