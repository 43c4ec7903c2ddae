from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Sequence

import pytest

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.protocol.ports import Provider
from fsrvpd.providers.btrfs import Btrfs
from fsrvpd.providers.cephfs import CephFs
from fsrvpd.providers.command import Command
from fsrvpd.providers.lvm import Lvm
from fsrvpd.providers.reflink import Reflink
from fsrvpd.providers.zfs import Zfs
from tests.contract.providers import private_mounts
from tests.contract.providers.bed import Bed
from tests.contract.providers.ceph_bed import CephBed
from tests.contract.providers.command_bed import CommandBed
from tests.contract.providers.lvm_bed import LvmBed, VolumeGroup
from tests.contract.providers.zfs_bed import Pool, ZfsBed
from tests.platform import ceph
from tests.platform.ceph import Cluster

MakeVolume = Callable[..., Path]
MakeBed = Callable[..., Bed]
MakeLvmBed = Callable[[str, Path], LvmBed]
MakeZfsBed = Callable[[Path], ZfsBed]
PROVIDERS: Dict[str, Callable[[LiveMounts], Provider]] = {"btrfs": Btrfs, "reflink": Reflink}
# Everywhere there are btrfs and XFS. Others need what tests/platform prepares, and says.
BEDS = os.environ.get("FSRVPD_TEST_BEDS", "btrfs,reflink,command").split(",")
collect_ignore = [
    *([] if {"lvm-xfs", "zfs"} & {*BEDS} else ["test_several_volumes.py"]),
    *([] if "lvm-xfs" in BEDS else ["test_lvm.py"]),
    *([] if "zfs" in BEDS else ["test_zfs.py"]),
]
HOMES = ["btrfs", "reflink", "cephfs"]


def chosen(beds: Sequence[str]) -> List[str]:
    """Those of the beds that this run is to use."""
    return [bed for bed in beds if bed in BEDS]


@pytest.fixture(scope="session")
def _private_mounts() -> None:
    private_mounts.enter()


@pytest.fixture
def make_volume(_private_mounts: None, tmp_path: Path) -> Iterator[MakeVolume]:
    """Makes file systems: make_volume(kind, name, mebibytes)."""
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
def make_bed(mounts: LiveMounts, make_volume: MakeVolume) -> MakeBed:
    """Makes beds: make_bed(provider, kind, mebibytes)."""

    def make(name: str, kind: str, mebibytes: int = 512) -> Bed:
        volume = make_volume(kind, "große Platte", mebibytes)
        return Bed(lambda: PROVIDERS[name](mounts), volume)

    return make


@pytest.fixture
def btrfs_bed(make_bed: MakeBed) -> Bed:
    return make_bed("btrfs", "btrfs")


@pytest.fixture
def reflink_bed(make_bed: MakeBed) -> Bed:
    bed = make_bed("reflink", "xfs")
    bed.one_moment = False  # each file is of a moment of its own
    return bed


@pytest.fixture
def command_bed(
    make_volume: MakeVolume, mounts: LiveMounts, tmp_path: Path
) -> Iterator[CommandBed]:
    volume = make_volume("btrfs", "große Platte")
    place = tmp_path / "run"
    bed = CommandBed(
        volume, tmp_path, place, lambda options, at: Command(mounts, options, at, str(place))
    )
    yield bed
    bed.close()


@pytest.fixture(scope="session")
def cluster(_private_mounts: None) -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(ceph.programs(), Path(directory))
        cluster.start()
        yield cluster
        cluster.close()


@pytest.fixture
def cephfs_bed(cluster: Cluster, mounts: LiveMounts) -> Iterator[Bed]:
    bed = CephBed(cluster, lambda: CephFs(mounts))
    yield bed
    cluster.unmount(bed.volume)


@pytest.fixture(scope="session")
def volume_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VolumeGroup]:
    group = VolumeGroup(tmp_path_factory.mktemp("group"), "fsrvpdtest")
    yield group
    group.close()


@pytest.fixture
def make_lvm_bed(volume_group: VolumeGroup, mounts: LiveMounts) -> Iterator[MakeLvmBed]:
    """Makes beds: make_lvm_bed(kind of file system, directory)."""
    made: List[LvmBed] = []

    def make(kind: str, directory: Path) -> LvmBed:
        directory.mkdir(exist_ok=True)
        made.append(LvmBed(volume_group, kind, directory, lambda: Lvm(mounts)))
        return made[-1]

    yield make
    for bed in made:
        bed.close()


@pytest.fixture
def lvm_xfs_bed(make_lvm_bed: MakeLvmBed, tmp_path: Path) -> LvmBed:
    return make_lvm_bed("xfs", tmp_path)


@pytest.fixture
def lvm_ext4_bed(make_lvm_bed: MakeLvmBed, tmp_path: Path) -> LvmBed:
    return make_lvm_bed("ext4", tmp_path)


@pytest.fixture
def two_lvm_beds(make_lvm_bed: MakeLvmBed, tmp_path: Path) -> List[LvmBed]:
    return [make_lvm_bed("xfs", tmp_path / "one"), make_lvm_bed("ext4", tmp_path / "two")]


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    pool = Pool(tmp_path_factory.mktemp("pool"), "fsrvpdtest")
    yield pool
    pool.close()


@pytest.fixture
def make_zfs_bed(pool: Pool, mounts: LiveMounts) -> Iterator[MakeZfsBed]:
    """Makes beds: make_zfs_bed(directory)."""
    made: List[ZfsBed] = []

    def make(directory: Path) -> ZfsBed:
        directory.mkdir(exist_ok=True)
        made.append(ZfsBed(pool, directory, lambda: Zfs(mounts)))
        return made[-1]

    yield make
    for bed in made:
        bed.close()


@pytest.fixture
def zfs_bed(make_zfs_bed: MakeZfsBed, tmp_path: Path) -> ZfsBed:
    return make_zfs_bed(tmp_path)


@pytest.fixture
def two_zfs_beds(make_zfs_bed: MakeZfsBed, tmp_path: Path) -> List[ZfsBed]:
    return [make_zfs_bed(tmp_path / "one"), make_zfs_bed(tmp_path / "two")]


@pytest.fixture(params=BEDS)
def bed(request: pytest.FixtureRequest) -> Bed:
    made: Bed = request.getfixturevalue(f"{request.param.replace('-', '_')}_bed")
    return made
