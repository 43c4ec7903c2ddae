"""Beyond the contract of providers: what other programs may do with ZFS snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.errors import StorageError
from tests.contract.providers.conftest import MakeZfsHarness
from tests.contract.providers.private_mounts import output, run
from tests.contract.providers.zfs_harness import ZfsHarness


@pytest.fixture
def zfs(make_zfs_harness: MakeZfsHarness, tmp_path: Path) -> ZfsHarness:
    return make_zfs_harness(tmp_path)


def test_a_hold_is_respected_and_named(zfs: ZfsHarness) -> None:
    snapshot = zfs.take()
    [name] = zfs.left_over()
    run("zfs", "hold", "keep me", name)
    with pytest.raises(StorageError, match="it has holds; see `zfs holds"):
        zfs.provider.delete(snapshot)
    assert [found.snapshot for found in zfs.found()] == [snapshot]
    run("zfs", "release", "keep me", name)
    zfs.provider.delete(snapshot)
    assert zfs.left_over() == []


def test_a_clone_of_somebody_else_is_respected_and_named(zfs: ZfsHarness) -> None:
    snapshot = zfs.take()
    [name] = zfs.left_over()
    clone = f"{zfs.dataset}/mine"
    run("zfs", "clone", "-o", "mountpoint=none", name, clone)
    with pytest.raises(StorageError, match=f"it has clones: {clone}"):
        zfs.provider.delete(snapshot)
    run("zfs", "destroy", clone)
    zfs.provider.delete(snapshot)
    assert zfs.left_over() == []


def test_a_sealed_clone_is_read_only_for_zfs_itself(zfs: ZfsHarness) -> None:
    snapshot = zfs.take(zfs.request(writable=True))
    zfs.provider.seal(snapshot)
    clone = next(name for name in zfs.left_over() if "/fsrvp-" in name and "@" not in name)
    assert output("zfs", "get", "-H", "-o", "value", "readonly", clone).strip() == "on"
    with pytest.raises(OSError, match="Read-only"):
        (Path(snapshot.share_path) / "file").touch()


def test_a_dataset_below_the_share_is_refused(zfs: ZfsHarness) -> None:
    inner = f"{zfs.dataset}/inner"
    run("zfs", "create", "-o", f"mountpoint={zfs.directory}/inner", inner)
    reason = str(zfs.provider.supports(str(zfs.directory)))
    assert f"{zfs.directory}/inner would be missing" in reason
    run("zfs", "destroy", inner)
    assert zfs.provider.supports(str(zfs.directory)) is None
