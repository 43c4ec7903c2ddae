from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, List

import pytest

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.providers import discovery
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import run, unmount


def roots(mounts: LiveMounts, below: Path) -> List[str]:
    found = [
        root
        for point in discovery.mount_points(mounts)
        for root in discovery.volumes_with_snapshots(point)
        if root.startswith(str(below))
    ]
    return sorted(os.path.relpath(root, below) for root in found)


@pytest.mark.parametrize(("provider", "kind"), [("btrfs", "btrfs"), ("reflink", "xfs")])
def test_a_volume_counts_once_it_has_a_snapshot_directory(
    make_harness: Callable[..., Harness], mounts: LiveMounts, provider: str, kind: str
) -> None:
    harness = make_harness(provider, kind)
    assert roots(mounts, harness.volume) == []
    harness.take()
    assert roots(mounts, harness.volume) == ["."]


def test_subvolumes_count_wherever_they_are(btrfs_harness: Harness, mounts: LiveMounts) -> None:
    volume = btrfs_harness.volume
    for name in ("one", "one/folder/two", "plain"):
        (volume / name).parent.mkdir(exist_ok=True)
        run("btrfs", "subvolume", "create", volume / name)
    for name in ("one", "one/folder/two"):
        btrfs_harness.take(btrfs_harness.request(volume / name))
    assert roots(mounts, volume) == ["one", "one/folder/two"]


def test_a_snapshot_of_ours_is_no_volume_even_where_it_is_mounted(
    make_volume: Callable[..., Path], mounts: LiveMounts
) -> None:
    """The LVM provider mounts snapshots like this; they contain `.fsrvpd` as well."""
    volume = make_volume("xfs", "volume")
    inside = volume / ".fsrvpd" / "snapshot"
    inside.mkdir(parents=True)
    run("mount", "--bind", volume, inside)
    assert roots(mounts, volume) == ["."]
    unmount(inside)


def test_nobody_asks_what_is_on_no_block_device(mounts: LiveMounts, tmp_path: Path) -> None:
    run("mount", "-t", "tmpfs", "tmpfs", tmp_path)
    (tmp_path / ".fsrvpd").mkdir()
    assert roots(mounts, tmp_path) == []
    unmount(tmp_path)
