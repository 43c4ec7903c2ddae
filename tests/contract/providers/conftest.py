"""One harness for each storage, and the fixture `harness`, which runs a test on all of them.

A storage is a provider on a kind of file system. btrfs, XFS and ext4 are made in sparse files and
mounted in a mount namespace of these tests alone; tests/platform prepares the others and names
them in $FSRVPD_TEST_STORAGES. `copy` is the example of docs/writing-a-provider.md. A new provider
needs a fixture `<storage>_harness` here, and its name in `STORAGES`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Sequence

import pytest

from examples.provider_copy import Copy
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.protocol.ports import Provider
from fsrvpd.providers.btrfs.provider import Btrfs
from fsrvpd.providers.cephfs import CephFs
from fsrvpd.providers.command.provider import Command
from fsrvpd.providers.lvm.provider import Lvm
from fsrvpd.providers.reflink.provider import Reflink
from fsrvpd.providers.zfs.provider import Zfs
from tests.contract.providers import private_mounts
from tests.contract.providers.ceph_harness import CephHarness
from tests.contract.providers.command_harness import CommandHarness
from tests.contract.providers.harness import Harness
from tests.contract.providers.lvm_harness import LvmHarness, VolumeGroup
from tests.contract.providers.zfs_harness import Pool, ZfsHarness
from tests.platform import ceph
from tests.platform.ceph import Cluster

MakeVolume = Callable[..., Path]
MakeHarness = Callable[..., Harness]
MakeLvmHarness = Callable[[str, Path], LvmHarness]
MakeZfsHarness = Callable[[Path], ZfsHarness]
PROVIDERS: Dict[str, Callable[[LiveMounts], Provider]] = {
    "btrfs": Btrfs,
    "reflink": Reflink,
    "copy": Copy,
}
# These are available everywhere. Others need what tests/platform prepares.
STORAGES = os.environ.get("FSRVPD_TEST_STORAGES", "btrfs,reflink,command,copy").split(",")
collect_ignore = [
    *([] if {"lvm-xfs", "zfs"} & {*STORAGES} else ["test_several_volumes.py"]),
    *([] if "lvm-xfs" in STORAGES else ["test_lvm.py"]),
    *([] if "zfs" in STORAGES else ["test_zfs.py"]),
]
WITH_SNAPSHOT_DIRECTORY = ["btrfs", "reflink", "cephfs", "copy"]  # markers are in .fsrvpd


def chosen(storages: Sequence[str]) -> List[str]:
    """Return those of the storages that this run uses."""
    return [storage for storage in storages if storage in STORAGES]


@pytest.fixture(scope="session")
def _private_mounts() -> None:
    private_mounts.enter()


@pytest.fixture
def make_volume(_private_mounts: None, tmp_path: Path) -> Iterator[MakeVolume]:
    """A factory of file systems: make_volume(kind, name, mebibytes)."""
    made = []

    def make(kind: str, name: str, mebibytes: int = 512) -> Path:
        mount_point = tmp_path / name
        made.append(mount_point)
        return private_mounts.make(kind, tmp_path / f"{name}.img", mount_point, mebibytes)

    yield make
    for mount_point in made:
        private_mounts.unmount(mount_point)


@pytest.fixture(scope="session")
def mounts(_private_mounts: None) -> Iterator[LiveMounts]:
    live = LiveMounts()
    yield live
    live.close()


@pytest.fixture
def make_harness(mounts: LiveMounts, make_volume: MakeVolume) -> MakeHarness:
    """A factory of harnesses: make_harness(provider, kind, mebibytes)."""

    def make(name: str, kind: str, mebibytes: int = 512) -> Harness:
        volume = make_volume(kind, "große Platte", mebibytes)
        return Harness(lambda: PROVIDERS[name](mounts), volume)

    return make


@pytest.fixture
def btrfs_harness(make_harness: MakeHarness) -> Harness:
    return make_harness("btrfs", "btrfs")


@pytest.fixture
def reflink_harness(make_harness: MakeHarness) -> Harness:
    harness = make_harness("reflink", "xfs")
    harness.one_moment = False  # each file is cloned at a different moment
    return harness


@pytest.fixture
def copy_harness(make_harness: MakeHarness) -> Harness:
    harness = make_harness("copy", "ext4")
    harness.one_moment = False
    harness.any_file_system = True
    harness.snapshots_many = 50  # it is slow
    return harness


@pytest.fixture
def command_harness(
    make_volume: MakeVolume, mounts: LiveMounts, tmp_path: Path
) -> Iterator[CommandHarness]:
    volume = make_volume("btrfs", "große Platte")
    mount_root = tmp_path / "run"
    harness = CommandHarness(
        volume,
        tmp_path,
        mount_root,
        lambda options, at: Command(mounts, options, at, str(mount_root)),
    )
    yield harness
    harness.close()


@pytest.fixture(scope="session")
def cluster(_private_mounts: None) -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(ceph.programs(), Path(directory))
        cluster.start()
        yield cluster
        cluster.close()


@pytest.fixture
def cephfs_harness(cluster: Cluster, mounts: LiveMounts) -> Iterator[Harness]:
    harness = CephHarness(cluster, lambda: CephFs(mounts))
    yield harness
    cluster.unmount(harness.volume)


@pytest.fixture(scope="session")
def volume_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VolumeGroup]:
    group = VolumeGroup(tmp_path_factory.mktemp("group"), "fsrvpdtest")
    yield group
    group.close()


@pytest.fixture
def make_lvm_harness(volume_group: VolumeGroup, mounts: LiveMounts) -> Iterator[MakeLvmHarness]:
    """A factory of harnesses: make_lvm_harness(kind of file system, directory)."""
    made: List[LvmHarness] = []

    def make(kind: str, directory: Path) -> LvmHarness:
        directory.mkdir(exist_ok=True)
        made.append(LvmHarness(volume_group, kind, directory, lambda: Lvm(mounts)))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


@pytest.fixture
def lvm_xfs_harness(make_lvm_harness: MakeLvmHarness, tmp_path: Path) -> LvmHarness:
    return make_lvm_harness("xfs", tmp_path)


@pytest.fixture
def lvm_ext4_harness(make_lvm_harness: MakeLvmHarness, tmp_path: Path) -> LvmHarness:
    return make_lvm_harness("ext4", tmp_path)


@pytest.fixture
def two_lvm_harnesses(make_lvm_harness: MakeLvmHarness, tmp_path: Path) -> List[LvmHarness]:
    return [make_lvm_harness("xfs", tmp_path / "one"), make_lvm_harness("ext4", tmp_path / "two")]


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    pool = Pool(tmp_path_factory.mktemp("pool"), "fsrvpdtest")
    yield pool
    pool.close()


@pytest.fixture
def make_zfs_harness(pool: Pool, mounts: LiveMounts) -> Iterator[MakeZfsHarness]:
    """A factory of harnesses: make_zfs_harness(directory)."""
    made: List[ZfsHarness] = []

    def make(directory: Path) -> ZfsHarness:
        directory.mkdir(exist_ok=True)
        made.append(ZfsHarness(pool, directory, lambda: Zfs(mounts)))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


@pytest.fixture
def zfs_harness(make_zfs_harness: MakeZfsHarness, tmp_path: Path) -> ZfsHarness:
    return make_zfs_harness(tmp_path)


@pytest.fixture
def two_zfs_harnesses(make_zfs_harness: MakeZfsHarness, tmp_path: Path) -> List[ZfsHarness]:
    return [make_zfs_harness(tmp_path / "one"), make_zfs_harness(tmp_path / "two")]


@pytest.fixture(params=STORAGES)
def harness(request: pytest.FixtureRequest) -> Harness:
    made: Harness = request.getfixturevalue(f"{request.param.replace('-', '_')}_harness")
    return made
