"""From a UNC name to a share, or to the error that the client gets."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Share
from fsrvpd.shares.resolver import ShareResolver

DATA = Share("data", "/srv/data", False)


class World:
    """Samba's shares, of which none is remembered."""

    def share(self, name: str) -> Optional[Share]:
        return DATA if name.lower() == "data" else None

    def known(self, name: str) -> Optional[Share]:
        return None


@pytest.fixture
def resolver() -> ShareResolver:
    world: Any = World()
    return ShareResolver(world, {"nas", "192.0.2.1"})


def refused(resolver: ShareResolver, unc: str) -> int:
    with pytest.raises(PeerError) as caught:
        resolver.name_of(unc)
    return caught.value.result


def test_a_share_of_this_server(resolver: ShareResolver) -> None:
    assert resolver.name_of(r"\\NAS\data") == "data"
    assert resolver.share("Data") == DATA
    assert resolver.known("data") is None


def test_names_and_shares_that_are_not_here(resolver: ShareResolver) -> None:
    assert refused(resolver, r"\\other\data") == HResult.E_INVALIDARG
    assert refused(resolver, "no unc") == HResult.E_INVALIDARG
    with pytest.raises(PeerError) as caught:
        resolver.share("gone")
    assert caught.value.result == HResult.FSRVP_E_OBJECT_NOT_FOUND


def test_an_address_that_clients_use_stays_when_names_change(resolver: ShareResolver) -> None:
    resolver.add_own_address("")
    resolver.add_own_address("192.0.2.9")
    resolver.set_own_names({"nas2"})
    assert resolver.own_names == {"nas2", "192.0.2.9"}
    assert refused(resolver, r"\\nas\data") == HResult.E_INVALIDARG
    assert resolver.name_of(r"\\nas2\data") == "data"
