"""Finds the share that a UNC name in a request means, or why there is none."""

from __future__ import annotations

from collections.abc import Set
from typing import Optional

from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Share, ShareRegistry
from fsrvpd.protocol.server.share_name import share_of
from fsrvpd.protocol.unc import normal_host


class ShareResolver:
    """Knows this server's names and Samba's shares. `name_of`, `known` and `share` may be called
    from any thread."""

    def __init__(self, registry: ShareRegistry, own_names: Set[str]) -> None:
        """`own_names` as `server_names.own_names` finds them."""
        self._configured = own_names
        self.own_names = set(own_names)
        self._registry = registry

    def set_own_names(self, names: Set[str]) -> None:
        """Replace the configured names; addresses that clients have used are kept."""
        self.own_names -= self._configured - names
        self.own_names |= names
        self._configured = names

    def add_own_address(self, address: str) -> None:
        """Add an address at which a client has reached this server."""
        if address:
            self.own_names.add(normal_host(address))

    def name_of(self, unc: str) -> str:
        """The share that a UNC names. Raises: PeerError if the host is not this server."""
        return share_of(unc, self.own_names)

    def known(self, name: str) -> Optional[Share]:
        """A share from memory; None if Samba has to be asked."""
        return self._registry.known(name)

    def share(self, name: str) -> Share:
        """Ask Samba for a share, whose registry may be locked. Raises: PeerError when there is
        no such share, RegistryError."""
        share = self._registry.share(name)
        if share is None:
            why = f"there is no share {name!r} in Samba's configuration"
            raise PeerError(HResult.FSRVP_E_OBJECT_NOT_FOUND, why)
        return share
