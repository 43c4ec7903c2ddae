"""The share that a client names, on this server and no other."""

from __future__ import annotations

from collections.abc import Set

from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.unc import parse_unc


def share_of(unc: str, own_names: Set[str]) -> str:
    r"""The share of `\\server\share`. `own_names` are this server's names and addresses in
    `normal_host`'s form. Raises: PeerError E_INVALIDARG for any other name."""
    try:
        name = parse_unc(unc)
    except ValueError as error:
        raise PeerError(HResult.E_INVALIDARG, str(error)) from None
    if name.host not in own_names:
        raise PeerError(HResult.E_INVALIDARG, f"{unc!r} names a host that is not this server")
    return name.share
