"""UNC names of shares. A host is compared, never resolved or contacted."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple

# What no name of a share contains, and where other parsers might cut a name.
_FOREIGN = re.compile("[\\\\/\x00-\x1f\ud800-\udfff]")
IPV6_SUFFIX = ".ipv6-literal.net"

# Samba's table of case is of Unicode 2: it keeps these letters, and all above U+FFFF, as they are.
# Equal in Samba 4.13 to 4.25: lowcase_table in lib/util/charset/codepoints.c.
_WITHOUT_CASE = (
    *((0x130, 0x130), (0x1A6, 0x1A6), (0x1C5, 0x1C5), (0x1C8, 0x1C8), (0x1CB, 0x1CB)),
    *((0x1F2, 0x1F2), (0x1F6, 0x1F8), (0x218, 0x37F), (0x3CF, 0x3E0), (0x3F4, 0x400)),
    *((0x40D, 0x40D), (0x48A, 0x48E), (0x4C0, 0x4C0), (0x4C5, 0x4C5), (0x4C9, 0x4C9)),
    *((0x4CD, 0x4CD), (0x4EC, 0x4EC), (0x4F6, 0x4F6), (0x4FA, 0x530), (0x10A0, 0x1DFF)),
    *((0x1E9E, 0x1E9F), (0x1EFA, 0x1EFF), (0x1F88, 0x1FAF), (0x1FBC, 0x1FBC), (0x1FCC, 0x1FCC)),
    *((0x1FFC, 0x215F), (0x2183, 0x24B5), (0x24D0, 0xFF20), (0x10000, 0x10FFFF)),
)


class UncName(NamedTuple):
    host: str  # in `normal_host`'s form
    share: str  # as it was spelled


@lru_cache(maxsize=256)  # clients name the same few shares with each request
def parse_unc(unc: str) -> UncName:
    r"""The parts of `\\host\share` or `\\host\share\`.

    Nothing may follow the share, and `.` and `..` are no shares. Raises: ValueError, whose
    text is fit for a log.
    """
    host, separator, share = unc[2:].partition("\\")
    share = share[:-1] if share.endswith("\\") else share
    name = normal_host(host)
    if not unc.startswith("\\\\") or not separator or not name:
        raise ValueError(rf"{unc!r} is not of the form \\server\share")
    if not share or share in (".", "..") or _FOREIGN.search(share):
        raise ValueError(f"{unc!r} names no share, or something below a share")
    return UncName(name, share)


def normal_host(host: str) -> str:
    """A host name or address in a form that can be compared: case-folded, without the dot of
    the DNS root; an IPv6 address without its zone, in its shortest spelling."""
    name = host.casefold()
    if name.endswith(IPV6_SUFFIX):
        name = name[: -len(IPV6_SUFFIX)].replace("-", ":").partition("s")[0]
    elif name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    try:
        return str(ipaddress.IPv6Address(name.partition("%")[0]))
    except ValueError:
        return name[:-1] if name.endswith(".") else name


def normal_share(name: str) -> str:
    """A share's name in a form that can be compared: two names are of one share for Samba exactly
    when they are equal in this form. So straße is not strasse."""
    return name.lower() if name.isascii() else "".join(map(_lower, name))


@lru_cache(maxsize=4096)
def _lower(character: str) -> str:
    code = ord(character)
    if any(first <= code <= last for first, last in _WITHOUT_CASE):
        return character
    return character.lower()
