"""Every fss command of rpcclient, from one share to two volumes in one set."""

from __future__ import annotations

import pytest

from fsrvpd.protocol.hresult import HResult
from tests.interop.site import TORTURE_SHARE, Site
from tests.lab import fss


def test_get_sup_version(site: Site) -> None:
    done = site.samba.rpcclient("fss_get_sup_version")
    assert "supports FSRVP versions from 1 to 1" in done.stdout
    assert site.daemon.calls()[-1].method == "GetSupportedVersion"


def test_is_path_sup(site: Site) -> None:
    done = site.samba.rpcclient(f"fss_is_path_sup {TORTURE_SHARE}")
    assert " supports shadow copy requests" in done.stdout


def test_one_share_from_create_to_delete(site: Site) -> None:
    site.samba.write(TORTURE_SHARE, "report.txt", "as it was\n")
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE)
    assert copy.share.lower() == f"{TORTURE_SHARE}@{{{copy.copy_id}}}"
    assert [name.lower() for name in site.shadow_shares()] == [copy.share.lower()]
    assert fss.get_mapping(site.samba, copy) == copy

    site.samba.write(TORTURE_SHARE, "report.txt", "as it is\n")
    assert site.samba.read(copy.share, "report.txt") == "as it was\n"
    assert site.samba.read(TORTURE_SHARE, "report.txt") == "as it is\n"

    fss.delete(site.samba, copy)
    site.assert_nothing_is_left()


def test_two_shares_on_two_volumes_in_one_set(site: Site) -> None:
    shares = [TORTURE_SHARE, "deep"]
    for share in shares:
        site.samba.write(share, "which.txt", share)
    copies = fss.create_expose(site.samba, *shares)
    assert len({copy.set_id for copy in copies}) == 1
    assert len({copy.copy_id for copy in copies}) == 2
    for copy in copies:
        assert fss.get_mapping(site.samba, copy) == copy
        assert site.samba.read(copy.share, "which.txt") == copy.base

    fss.delete(site.samba, copies[0])
    assert site.samba.read(copies[1].share, "which.txt") == copies[1].base
    fss.delete(site.samba, copies[1])
    site.assert_nothing_is_left()


def test_has_shadow_copy(site: Site) -> None:
    assert not fss.has_shadow_copy(site.samba, "vault")
    [copy] = fss.create_expose(site.samba, "vault")
    assert fss.has_shadow_copy(site.samba, "vault")
    assert not fss.has_shadow_copy(site.samba, "deep")
    fss.delete(site.samba, copy)
    assert not fss.has_shadow_copy(site.samba, "vault")


@pytest.mark.parametrize("share", [TORTURE_SHARE, "vault"])
def test_a_copy_is_writable_until_the_recovery_is_complete(site: Site, share: str) -> None:
    [copy] = fss.create_expose(site.samba, share, mode="rw")
    site.samba.write(copy.share, "recovered.txt", "by a writer\n")
    fss.recovery_complete(site.samba, copy)
    refused = site.samba.smbclient(copy.share, 'rm "recovered.txt"', check=False)
    assert "NT_STATUS" in refused.stdout + refused.stderr
    assert site.samba.read(copy.share, "recovered.txt") == "by a writer\n"
    assert fss.get_mapping(site.samba, copy) == copy
    fss.delete(site.samba, copy)
    site.assert_nothing_is_left()


def test_a_copy_without_recovery_is_read_only_from_the_start(site: Site) -> None:
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE, mode="ro", context="file_share_backup")
    refused = site.samba.smbclient(copy.share, "mkdir nothing", check=False)
    assert "NT_STATUS_" in refused.stdout + refused.stderr
    fss.recovery_complete(site.samba, copy)
    fss.delete(site.samba, copy)


@pytest.mark.parametrize("context", ["backup", "file_share_backup", "nas_rollback", "app_rollback"])
@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_every_context(site: Site, context: str, mode: str) -> None:
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE, context=context, mode=mode)
    fss.recovery_complete(site.samba, copy)
    fss.delete(site.samba, copy)
    site.assert_nothing_is_left()


def test_a_deleted_copy_is_unknown(site: Site) -> None:
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE)
    fss.delete(site.samba, copy)
    ids = f"{copy.set_id} {copy.copy_id}"
    mapping = fss.refusal(site.samba, f"fss_get_mapping {TORTURE_SHARE} {ids}")
    assert mapping == HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
    again = fss.refusal(site.samba, f"fss_delete {TORTURE_SHARE} {ids}")
    assert again == HResult.FSRVP_E_OBJECT_NOT_FOUND
    assert site.samba.smbclient(copy.share, "ls", check=False).returncode != 0
