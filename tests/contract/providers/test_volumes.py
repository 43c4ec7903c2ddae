"""Shares placed on real volumes, and places that are not believed any longer than true."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Share, SharePlace
from fsrvpd.providers.selection import standard
from fsrvpd.volumes import Volumes
from tests.contract.providers.bed import Bed
from tests.contract.providers.conftest import MakeBed, MakeVolume, chosen
from tests.contract.providers.private_mounts import run, unmount


@pytest.fixture
def volumes(mounts: LiveMounts, tmp_path: Path) -> Volumes:
    return Volumes(standard(mounts, lambda share: {}, str(tmp_path)), mounts)


@pytest.fixture(params=chosen(["btrfs", "reflink"]))
def bed(request: pytest.FixtureRequest) -> Bed:
    """Of those that serve a share which says nothing of it."""
    made: Bed = request.getfixturevalue(f"{request.param}_bed")
    return made


@pytest.fixture
def btrfs(make_bed: MakeBed) -> Bed:
    return make_bed("btrfs", "btrfs", 256)


def share(path: Path, **options: str) -> Share:
    return Share("s", str(path), False, options=options)


def reason(volumes: Volumes, share: Share) -> str:
    with pytest.raises(PeerError) as caught:
        volumes.place(share)
    assert caught.value.result == HResult.FSRVP_E_NOT_SUPPORTED
    return str(caught.value)


def test_a_place_is_what_the_provider_says(volumes: Volumes, bed: Bed) -> None:
    wanted = share(bed.directory)
    name, root = bed.provider.locate(str(bed.directory))
    provider, directory = bed.provider, str(bed.directory)
    place = SharePlace(wanted, name, root, provider.name, directory, provider.whole_volume)
    assert [volumes.place(wanted) for _ in range(2)] == [place, place]
    assert volumes.explain(wanted).place == place


def test_shares_of_one_volume_name_one_volume(volumes: Volumes, bed: Bed) -> None:
    names = {volumes.place(share(path)).volume_name for path in (bed.volume, bed.directory)}
    assert len(names) == 1


def test_the_definition_is_always_that_of_the_call(volumes: Volumes, btrfs: Bed) -> None:
    volumes.place(share(btrfs.directory))
    renamed = share(btrfs.directory)._replace(name="renamed")
    assert volumes.place(renamed).share is renamed
    with pytest.raises(PeerError):
        volumes.place(share(btrfs.directory, enabled="no"))


def test_btrfs_wins_unless_the_share_names_another(volumes: Volumes, btrfs: Bed) -> None:
    assert volumes.place(share(btrfs.directory)).provider == "btrfs"
    assert volumes.place(share(btrfs.directory, provider="reflink")).provider == "reflink"
    assert volumes.place(share(btrfs.directory)).provider == "btrfs"


def test_what_the_provider_in_order_refused_is_told(volumes: Volumes, make_bed: MakeBed) -> None:
    bed = make_bed("reflink", "xfs")
    verdict = volumes.explain(share(bed.directory))
    assert verdict.place is not None
    assert verdict.place.provider == "reflink"
    assert "not on btrfs but on xfs" in verdict.refusals["btrfs"]


def test_other_file_systems_are_not_supported(
    volumes: Volumes, make_volume: MakeVolume, tmp_path: Path
) -> None:
    ext4 = make_volume("ext4", "ext4", 32)
    assert f"{ext4} is not on btrfs but on ext4" in reason(volumes, share(ext4))
    assert "cannot share blocks" in reason(volumes, share(tmp_path))


def test_a_subvolume_made_later_is_seen_at_once(volumes: Volumes, btrfs: Bed) -> None:
    volumes.place(share(btrfs.directory))
    nested = btrfs.directory / "nested"
    run("btrfs", "-q", "subvolume", "create", nested)
    assert str(nested) in reason(volumes, share(btrfs.directory))
    run("btrfs", "-q", "subvolume", "delete", nested)
    assert volumes.place(share(btrfs.directory)).volume_root == str(btrfs.volume)


def test_a_mount_made_later_is_seen_at_once(volumes: Volumes, bed: Bed) -> None:
    volumes.place(share(bed.directory))
    inner = bed.directory / "inner"
    inner.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", inner)
    assert str(inner) in reason(volumes, share(bed.directory))
    unmount(inner)
    assert volumes.place(share(bed.directory)).directory == str(bed.directory)


def test_a_link_that_is_turned_is_followed_anew(volumes: Volumes, btrfs: Bed) -> None:
    first, second, link = (btrfs.volume / name for name in ("first", "second", "link"))
    first.mkdir()
    second.mkdir()
    link.symlink_to(first)
    assert volumes.place(share(link)).directory == str(first)
    link.unlink()
    link.symlink_to(second)
    assert volumes.place(share(link)).directory == str(second)


def test_a_directory_that_is_moved_under_its_link(volumes: Volumes, btrfs: Bed) -> None:
    """The path leads to the same inode as before, by another name."""
    first, second, link = (btrfs.volume / name for name in ("first", "second", "link"))
    first.mkdir()
    link.symlink_to(first)
    volumes.place(share(link))
    first.rename(second)
    link.unlink()
    link.symlink_to(second)
    assert volumes.place(share(link)).directory == str(second)


def test_a_share_that_vanishes_is_not_found(volumes: Volumes, btrfs: Bed) -> None:
    volumes.place(share(btrfs.directory))
    btrfs.directory.rmdir()
    with pytest.raises(PeerError) as caught:
        volumes.place(share(btrfs.directory))
    assert caught.value.result == HResult.FSRVP_E_OBJECT_NOT_FOUND
