"""Two shares of one volume in one set: the document's refusal, and `fsrvpd:shared volumes`."""

from __future__ import annotations

from typing import Iterator

import pytest

from fsrvpd.protocol.hresult import HResult
from tests.interop.site import Site, open_site
from tests.lab import fss

SHARES = ("deep", "with space")  # both on the volume `more`


@pytest.fixture(scope="module")
def sharing() -> Iterator[Site]:
    with open_site({"fsrvpd:shared volumes": "yes"}) as site:
        yield site


def test_one_snapshot_serves_both_and_dies_with_its_last_mapping(sharing: Site) -> None:
    for share in SHARES:
        sharing.samba.write(share, "which.txt", f"{share} as it was\n")
    copies = fss.create_expose(sharing.samba, *SHARES)
    assert len({copy.copy_id for copy in copies}) == 1
    assert len(sharing.snapshots()) == 2, "a snapshot and its mark"
    for share in SHARES:
        sharing.samba.write(share, "which.txt", "as it is\n")
    for copy in copies:
        assert fss.get_mapping(sharing.samba, copy) == copy
        assert sharing.samba.read(copy.share, "which.txt") == f"{copy.base} as it was\n"

    fss.delete(sharing.samba, copies[0])
    assert sharing.samba.read(copies[1].share, "which.txt") == f"{copies[1].base} as it was\n"
    fss.delete(sharing.samba, copies[1])
    sharing.assert_nothing_is_left()


@pytest.mark.spec("3.1.4.4-6")
def test_without_the_setting_the_second_is_refused(site: Site) -> None:
    command = f'fss_create_expose backup ro "{SHARES[0]}" "{SHARES[1]}"'
    assert fss.refusal(site.samba, command) == HResult.FSRVP_E_OBJECT_ALREADY_EXISTS
    assert site.snapshots() == []
