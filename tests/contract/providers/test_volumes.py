"""Shares located on real volumes; a location is only used while it is still true."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Share, ShareLocation
from fsrvpd.providers.selection import standard
from fsrvpd.shares.changes import identity_and_handle_of
from fsrvpd.shares.volumes import Volumes
from tests.contract.providers.conftest import MakeHarness, MakeVolume, chosen
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import run, unmount


@pytest.fixture
def volumes(mounts: LiveMounts, tmp_path: Path) -> Volumes:
    return Volumes(standard(mounts, lambda share: {}, str(tmp_path)), mounts)


@pytest.fixture(params=chosen(["btrfs", "reflink"]))
def harness(request: pytest.FixtureRequest) -> Harness:
    """A harness of each provider that is chosen for a share without fsrvp:provider."""
    made: Harness = request.getfixturevalue(f"{request.param}_harness")
    return made


@pytest.fixture
def btrfs(make_harness: MakeHarness) -> Harness:
    return make_harness("btrfs", "btrfs", 256)


def share(path: Path, **options: str) -> Share:
    return Share("s", str(path), False, options=options)


def reason(volumes: Volumes, share: Share) -> str:
    with pytest.raises(PeerError) as caught:
        volumes.locate(share)
    assert caught.value.result == HResult.FSRVP_E_NOT_SUPPORTED
    return str(caught.value)


def test_a_location_is_what_the_provider_says(volumes: Volumes, harness: Harness) -> None:
    wanted = share(harness.directory)
    name, root = harness.provider.locate(str(harness.directory))
    provider, directory = harness.provider, str(harness.directory)
    identity, handle = identity_and_handle_of(directory)
    assert handle
    location = ShareLocation(
        wanted, name, root, provider.name, directory, provider.whole_volume, identity, handle
    )
    assert [volumes.locate(wanted) for _ in range(2)] == [location, location]
    assert volumes.explain(wanted).location == location


def test_shares_of_one_volume_name_one_volume(volumes: Volumes, harness: Harness) -> None:
    names = {
        volumes.locate(share(path)).volume_name for path in (harness.volume, harness.directory)
    }
    assert len(names) == 1


def test_the_definition_is_always_that_of_the_call(volumes: Volumes, btrfs: Harness) -> None:
    volumes.locate(share(btrfs.directory))
    renamed = replace(share(btrfs.directory), name="renamed")
    assert volumes.locate(renamed).share is renamed
    with pytest.raises(PeerError):
        volumes.locate(share(btrfs.directory, enabled="no"))


def test_btrfs_wins_unless_the_share_names_another(volumes: Volumes, btrfs: Harness) -> None:
    assert volumes.locate(share(btrfs.directory)).provider == "btrfs"
    assert volumes.locate(share(btrfs.directory, provider="reflink")).provider == "reflink"
    assert volumes.locate(share(btrfs.directory)).provider == "btrfs"


def test_what_the_provider_in_order_refused_is_told(
    volumes: Volumes, make_harness: MakeHarness
) -> None:
    harness = make_harness("reflink", "xfs")
    explanation = volumes.explain(share(harness.directory))
    assert explanation.location is not None
    assert explanation.location.provider == "reflink"
    assert "not on btrfs but on xfs" in explanation.refusals["btrfs"]


def test_other_file_systems_are_not_supported(
    volumes: Volumes, make_volume: MakeVolume, tmp_path: Path
) -> None:
    ext4 = make_volume("ext4", "ext4", 32)
    assert f"{ext4} is not on btrfs but on ext4" in reason(volumes, share(ext4))
    assert "cannot share blocks" in reason(volumes, share(tmp_path))


def test_a_subvolume_made_later_is_seen_at_once(volumes: Volumes, btrfs: Harness) -> None:
    volumes.locate(share(btrfs.directory))
    nested = btrfs.directory / "nested"
    run("btrfs", "-q", "subvolume", "create", nested)
    assert str(nested) in reason(volumes, share(btrfs.directory))
    run("btrfs", "-q", "subvolume", "delete", nested)
    assert volumes.locate(share(btrfs.directory)).volume_root == str(btrfs.volume)


def test_a_mount_made_later_is_seen_at_once(volumes: Volumes, harness: Harness) -> None:
    volumes.locate(share(harness.directory))
    inner = harness.directory / "inner"
    inner.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", inner)
    assert str(inner) in reason(volumes, share(harness.directory))
    unmount(inner)
    assert volumes.locate(share(harness.directory)).directory == str(harness.directory)


def test_a_link_that_is_turned_is_followed_anew(volumes: Volumes, btrfs: Harness) -> None:
    first, second, link = (btrfs.volume / name for name in ("first", "second", "link"))
    first.mkdir()
    second.mkdir()
    link.symlink_to(first)
    assert volumes.locate(share(link)).directory == str(first)
    link.unlink()
    link.symlink_to(second)
    assert volumes.locate(share(link)).directory == str(second)


def test_a_directory_that_is_moved_under_its_link(volumes: Volumes, btrfs: Harness) -> None:
    """The path still leads to the same inode, but under another name."""
    first, second, link = (btrfs.volume / name for name in ("first", "second", "link"))
    first.mkdir()
    link.symlink_to(first)
    volumes.locate(share(link))
    first.rename(second)
    link.unlink()
    link.symlink_to(second)
    assert volumes.locate(share(link)).directory == str(second)


def test_a_share_that_vanishes_is_not_found(volumes: Volumes, btrfs: Harness) -> None:
    volumes.locate(share(btrfs.directory))
    btrfs.directory.rmdir()
    with pytest.raises(PeerError) as caught:
        volumes.locate(share(btrfs.directory))
    assert caught.value.result == HResult.FSRVP_E_OBJECT_NOT_FOUND
