"""What a copy may lack: never the one place of anybody's data, whatever users call it.

Users of btrfs can make subvolumes and snapshots, and make those that they own writable and
read-only again. Whoever may write to a directory can rename what is in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, List

import pytest

from fsrvpd.core import btrfs as core_btrfs
from fsrvpd.core.descriptors import closing_fd
from fsrvpd.protocol.ports import LeavesOut
from tests.contract.providers.conftest import MakeHarness
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import output, run, unmount

GMT = "@GMT-2026.01.02-03.04.05"


@pytest.fixture(params=["btrfs", "reflink"])
def harness(request: pytest.FixtureRequest, make_harness: MakeHarness) -> Harness:
    """Of a share that is open to all users, and is no root of a volume."""
    made = make_harness(request.param, "btrfs", 256)
    made.directory.chmod(0o777)
    return made


def subvolume(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    run("btrfs", "-q", "subvolume", "create", path)
    (path / "data").write_text("precious")
    return path


def snapshot(source: Path, to: Path, *flags: str) -> Path:
    run("btrfs", "-q", "subvolume", "snapshot", *flags, source, to)
    return to


def seal(path: Path) -> None:
    with closing_fd(os.open(path, os.O_RDONLY)) as fd:
        core_btrfs.set_read_only(fd, True)


def snappers(home: Path, source: Path) -> Path:
    run("btrfs", "-q", "subvolume", "create", home)
    for number in ("1", "2"):
        (home / number).mkdir()
        (home / number / "info.xml").touch()
        snapshot(source, home / number / "snapshot", "-r")
    return home


def obstacle(harness: Harness, *ignored: str) -> str:
    """The reason of both calls, which is the same."""
    path = str(harness.directory)
    reason = harness.provider.supports(path, ignored)
    assert harness.provider.recheck(path, ignored) == reason
    return reason or ""


def left_out(harness: Harness, *ignored: str) -> List[str]:
    assert isinstance(harness.provider, LeavesOut)
    found = harness.provider.left_out(str(harness.directory), ignored)
    return [os.path.relpath(each.path, harness.directory) for each in found]


def test_a_snapshot_of_the_volume_that_nobody_changed(harness: Harness) -> None:
    snapshot(harness.volume, harness.directory / "any name", "-r")
    assert not obstacle(harness)
    assert left_out(harness) == ["any name"]
    taken = harness.take()
    assert not list(Path(taken.share_path).glob("any name/*"))


def data(path: Path, source: Path) -> None:
    subvolume(path)


def writable(path: Path, source: Path) -> None:
    snapshot(source, path)


def changed_and_sealed(path: Path, source: Path) -> None:
    """Somebody makes a snapshot, lets others write to it, and then looks harmless."""
    snapshot(source, path)
    (path / "data").write_text("precious")
    run("sync", "-f", path)
    seal(path)


def just_changed_and_sealed(path: Path, source: Path) -> None:
    """The change is in a transaction that is not yet on disk."""
    snapshot(source, path)
    (path / "data").write_text("precious")
    seal(path)


def sealed_data(path: Path, source: Path) -> None:
    seal(subvolume(path))


def snapshot_of_something_else(path: Path, source: Path) -> None:
    snapshot(source, path, "-r")


@pytest.mark.parametrize(
    "make",
    [
        *(data, writable, changed_and_sealed, just_changed_and_sealed, sealed_data),
        snapshot_of_something_else,
    ],
)
def test_whatever_may_be_data_is_an_obstacle(
    harness: Harness, make: Callable[[Path, Path], None]
) -> None:
    for number, name in enumerate(("projects", GMT, ".snapshots", ".fsrvpd", "timeshift")):
        path, elsewhere = harness.directory / name, harness.volume / str(number)
        make(path, subvolume(elsewhere) if make is snapshot_of_something_else else harness.volume)
        assert f"{path} would be missing" in obstacle(harness)
        assert left_out(harness) == []
        run("btrfs", "-q", "subvolume", "delete", path)


def test_the_directory_of_snapper(harness: Harness) -> None:
    home = snappers(harness.directory / ".snapshots", harness.volume)
    (home / "3").mkdir()  # it is being made
    (home / "3" / "info.xml.tmp-1").touch()
    assert not obstacle(harness)
    assert left_out(harness) == [".snapshots"]


def open_to_users(home: Path) -> None:
    home.chmod(0o777)


def of_a_user(home: Path) -> None:
    os.chown(home, 1234, -1)


def number_open_to_users(home: Path) -> None:
    (home / "1").chmod(0o777)


def other_directory(home: Path) -> None:
    (home / "reports").mkdir()


def year_of_data(home: Path) -> None:
    (home / "2026").mkdir()
    (home / "2026" / "report").write_text("precious")


def plain_snapshot(home: Path) -> None:
    (home / "2026" / "snapshot").mkdir(parents=True)


@pytest.mark.parametrize(
    "change",
    [
        *(open_to_users, of_a_user, number_open_to_users, other_directory),
        *(year_of_data, plain_snapshot),
    ],
)
def test_what_was_renamed_to_the_name_of_snappers(
    harness: Harness, change: Callable[[Path], None]
) -> None:
    """A user can rename a subvolume of root's that holds everybody's data."""
    change(snappers(harness.directory / ".snapshots", harness.volume))
    assert ".snapshots would be missing" in obstacle(harness)


def test_a_named_path_counts_where_only_root_gives_names(harness: Harness) -> None:
    layer = subvolume(harness.directory / "docker" / "layers" / "4f1c")
    number = output("btrfs", "inspect-internal", "rootid", layer).strip()
    assert "ignore subvolumes = docker/layers/4f1c" in obstacle(harness)
    assert f"chmod +t '{harness.directory}'" in obstacle(harness, "docker")
    assert f"ignore subvolumes = {number}" in obstacle(harness, "docker")
    assert not obstacle(harness, number)
    assert obstacle(harness, "4f1c")
    assert obstacle(harness, "dock")
    harness.directory.chmod(0o1777)
    for named in ("docker", "docker/layers", "docker/layers/4f1c"):
        assert not obstacle(harness, "other", named)
        assert left_out(harness, named) == ["docker/layers/4f1c"]
    os.chown(harness.directory / "docker", 1234, -1)
    assert f"what is in {harness.directory}, so" in obstacle(harness, "docker")
    harness.directory.chmod(0o755)
    assert not obstacle(harness, "docker")
    assert f"what is in {harness.directory}/docker, so" in obstacle(harness, "docker/layers")
    taken = harness.take(harness.request(options={"ignore subvolumes": "docker"}))
    assert not (Path(taken.share_path) / "docker" / "layers" / "4f1c" / "data").exists()


def test_a_mount_is_a_snapshot_only_if_root_says_so(harness: Harness) -> None:
    for name, options in ((GMT, "ro"), (GMT, "rw"), ("iso", "ro")):
        place = harness.directory / name
        place.mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", options, "tmpfs", place)
        is_snapshot = (name, options) == (GMT, "ro")
        assert (f"{place} would be missing" in obstacle(harness)) == (not is_snapshot)
        assert left_out(harness) == ([name] if is_snapshot else [])
        unmount(place)


def test_a_snapshot_of_the_volume_that_is_mounted(harness: Harness) -> None:
    old = snapshot(harness.volume, harness.volume / "old", "-r")
    place = harness.directory / "previous"
    place.mkdir()
    device = output("findmnt", "-n", "-o", "SOURCE", harness.volume).strip()
    run("mount", "-o", "ro,subvol=/old", device, place)
    assert not obstacle(harness)
    assert left_out(harness) == ["previous"]
    harness.take()
    unmount(place)
    subvolume(harness.volume / "other")
    run("mount", "-o", "ro,subvol=/other", device, place)
    assert f"{place} would be missing" in obstacle(harness)
    unmount(place)
    assert old.is_dir()
