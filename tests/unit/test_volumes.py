"""What rules a share out before any disk is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Mapping, NamedTuple, Optional

import pytest

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Provider, Share
from fsrvpd.volumes import Volumes


class Refused(NamedTuple):
    provider: Optional[Provider] = None
    refusals: Mapping[str, str] = {"btrfs": "no", "reflink": "neither"}


class NoProvider:
    def choose(self, share: Share, directory: str) -> Refused:
        return Refused()


@pytest.fixture
def volumes() -> Iterator[Volumes]:
    mounts = LiveMounts()
    yield Volumes(NoProvider(), mounts)
    mounts.close()


def refusal(volumes: Volumes, share: Share) -> PeerError:
    with pytest.raises(PeerError) as caught:
        volumes.place(share)
    return caught.value


USUAL = Share("usual", "/", False)


@pytest.mark.parametrize(
    ("share", "reason"),
    [
        (USUAL._replace(name="IPC$"), "no directory of its own"),
        (USUAL._replace(name="homes"), "no directory of its own"),
        (USUAL._replace(printable=True), "printer"),
        (USUAL._replace(msdfs_root=True), "DFS root"),
        (USUAL._replace(shadow_copy_id="{x}"), "shadow copy itself"),
        (USUAL._replace(options={"enabled": "No"}), "fsrvp:enabled = no"),
        (USUAL._replace(vfs_objects=("acl_xattr", "xattr_tdb")), "a copy would be without them"),
        (USUAL._replace(vfs_objects=("/usr/lib/vfs/ACL_tdb.so:x",)), "would be without them"),
        (USUAL._replace(vfs_objects=("glusterfs",)), "finds its files elsewhere"),
        (USUAL._replace(vfs_objects=("acl_xattr", "ceph_snapshots")), "btrfs: no"),
        (USUAL._replace(path="/home/%U"), "macro"),
        (USUAL._replace(path=""), "no absolute path"),
        (USUAL._replace(path="relative"), "no absolute path"),
        (USUAL._replace(name="n" * 42), "too long"),
        (USUAL._replace(name="n" * 40 + "$"), "too long"),
        (USUAL._replace(name="n" * 41), "btrfs: no; reflink: neither"),
        (USUAL._replace(name="n" * 39 + "$"), "btrfs: no; reflink: neither"),
        (USUAL, "share usual: btrfs: no; reflink: neither"),
    ],
)
def test_what_is_not_supported(volumes: Volumes, share: Share, reason: str) -> None:
    refused = refusal(volumes, share)
    assert refused.result == HResult.FSRVP_E_NOT_SUPPORTED
    assert reason in str(refused)


def test_what_is_not_there(volumes: Volumes, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for share in (
        USUAL._replace(available=False),
        USUAL._replace(path=str(tmp_path / "missing")),
        USUAL._replace(path=str(tmp_path / "file")),
        USUAL._replace(path=str(tmp_path / "file/below")),
    ):
        assert refusal(volumes, share).result == HResult.FSRVP_E_OBJECT_NOT_FOUND


def test_a_link_to_a_path_with_a_percent_sign(volumes: Volumes, tmp_path: Path) -> None:
    (tmp_path / "100%U").mkdir()
    (tmp_path / "link").symlink_to("100%U")
    assert "100%U" in str(refusal(volumes, USUAL._replace(path=str(tmp_path / "link"))))


def test_the_findings_are_told_apart(volumes: Volumes, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(".")
    verdict = volumes.explain(USUAL._replace(path=str(tmp_path / "link")))
    assert verdict.directory == str(tmp_path)
    assert verdict.place is None
    assert verdict.refusals == {"btrfs": "no", "reflink": "neither"}
