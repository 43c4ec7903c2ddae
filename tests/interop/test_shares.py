"""Shares of every shape: where they lie, and how they are named."""

from __future__ import annotations

import pytest

from tests.interop.site import TORTURE_SHARE, Site
from tests.lab import fss

SNAPSHOTABLE = {
    "btrfs subvolume root": TORTURE_SHARE,
    "directory deep inside btrfs": "deep",
    "directory on XFS": "vault",
    "hidden": "hidden$",
    "spaces in the name": "with space",
    "letters beyond ASCII": "Größe-名前",
}


@pytest.mark.parametrize("share", SNAPSHOTABLE.values(), ids=SNAPSHOTABLE)
def test_snapshot_of(site: Site, share: str) -> None:
    site.samba.write(share, "Übersicht 1.txt", "before\n")
    [copy] = fss.create_expose(site.samba, share)
    site.samba.write(share, "Übersicht 1.txt", "after\n")
    assert site.samba.read(copy.share, "Übersicht 1.txt") == "before\n"
    fss.delete(site.samba, copy)
    site.assert_nothing_is_left()


def test_the_copy_of_a_hidden_share_is_hidden(site: Site) -> None:
    """Spec: MS-FSRVP 3.1.4.6 and its note 9."""
    [copy] = fss.create_expose(site.samba, "hidden$")
    assert copy.share.lower() == f"hidden$@{{{copy.copy_id}}}$"
    fss.delete(site.samba, copy)


def test_a_share_of_the_registry(site: Site) -> None:
    """Base shares in Samba's registry count as those in smb.conf do."""
    path = str(site.volumes["more"] / "with space")
    site.samba.net("conf", "addshare", "by-registry", path, "writeable=y", "guest_ok=n")
    site.samba.write("by-registry", "here.txt", "registered\n")
    [copy] = fss.create_expose(site.samba, "by-registry")
    assert site.samba.read(copy.share, "here.txt") == "registered\n"
    fss.delete(site.samba, copy)
    site.samba.net("conf", "delshare", "by-registry")
    site.assert_nothing_is_left()
