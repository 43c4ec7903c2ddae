"""Which file system a device holds, and how it is mounted. Mounting itself is proved by the
contract of the providers for LVM and of `command`."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence

import pytest

from fsrvpd.errors import StorageError
from fsrvpd.providers import mounting
from fsrvpd.providers.mounting import KINDS, bind, mount, mount_options

SUPERBLOCKS = {"xfs": b"XFSB".ljust(2048, b"\0"), "ext4": bytes(1024 + 56) + b"\x53\xef"}


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> List[Sequence[str]]:
    """The commands that would have been run."""
    ran: List[Sequence[str]] = []

    def run(argv: Sequence[str], object: str) -> str:
        ran.append(argv)
        return ""

    monkeypatch.setattr(mounting, "run", run)
    return ran


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("writable", [False, True])
def test_users_get_neither_devices_nor_set_user_id(kind: str, writable: bool) -> None:
    options = mount_options(kind, writable).split(",")
    assert {"nodev", "nosuid"} <= set(options)
    assert ("rw" if writable else "ro") in options


def test_a_read_only_snapshot_is_mounted_without_its_journal() -> None:
    assert "norecovery" in mount_options("xfs", writable=False)
    assert "noload" in mount_options("ext4", writable=False)
    assert "norecovery" not in mount_options("xfs", writable=True)


def test_xfs_is_mounted_beside_its_origin() -> None:
    """Which has the same UUID."""
    assert all("nouuid" in mount_options("xfs", writable) for writable in (False, True))


@pytest.mark.parametrize("kind", KINDS)
def test_mount_finds_the_kind_of_file_system(
    tmp_path: Path, commands: List[Sequence[str]], kind: str
) -> None:
    device = tmp_path / "device"
    device.write_bytes(SUPERBLOCKS[kind])
    point = tmp_path / "run/volume/snapshot"
    mount(str(device), str(point), writable=False)
    assert commands == [
        ["mount", "-t", kind, "-o", mount_options(kind, False), str(device), str(point)]
    ]
    assert point.is_dir()


def test_mount_refuses_other_file_systems(tmp_path: Path, commands: List[Sequence[str]]) -> None:
    device = tmp_path / "device"
    device.write_bytes(bytes(4096))
    with pytest.raises(StorageError, match="neither XFS nor ext4"):
        mount(str(device), str(tmp_path / "point"), writable=False)
    assert commands == []


def test_bind_mounts_are_read_only_unless_writable(
    tmp_path: Path, commands: List[Sequence[str]]
) -> None:
    for writable in (False, True):
        bind("/snapshot", str(tmp_path / "point"), writable=writable)
    assert [argv[2] for argv in commands] == ["bind,nodev,nosuid,ro", "bind,nodev,nosuid,rw"]


def test_users_reach_no_mount_point(tmp_path: Path, commands: List[Sequence[str]]) -> None:
    directory = tmp_path / "lvm/volume"
    directory.mkdir(0o755, parents=True)  # as an earlier version left it
    bind("/snapshot", str(directory / "point"), writable=False)
    assert [each.stat().st_mode & 0o777 for each in (directory, directory / "point")] == [0o700] * 2
    bind("/snapshot", str(tmp_path / "command/share/point"), writable=False)
    assert (tmp_path / "command").stat().st_mode & 0o777 == 0o700
