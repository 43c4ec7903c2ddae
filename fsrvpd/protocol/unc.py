"""UNC names as clients send them. The host is compared, never resolved or contacted."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Set
from functools import lru_cache

from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult

# What no share's name holds, and what other parsers might cut a name at.
_FOREIGN = re.compile("[\\\\/\x00-\x1f\ud800-\udfff]")
IPV6_SUFFIX = ".ipv6-literal.net"


def share_of(unc: str, own_names: Set[str]) -> str:
    r"""The share of `\\host\share` or `\\host\share\`.

    `own_names` are this server's names and addresses in `normal_host`'s form. Nothing may
    follow the share, and `.` and `..` are no shares. Raises: PeerError E_INVALIDARG.
    """
    host, share = _parts(unc)
    if host not in own_names:
        raise _invalid(unc, "names a host that is not this server")
    return share


@lru_cache(maxsize=256)  # clients name the same few shares with each request
def _parts(unc: str) -> tuple[str, str]:
    """Host, in `normal_host`'s form, and share. Raises: PeerError E_INVALIDARG."""
    host, separator, share = unc[2:].partition("\\")
    share = share[:-1] if share.endswith("\\") else share
    name = normal_host(host)
    if not unc.startswith("\\\\") or not separator or not name:
        raise _invalid(unc, r"is not of the form \\server\share")
    if not share or share in (".", "..") or _FOREIGN.search(share):
        raise _invalid(unc, "names no share, or something below a share")
    return name, share


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


def _invalid(unc: str, why: str) -> PeerError:
    return PeerError(HResult.E_INVALIDARG, f"{unc!r} {why}")
