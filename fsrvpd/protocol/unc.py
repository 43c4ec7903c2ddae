"""UNC names as clients send them. The host is compared, never resolved or contacted."""

from __future__ import annotations

import ipaddress
from collections.abc import Set

from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult

IPV6_SUFFIX = ".ipv6-literal.net"


def share_of(unc: str, own_names: Set[str]) -> str:
    r"""The share of `\\host\share` or `\\host\share\`.

    `own_names` are this server's names and addresses in `normal_host`'s form. Nothing may
    follow the share, and `.` and `..` are no shares. Raises: PeerError E_INVALIDARG.
    """
    host, separator, share = unc[2:].partition("\\")
    share = share[:-1] if share.endswith("\\") else share
    if not unc.startswith("\\\\") or not separator or not host:
        raise _invalid(unc, r"is not of the form \\server\share")
    if not share or share in (".", "..") or any(_is_foreign(letter) for letter in share):
        raise _invalid(unc, "names no share, or something below a share")
    if not normal_host(host) or normal_host(host) not in own_names:
        raise _invalid(unc, "names a host that is not this server")
    return share


def normal_host(host: str) -> str:
    """A host name or address in the form in which two of them can be compared: folded,
    without the root's dot, an IPv6 address without zone in its shortest spelling."""
    name = host.casefold()
    if name.endswith(IPV6_SUFFIX):
        name = name[: -len(IPV6_SUFFIX)].replace("-", ":").partition("s")[0]
    elif name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    try:
        return str(ipaddress.IPv6Address(name.partition("%")[0]))
    except ValueError:
        return name[:-1] if name.endswith(".") else name


def _is_foreign(letter: str) -> bool:
    """What no share's name holds, and what other parsers might cut a name at."""
    return letter in "\\/" or letter < " " or "\ud800" <= letter <= "\udfff"


def _invalid(unc: str, why: str) -> PeerError:
    return PeerError(HResult.E_INVALIDARG, f"{unc!r} {why}")
