"""A volume of btrfs whose files were moved by rsync, or restored: `.fsrvpd` is a plain directory,
with plain copies of the snapshots in it, and with their markers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List

import pytest

from fsrvpd.core import btrfs as core_btrfs
from fsrvpd.errors import NotOurs
from fsrvpd.protocol.ports import LeavesOut, Snapshot, WarnsOfVolumes
from tests.contract.providers.conftest import MakeHarness, MakeVolume
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import run, unmount


@pytest.fixture
def moved(make_harness: MakeHarness, make_volume: MakeVolume) -> Harness:
    """The share is the root of the volume. Two snapshots were taken where it was before."""
    harness = make_harness("btrfs", "btrfs", 256)
    (harness.directory / "file").write_text("old")
    for _ in range(2):
        harness.take(harness.request(harness.volume))
    new = make_volume("btrfs", "new", 256)
    run("cp", "--archive", f"{harness.volume}/.", new)
    unmount(harness.volume)
    run("mount", "--bind", new, harness.volume)
    return harness


def own(harness: Harness) -> Path:
    return harness.volume / ".fsrvpd"


def remains(harness: Harness) -> List[Snapshot]:
    is_plain = {str(path) for path in own(harness).glob("fsrvp-*") if path.stat().st_ino != 256}
    return [each.snapshot for each in harness.found() if each.snapshot.root in is_plain]


def warnings(harness: Harness) -> str:
    assert isinstance(harness.provider, WarnsOfVolumes)
    return " ".join(harness.provider.warnings(str(harness.volume)))


def test_sets_follow_each_other_while_copies_stand(moved: Harness) -> None:
    path = str(moved.volume)
    taken = []
    for _ in range(3):
        assert moved.provider.supports(path) is None
        assert moved.provider.recheck(path) is None
        taken.append(moved.take(moved.request(moved.volume, writable=True)))
    assert all(moved.provider.exists(each) for each in taken)
    assert "is a plain directory" in warnings(moved)
    assert isinstance(moved.provider, LeavesOut)
    assert moved.provider.left_out(path) == []


def test_what_was_copied_can_be_removed_and_then_it_is_a_subvolume_again(moved: Harness) -> None:
    stays = moved.take(moved.request(moved.volume))
    copied = remains(moved)
    assert len(copied) == 2
    for snapshot in copied:
        assert moved.provider.exists(snapshot)
        with pytest.raises(NotOurs, match="is no btrfs subvolume"):
            moved.provider.open_share(snapshot, "")
        moved.provider.delete(snapshot)
        assert not moved.provider.exists(snapshot)
    assert [each.snapshot for each in moved.found()] == [stays]
    moved.take(moved.request(moved.volume))
    assert own(moved).stat().st_ino != core_btrfs.ROOT_INODE, "snapshots stand in it"
    for each in moved.found():
        moved.provider.delete(each.snapshot)
    after = moved.take(moved.request(moved.volume))
    assert own(moved).stat().st_ino == core_btrfs.ROOT_INODE
    assert not list(Path(after.root, ".fsrvpd").iterdir())
    assert "plain directory" not in warnings(moved)


def test_a_directory_of_a_user_is_no_such_thing(moved: Harness) -> None:
    """What is in it is neither passed over nor ever removed."""
    run("rm", "-r", own(moved))
    run("btrfs", "-q", "subvolume", "create", moved.volume / "data")
    os.mkdir(own(moved))
    os.chown(own(moved), 1234, -1)
    (moved.volume / "data").rename(own(moved) / "data")
    assert "data would be missing" in str(moved.provider.supports(str(moved.volume)))
    assert "data would be missing" in str(moved.provider.recheck(str(moved.volume)))
    moved.take()
    [theirs] = moved.volume.glob(".fsrvpd.not-ours-*")
    assert (theirs / "data").is_dir()


def test_an_entry_without_a_marker_is_left_alone(moved: Harness) -> None:
    [one, other] = remains(moved)
    name = Path(one.root).name
    (own(moved) / ".marks" / name.partition("_GMT-")[2]).unlink()
    with pytest.raises(NotOurs, match="does not carry the marker"):
        moved.provider.delete(one)
    moved.provider.delete(other)
    moved.take(moved.request(moved.volume))
    assert Path(one.root).is_dir()
