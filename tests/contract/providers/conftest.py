from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, Iterator

import pytest

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.protocol.ports import Provider
from fsrvpd.providers.btrfs import Btrfs
from fsrvpd.providers.reflink import Reflink
from tests.contract.providers import private_mounts
from tests.contract.providers.bed import Bed

MakeVolume = Callable[..., Path]
MakeBed = Callable[..., Bed]
PROVIDERS: Dict[str, Callable[[LiveMounts], Provider]] = {"btrfs": Btrfs, "reflink": Reflink}
KINDS = {"btrfs": "btrfs", "reflink": "xfs"}


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


@pytest.fixture(params=sorted(KINDS))
def bed(request: pytest.FixtureRequest, make_bed: MakeBed) -> Bed:
    return make_bed(request.param, KINDS[request.param])
