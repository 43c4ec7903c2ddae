"""Two shares of one volume in one set: MS-FSRVP refuses it, `fsrvpd:shared volumes` allows it."""

from __future__ import annotations

from typing import Iterator

import pytest

from fsrvpd.protocol.hresult import HResult
from lab import Share, fss
from tests.interop.nas import Nas, make_directory, open_nas

SHARES = ("deep", "with space")  # both on the volume `more`


@pytest.fixture(scope="module")
def sharing() -> Iterator[Nas]:
    with open_nas({"fsrvpd:shared volumes": "yes"}) as nas:
        yield nas


def test_one_snapshot_serves_both_and_dies_with_its_last_mapping(sharing: Nas) -> None:
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


def test_two_names_that_only_unicode_folds_into_one_are_two_shares(sharing: Nas) -> None:
    names = ("straße", "strasse")
    for name in names:
        sharing.samba.set_share(
            Share(name, make_directory(sharing.lab, sharing.volumes["more"] / name))
        )
    sharing.samba.reload()
    for name in names:
        sharing.samba.write(name, "which.txt", f"{name} as it was\n")
    copies = fss.create_expose(sharing.samba, *names)
    for copy in copies:
        assert fss.get_mapping(sharing.samba, copy) == copy
        assert sharing.samba.read(copy.share, "which.txt") == f"{copy.base} as it was\n"
        fss.delete(sharing.samba, copy)
    sharing.assert_nothing_is_left()


@pytest.mark.spec("3.1.4.4-6")
def test_without_the_setting_the_second_is_refused(nas: Nas) -> None:
    command = f'fss_create_expose backup ro "{SHARES[0]}" "{SHARES[1]}"'
    assert fss.refusal(nas.samba, command) == HResult.FSRVP_E_OBJECT_ALREADY_EXISTS
    assert nas.snapshots() == []
