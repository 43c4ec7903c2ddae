"""Every fss command of rpcclient, from one share to two volumes in one set."""

from __future__ import annotations

import pytest

from fsrvpd.protocol.hresult import HResult
from lab import fss
from tests.interop.nas import TORTURE_SHARE, Nas


def test_get_sup_version(nas: Nas) -> None:
    done = nas.samba.rpcclient("fss_get_sup_version")
    assert "supports FSRVP versions from 1 to 1" in done.stdout
    assert nas.daemon.calls()[-1].method == "GetSupportedVersion"


def test_is_path_sup(nas: Nas) -> None:
    done = nas.samba.rpcclient(f"fss_is_path_sup {TORTURE_SHARE}")
    assert " supports shadow copy requests" in done.stdout


def test_one_share_from_create_to_delete(nas: Nas) -> None:
    nas.samba.write(TORTURE_SHARE, "report.txt", "as it was\n")
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    assert copy.share.lower() == f"{TORTURE_SHARE}@{{{copy.copy_id}}}"
    assert [name.lower() for name in nas.shadow_shares()] == [copy.share.lower()]
    assert fss.get_mapping(nas.samba, copy) == copy

    nas.samba.write(TORTURE_SHARE, "report.txt", "as it is\n")
    assert nas.samba.read(copy.share, "report.txt") == "as it was\n"
    assert nas.samba.read(TORTURE_SHARE, "report.txt") == "as it is\n"

    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()


def test_two_shares_on_two_volumes_in_one_set(nas: Nas) -> None:
    shares = [TORTURE_SHARE, "deep"]
    for share in shares:
        nas.samba.write(share, "which.txt", share)
    copies = fss.create_expose(nas.samba, *shares)
    assert len({copy.set_id for copy in copies}) == 1
    assert len({copy.copy_id for copy in copies}) == 2
    for copy in copies:
        assert fss.get_mapping(nas.samba, copy) == copy
        assert nas.samba.read(copy.share, "which.txt") == copy.base

    fss.delete(nas.samba, copies[0])
    assert nas.samba.read(copies[1].share, "which.txt") == copies[1].base
    fss.delete(nas.samba, copies[1])
    nas.assert_nothing_is_left()


def test_has_shadow_copy(nas: Nas) -> None:
    assert not fss.has_shadow_copy(nas.samba, "vault")
    [copy] = fss.create_expose(nas.samba, "vault")
    assert fss.has_shadow_copy(nas.samba, "vault")
    assert not fss.has_shadow_copy(nas.samba, "deep")
    fss.delete(nas.samba, copy)
    assert not fss.has_shadow_copy(nas.samba, "vault")


@pytest.mark.parametrize("share", [TORTURE_SHARE, "vault"])
def test_a_copy_is_writable_until_the_recovery_is_complete(nas: Nas, share: str) -> None:
    [copy] = fss.create_expose(nas.samba, share, mode="rw")
    nas.samba.write(copy.share, "recovered.txt", "by a writer\n")
    fss.recovery_complete(nas.samba, copy)
    refused = nas.samba.smbclient(copy.share, 'rm "recovered.txt"', check=False)
    assert "NT_STATUS" in refused.stdout + refused.stderr
    assert nas.samba.read(copy.share, "recovered.txt") == "by a writer\n"
    assert fss.get_mapping(nas.samba, copy) == copy
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()


def test_a_copy_without_recovery_is_read_only_from_the_start(nas: Nas) -> None:
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE, mode="ro", context="file_share_backup")
    refused = nas.samba.smbclient(copy.share, "mkdir nothing", check=False)
    assert "NT_STATUS_" in refused.stdout + refused.stderr
    fss.recovery_complete(nas.samba, copy)
    fss.delete(nas.samba, copy)


@pytest.mark.parametrize("context", ["backup", "file_share_backup", "nas_rollback", "app_rollback"])
@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_every_context(nas: Nas, context: str, mode: str) -> None:
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE, context=context, mode=mode)
    fss.recovery_complete(nas.samba, copy)
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()


def test_a_deleted_copy_is_unknown(nas: Nas) -> None:
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    fss.delete(nas.samba, copy)
    ids = f"{copy.set_id} {copy.copy_id}"
    mapping = fss.refusal(nas.samba, f"fss_get_mapping {TORTURE_SHARE} {ids}")
    assert mapping == HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
    again = fss.refusal(nas.samba, f"fss_delete {TORTURE_SHARE} {ids}")
    assert again == HResult.FSRVP_E_OBJECT_NOT_FOUND
    assert nas.samba.smbclient(copy.share, "ls", check=False).returncode != 0
