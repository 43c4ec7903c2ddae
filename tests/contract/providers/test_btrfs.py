"""What only btrfs has: subvolumes, snapshots that are read-only on disk."""

from __future__ import annotations

import errno
import os
import subprocess
from math import inf
from pathlib import Path
from uuid import UUID

import pytest

from fsrvpd.core import btrfs as core_btrfs
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.providers import ground
from fsrvpd.providers.btrfs import NOT_WORTH_A_SYNC
from fsrvpd.providers.unwritten import unwritten
from tests.contract.providers.bed import Bed
from tests.contract.providers.conftest import MakeBed
from tests.contract.providers.private_mounts import run, unmount


@pytest.fixture
def btrfs(make_bed: MakeBed) -> Bed:
    return make_bed("btrfs", "btrfs", 256)


def subvolume(path: Path) -> Path:
    run("btrfs", "-q", "subvolume", "create", path)
    return path


def cannot_write(snapshot_path: str) -> bool:
    try:
        (Path(snapshot_path) / "new").touch()
    except OSError as error:
        return error.errno == errno.EROFS
    return False


def test_it_is_read_only_on_disk(btrfs: Bed) -> None:
    assert cannot_write(btrfs.take().share_path)


def test_sealing_makes_it_read_only_on_disk(btrfs: Bed) -> None:
    snapshot = btrfs.take(btrfs.request(writable=True))
    assert not cannot_write(snapshot.share_path)
    btrfs.provider.seal(snapshot)
    assert cannot_write(snapshot.share_path)


def test_much_dirty_data_is_written_before_the_commit(btrfs: Bed) -> None:
    (btrfs.directory / "large").write_bytes(bytes(2 << 20))
    with ground.directory(str(btrfs.volume)) as root:
        file_system = UUID(bytes=core_btrfs.file_system_uuid(root))
    before = unwritten(file_system)
    assert NOT_WORTH_A_SYNC < before < inf
    btrfs.provider.prepare(btrfs.request())
    assert unwritten(file_system) <= NOT_WORTH_A_SYNC


def test_the_volume_is_the_subvolume_that_holds_the_share(btrfs: Bed) -> None:
    inner = subvolume(btrfs.volume / "inner volume")
    share = inner / "share"
    share.mkdir()
    (share / "file").write_text("x")
    name, root = btrfs.provider.locate(str(share))
    assert root == str(inner)
    assert name != btrfs.provider.locate(str(btrfs.directory))[0]
    snapshot = btrfs.take(btrfs.request(share))
    assert snapshot.root.startswith(f"{inner}/.fsrvpd/")
    assert (Path(snapshot.share_path) / "file").read_text() == "x"


def test_the_volume_keeps_its_name_when_it_is_renamed(btrfs: Bed) -> None:
    inner = subvolume(btrfs.volume / "before")
    name = btrfs.provider.locate(str(inner))[0]
    inner.rename(btrfs.volume / "after")
    assert btrfs.provider.locate(str(btrfs.volume / "after"))[0] == name


def test_a_nested_subvolume_below_the_share_is_refused(btrfs: Bed) -> None:
    btrfs.take()
    nested = subvolume(btrfs.directory / "nested volume")
    assert str(nested) in str(btrfs.provider.supports(str(btrfs.directory)))
    assert str(nested) in str(btrfs.provider.supports(str(btrfs.volume)))
    beside = btrfs.volume / "beside"
    beside.mkdir()
    assert btrfs.provider.supports(str(beside)) is None


def test_a_directory_mounted_without_its_subvolume_is_refused(btrfs: Bed, tmp_path: Path) -> None:
    window = tmp_path / "window"
    window.mkdir()
    run("mount", "--bind", btrfs.directory, window)
    reason = btrfs.provider.supports(str(window))
    unmount(window)
    assert str(window) in str(reason)
    assert "mount the subvolume itself" in str(reason)


def test_a_directory_mounted_inside_its_own_subvolume_is_refused(btrfs: Bed) -> None:
    """Walking up from there leads to the right root by the wrong path."""
    window = btrfs.volume / "window"
    window.mkdir()
    run("mount", "--bind", btrfs.directory, window)
    assert "mount the subvolume itself" in str(btrfs.provider.supports(str(window)))
    unmount(window)


def test_a_read_only_subvolume_is_refused(btrfs: Bed) -> None:
    run("btrfs", "property", "set", btrfs.volume, "ro", "true")
    assert "read-only" in str(btrfs.provider.supports(str(btrfs.directory)))
    run("btrfs", "property", "set", btrfs.volume, "ro", "false")


def test_subvolumes_made_inside_go_with_it(btrfs: Bed) -> None:
    snapshot = btrfs.take(btrfs.request(writable=True))
    inside = Path(snapshot.share_path)
    for place in (inside / "one", inside / "two"):
        subvolume(place)
        (place / "directory").mkdir()
        subvolume(place / "directory/inner")
        subvolume(place / "directory/inner/innermost")
    btrfs.provider.seal(snapshot)
    btrfs.provider.delete(snapshot)
    assert btrfs.left_over() == []


def test_a_directory_that_is_no_snapshot_is_not_deleted(btrfs: Bed) -> None:
    snapshot = btrfs.take()
    run("btrfs", "-q", "subvolume", "delete", snapshot.root)
    os.mkdir(snapshot.root)
    with pytest.raises(NotOurs):
        btrfs.provider.delete(snapshot)
    assert os.path.isdir(snapshot.root)


def test_a_full_disk_fails_it_and_leaves_nothing(btrfs: Bed) -> None:
    exhaust(btrfs.directory)
    with pytest.raises(StorageError) as caught:
        btrfs.take_many(2000)
    assert caught.value.out_of_space
    found = [found.snapshot for found in btrfs.found()]
    names = [path.name for path in (btrfs.volume / ".fsrvpd").iterdir() if path.name[0] != "."]
    assert sorted(names) == sorted(Path(snapshot.root).name for snapshot in found)
    for snapshot in found:
        btrfs.provider.delete(snapshot)
    assert btrfs.left_over() == []


def exhaust(directory: Path) -> None:
    """Fill data and metadata of the file system."""
    for size in (1 << 20, 1 << 16, 4096, 1000, 0):
        for number in range(1 << 20):
            try:
                (directory / f"{size} {number:0200}").write_bytes(b"x" * size)
            except OSError:
                break
        subprocess.run(["sync", "-f", directory], check=False)
