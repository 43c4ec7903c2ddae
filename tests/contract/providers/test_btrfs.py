"""Tests for btrfs only: subvolumes, and snapshots that are read-only on disk."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from math import inf
from pathlib import Path
from typing import Any, Callable, Optional
from uuid import UUID

import pytest

from fsrvpd.core import btrfs as core_btrfs
from fsrvpd.core import files, handles
from fsrvpd.core.descriptors import closing_fd
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import ReplacesWhenSealed, Snapshot
from fsrvpd.providers import gaps
from fsrvpd.providers.btrfs import subvolumes
from fsrvpd.providers.btrfs.dirty_bytes import dirty_bytes
from fsrvpd.providers.btrfs.provider import NOT_WORTH_A_SYNC
from fsrvpd.providers.catalog import own_directory
from fsrvpd.providers.catalog.volume import open_directory
from tests.contract.providers.conftest import MakeHarness
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import run, unmount


@pytest.fixture
def btrfs(make_harness: MakeHarness) -> Harness:
    return make_harness("btrfs", "btrfs", 256)


def subvolume(path: Path) -> Path:
    run("btrfs", "-q", "subvolume", "create", path)
    return path


def discard_unsealed(btrfs: Harness, snapshot: Snapshot) -> None:
    assert isinstance(btrfs.provider, ReplacesWhenSealed)
    btrfs.provider.discard_unsealed(snapshot)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def cannot_write(snapshot_path: str) -> bool:
    try:
        (Path(snapshot_path) / "new").touch()
    except OSError as error:
        return error.errno == errno.EROFS
    return False


def test_it_is_read_only_on_disk(btrfs: Harness) -> None:
    assert cannot_write(btrfs.take().share_path)


def test_sealing_makes_it_read_only_on_disk(btrfs: Harness) -> None:
    snapshot = btrfs.take(btrfs.request(writable=True))
    assert not cannot_write(snapshot.share_path)
    btrfs.provider.seal(snapshot)
    assert cannot_write(snapshot.share_path)


def test_who_holds_a_file_open_writes_into_no_sealed_snapshot(btrfs: Harness) -> None:
    (btrfs.directory / "file").write_text("first")
    snapshot = btrfs.take(btrfs.request(writable=True))
    file = Path(snapshot.share_path) / "file"
    with file.open("r+") as held, file.open("r") as reader:
        held.write("early")
        held.flush()
        btrfs.provider.seal(snapshot)
        discard_unsealed(btrfs, snapshot)
        held.write(" and late")
        held.flush()
        os.fsync(held.fileno())
        assert file.read_text() == "early"
        assert reader.read() == "early and late"
    btrfs.provider.delete(snapshot)
    assert btrfs.left_over() == []


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_crash_while_sealing_is_mended_by_sealing_or_deleting(
    btrfs: Harness, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """After the read-only snapshot, after the exchange, and after the sync."""
    steps = [(core_btrfs, "create_snapshot"), (handles, "exchange"), (files, "sync_file_system")]
    module, name = steps[after]
    real = getattr(module, name)

    def crash(*arguments: Any, **more: Any) -> None:
        real(*arguments, **more)
        raise KeyboardInterrupt

    for repair in ("seal", "delete"):
        snapshot = btrfs.take(btrfs.request(writable=True))
        (Path(snapshot.share_path) / "file").write_text("recovered")
        with monkeypatch.context() as patch:
            patch.setattr(module, name, crash)
            with pytest.raises(KeyboardInterrupt):
                btrfs.provider.seal(snapshot)
        assert len(btrfs.found()) == 1
        if repair == "seal":
            btrfs.provider.seal(snapshot)
            discard_unsealed(btrfs, snapshot)
            assert cannot_write(snapshot.share_path)
            assert (Path(snapshot.share_path) / "file").read_text() == "recovered"
            assert not list((btrfs.volume / ".fsrvpd").glob(".unsealed-*"))
        btrfs.provider.delete(snapshot)
        assert not list((btrfs.volume / ".fsrvpd").glob("*fsrvp-*"))
        assert btrfs.left_over() == []


def test_much_dirty_data_is_written_before_the_commit(btrfs: Harness) -> None:
    (btrfs.directory / "large").write_bytes(bytes(2 << 20))
    with open_directory(str(btrfs.volume)) as root:
        file_system = UUID(bytes=core_btrfs.file_system_uuid(root))
    before = dirty_bytes(file_system)
    assert NOT_WORTH_A_SYNC < before < inf
    btrfs.provider.prepare(btrfs.request())
    assert dirty_bytes(file_system) <= NOT_WORTH_A_SYNC


def test_the_volume_is_the_subvolume_that_holds_the_share(btrfs: Harness) -> None:
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


def test_the_volume_keeps_its_name_when_it_is_renamed(btrfs: Harness) -> None:
    inner = subvolume(btrfs.volume / "before")
    name = btrfs.provider.locate(str(inner))[0]
    inner.rename(btrfs.volume / "after")
    assert btrfs.provider.locate(str(btrfs.volume / "after"))[0] == name


def test_a_nested_subvolume_below_the_share_is_refused(btrfs: Harness) -> None:
    btrfs.take()
    nested = subvolume(btrfs.directory / "nested volume")
    assert str(nested) in str(btrfs.provider.supports(str(btrfs.directory)))
    assert str(nested) in str(btrfs.provider.supports(str(btrfs.volume)))
    beside = btrfs.volume / "beside"
    beside.mkdir()
    assert btrfs.provider.supports(str(beside)) is None


def test_a_directory_mounted_without_its_subvolume_is_refused(
    btrfs: Harness, tmp_path: Path
) -> None:
    window = tmp_path / "window"
    window.mkdir()
    run("mount", "--bind", btrfs.directory, window)
    reason = btrfs.provider.supports(str(window))
    unmount(window)
    assert str(window) in str(reason)
    assert "mount the subvolume itself" in str(reason)


def test_a_directory_mounted_inside_its_own_subvolume_is_refused(btrfs: Harness) -> None:
    """Its parent directories lead to the right subvolume root by the wrong path."""
    window = btrfs.volume / "window"
    window.mkdir()
    run("mount", "--bind", btrfs.directory, window)
    assert "mount the subvolume itself" in str(btrfs.provider.supports(str(window)))
    unmount(window)


def test_a_read_only_subvolume_is_refused(btrfs: Harness) -> None:
    run("btrfs", "property", "set", btrfs.volume, "ro", "true")
    assert "read-only" in str(btrfs.provider.supports(str(btrfs.directory)))
    run("btrfs", "property", "set", btrfs.volume, "ro", "false")


def test_a_subvolume_behind_a_path_of_any_length_goes_with_it(btrfs: Harness) -> None:
    """Both the kernel's answers and the paths that a process may name are shorter."""
    snapshot = btrfs.take(btrfs.request(writable=True))
    with ExitStack() as opened:

        def open_at(name: str, directory: Optional[int] = None) -> int:
            return opened.enter_context(closing_fd(os.open(name, os.O_RDONLY, dir_fd=directory)))

        here = open_at(snapshot.share_path)
        for number in range(20):
            name = f"{number:02}" + "ü" * 120
            os.mkdir(name, dir_fd=here)
            here = open_at(name, here)
            if number in (3, 18, 19):
                core_btrfs.create_subvolume(here, "inside")
                here = open_at("inside", here) if number == 18 else here
    btrfs.provider.seal(snapshot)
    btrfs.provider.delete(snapshot)
    assert btrfs.left_over() == []


