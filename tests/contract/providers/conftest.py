from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator

import pytest

from fsrvpd.protocol.ports import Provider
from fsrvpd.providers.btrfs import Btrfs
from fsrvpd.providers.reflink import Reflink
from tests.contract.providers import private_mounts
from tests.contract.providers.bed import Bed
from tests.contract.providers.mount_table import Mounts

MakeVolume = Callable[..., Path]
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


def new_provider(name: str) -> Provider:
    return {"btrfs": Btrfs, "reflink": Reflink}[name](Mounts())


@pytest.fixture(params=sorted(KINDS))
def bed(request: pytest.FixtureRequest, make_volume: MakeVolume) -> Bed:
    return Bed(new_provider(request.param), make_volume(KINDS[request.param], "große Platte"))
