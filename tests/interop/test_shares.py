"""Shares with all kinds of paths and names."""

from __future__ import annotations

import pytest

from lab import fss
from tests.interop.nas import TORTURE_SHARE, Nas

SNAPSHOTABLE = {
    "btrfs subvolume root": TORTURE_SHARE,
    "directory deep inside btrfs": "deep",
    "directory on XFS": "vault",
    "hidden": "hidden$",
    "spaces in the name": "with space",
    "letters beyond ASCII": "Größe-名前",
}


@pytest.mark.parametrize("share", SNAPSHOTABLE.values(), ids=SNAPSHOTABLE)
def test_snapshot_of(nas: Nas, share: str) -> None:
    nas.samba.write(share, "Übersicht 1.txt", "before\n")
    [copy] = fss.create_expose(nas.samba, share)
    nas.samba.write(share, "Übersicht 1.txt", "after\n")
    assert nas.samba.read(copy.share, "Übersicht 1.txt") == "before\n"
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()


def test_the_copy_of_a_hidden_share_is_hidden(nas: Nas) -> None:
    """Spec: MS-FSRVP 3.1.4.6 and its note 9."""
    [copy] = fss.create_expose(nas.samba, "hidden$")
    assert copy.share.lower() == f"hidden$@{{{copy.copy_id}}}$"
    fss.delete(nas.samba, copy)


def test_a_share_of_the_registry(nas: Nas) -> None:
    """Base shares in Samba's registry work like those in smb.conf."""
    path = str(nas.volumes["more"] / "with space")
    nas.samba.net("conf", "addshare", "by-registry", path, "writeable=y", "guest_ok=n")
    nas.samba.write("by-registry", "here.txt", "registered\n")
    [copy] = fss.create_expose(nas.samba, "by-registry")
    assert nas.samba.read(copy.share, "here.txt") == "registered\n"
    fss.delete(nas.samba, copy)
    nas.samba.net("conf", "delshare", "by-registry")
    nas.assert_nothing_is_left()