def test_subvolumes_made_inside_go_with_it(btrfs: Harness) -> None:
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


def test_who_makes_subvolumes_all_the_time_does_not_keep_its_deletion_busy(
    btrfs: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = btrfs.take(btrfs.request(writable=True))
    stopped = threading.Event()
    held = os.open(snapshot.share_path, os.O_RDONLY)

    def make() -> None:
        for number in range(10_000):
            if stopped.is_set():
                return
            core_btrfs.create_subvolume(held, str(number))

    with closing_fd(held), ThreadPoolExecutor(3) as pool:
        made = pool.submit(make)
        wait_for(lambda: (Path(snapshot.share_path) / "9").exists())
        with monkeypatch.context() as patch:
            patch.setattr(subvolumes, "MOST", 20)
            deleted = pool.submit(btrfs.provider.delete, snapshot)
            try:
                with pytest.raises(StorageError, match="more subvolumes"):
                    deleted.result(timeout=10)
            finally:
                stopped.set()
        made.result()
    while btrfs.found():  # nothing is added any more, so that each attempt leaves fewer
        with suppress(StorageError):
            btrfs.provider.delete(snapshot)
    assert btrfs.left_over() == []


def test_a_directory_that_is_no_snapshot_is_not_deleted(btrfs: Harness) -> None:
    snapshot = btrfs.take()
    run("btrfs", "-q", "subvolume", "delete", snapshot.root)
    os.mkdir(snapshot.root)
    with pytest.raises(NotOurs, match="rm -r"):
        btrfs.provider.delete(snapshot)
    assert os.path.isdir(snapshot.root)
    os.rmdir(snapshot.root)
    btrfs.provider.delete(snapshot)
    assert btrfs.left_over() == []


def test_a_full_disk_fails_it_and_leaves_nothing(btrfs: Harness) -> None:
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


@pytest.mark.parametrize("flag", ["+i", "+a"])
def test_what_the_root_forbids_in_its_snapshots_is_deleted_all_the_same(
    btrfs: Harness, flag: str
) -> None:
    request = btrfs.request()
    btrfs.provider.prepare(request)
    run("chattr", flag, btrfs.volume)
    planned = btrfs.provider.plan(request)
    btrfs.provider.create(request, planned)
    run("chattr", flag.replace("+", "-"), btrfs.volume)
    btrfs.provider.delete(planned)
    assert btrfs.left_over() == []


def test_a_snapshot_that_an_admin_made_is_a_volume_of_its_own(btrfs: Harness) -> None:
    """It has the attribute of its original, and an empty place where that has `.fsrvpd`."""
    origin = subvolume(btrfs.volume / "origin")
    first = btrfs.take(btrfs.request(origin))
    run("btrfs", "-q", "subvolume", "snapshot", origin, btrfs.volume / "second")
    second = btrfs.take(btrfs.request(btrfs.volume / "second"))
    assert Path(second.root).parent == btrfs.volume / "second/.fsrvpd"
    btrfs.provider.delete(second)
    assert btrfs.provider.exists(first)
    btrfs.provider.delete(first)


def test_what_gets_the_name_of_our_directory_does_not_pass_for_it(btrfs: Harness) -> None:
    """A user who may rename in the root of the volume hides nobody's data from the backup."""
    btrfs.take(btrfs.request(btrfs.volume))
    run("btrfs", "-q", "subvolume", "create", btrfs.volume / "projects")
    os.rename(btrfs.volume / ".fsrvpd", btrfs.volume / "hidden")
    os.rename(btrfs.volume / "projects", btrfs.volume / ".fsrvpd")
    assert ".fsrvpd" in (btrfs.provider.recheck(str(btrfs.volume)) or "")


@pytest.mark.parametrize("renames", [1, 2, 5])
def test_our_directory_is_known_while_somebody_renames_it(
    btrfs: Harness, renames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time just after the kernel has said its path. Otherwise a user of the share could have
    every commit refused."""
    btrfs.take(btrfs.request(btrfs.volume))
    names = [".fsrvpd", *(f".fsrvpd.{number}" for number in range(renames))]
    steps = iter(zip(names, names[1:]))

    def is_own(root: int, path: str) -> bool:
        for old, new in steps:
            os.rename(btrfs.volume / old, btrfs.volume / new)
            break
        return own_directory.is_own(root, path)

    monkeypatch.setattr(gaps, "is_own", is_own)
    assert btrfs.provider.recheck(str(btrfs.volume)) is None
    assert next(steps, None) is None
