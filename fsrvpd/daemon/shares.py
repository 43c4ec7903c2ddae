"""From the UNC name in a request to the place of the share, or to the reason why not."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Union

from fsrvpd.daemon.hostnames import own_names
from fsrvpd.errors import FsrvpdError, PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.outcome import hresult_of
from fsrvpd.protocol.ports import Share, SharePlace, ShareRegistry
from fsrvpd.protocol.unc import normal_host, share_of
from fsrvpd.volumes import Verdict, Volumes

log = logging.getLogger("fsrvpd.shares")


class ShareFinder:
    """Knows this server's names, Samba's shares and the volumes below them."""

    def __init__(
        self, registry: ShareRegistry, volumes: Volumes, names: Iterable[str], realm: str
    ) -> None:
        self._configured = own_names(names, realm)
        self.own_names = set(self._configured)
        self._registry = registry
        self._volumes = volumes

    def rename(self, names: Iterable[str], realm: str) -> None:
        """Answer to other names; addresses at which clients came in stay ours."""
        configured = own_names(names, realm)
        self.own_names -= self._configured - configured
        self.own_names |= configured
        self._configured = configured

    def is_called(self, address: str) -> None:
        """A client reached this server by this address, so it is one of its own."""
        if address:
            self.own_names.add(normal_host(address))

    def known(self, unc: str) -> Union[SharePlace, PeerError, None]:
        """`place`, where nobody has to be asked for it; None where somebody has."""
        try:
            share = self._registry.known(share_of(unc, self.own_names))
            return None if share is None else self._volumes.known(share)
        except PeerError as error:
            return error
        except FsrvpdError:
            return None

    def place(self, unc: str) -> Union[SharePlace, PeerError]:
        """Where the share lies; the error says which result its absence is."""
        try:
            return self._volumes.place(self.share(share_of(unc, self.own_names)))
        except PeerError as error:
            return error
        except FsrvpdError as error:
            return PeerError(hresult_of(error), str(error))

    def explain(self, name: str) -> Verdict:
        """Everything known of a share, given by name or as a UNC. Raises: FsrvpdError."""
        if name.startswith("\\\\"):
            name = share_of(name, self.own_names)
        return self._volumes.explain(self.share(name))

    def share(self, name: str) -> Share:
        """Raises: PeerError when there is no such share, RegistryError."""
        share = self._registry.share(name)
        if share is None:
            why = f"there is no share {name!r} in Samba's configuration"
            raise PeerError(HResult.FSRVP_E_OBJECT_NOT_FOUND, why)
        return share
