"""Mounts of shares' directories: what they permit, when they are made and when they end."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any, Optional

import pytest

from fsrvpd.core import bind_mounts
from fsrvpd.core.mounts import MountTable
from fsrvpd.errors import RegistryError, StorageError
from fsrvpd.exports import mounts
from fsrvpd.exports.mounts import Exports
from fsrvpd.protocol.exports import COPIES, Export
from fsrvpd.protocol.ports import Share, Snapshot
from fsrvpd.shares.changes import identity_and_handle_of
from tests.unit.exports.conftest import InPrivate

NAME = "fsrvp-{63636363-6363-6363-6363-636363636363}_GMT-2026.11.21-08.30.00"


class World:
    """A directory that is exported, and the one that it is a copy of."""

    def __init__(self, directory: Path) -> None:
        self.live, self.copy = directory / "live/share", directory / "copy"
        self.live.mkdir(parents=True)
        for above in (directory, *list(directory.parents)[:-1]):  # everybody may enter
            if above.stat().st_mode & 0o111 != 0o111:
                above.chmod(0o711)
        self.copy.mkdir()
        (self.copy / "file").write_text("content")
        self.root = directory / "run/shares"
        self.root.parent.mkdir()
        self.share: Optional[Share] = Share("data", str(self.live), False)
        self.exports = Exports(self._open, self._share, str(self.root))
        snapshot = Snapshot("btrfs", "btrfs:1", f"/vol/.fsrvpd/{NAME}", "", 1.0)
        self.export = Export(
            "data", str(self.live), "share", snapshot, handle=self.handle_of(self.live)
        )

    @property
    def place(self) -> Path:
        return self.root / self.export.key / COPIES / NAME

    def mode(self, share: str = "data") -> int:
        """Of the only gate."""
        key = self.root / self.export._replace(share=share).key
        return (key / os.readlink(key / COPIES)).parent.stat().st_mode

    @staticmethod
    def handle_of(directory: Path) -> str:
        return identity_and_handle_of(str(directory))[1]

    def _open(self, export: Export) -> int:
        return os.open(self.copy, os.O_RDONLY)

    def _share(self, name: str) -> Optional[Share]:
        if self.share is None:
            raise RegistryError("no answer")
        return self.share


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def options(place: Path) -> set[str]:
    table = MountTable.parse(Path("/proc/self/mountinfo").read_bytes())
    return set(table.lookup(os.path.realpath(place)).options)


def test_it_is_read_only_unless_writable(world: World, in_private_mounts: InPrivate) -> None:
    def test() -> None:
        world.exports.make(world.export._replace(writable=True))
        assert {"rw", "nosuid", "nodev"} <= options(world.place)
        (world.place / "new").touch()
        world.exports.make(world.export)
        assert {"ro", "nosuid", "nodev"} <= options(world.place)
        with pytest.raises(OSError, match="new") as refused:
            (world.place / "new").unlink()
        assert refused.value.errno == errno.EROFS
        (world.copy / "new").unlink()  # elsewhere it is as it was

    in_private_mounts(test)


def test_writing_ends_when_what_was_open_is_closed(
    world: World, in_private_mounts: InPrivate
) -> None:
    def test() -> None:
        world.exports.end_writing([world.export])  # it is not mounted
        world.exports.make(world.export._replace(writable=True))
        with (world.place / "held").open("w") as held:
            timer = threading.Timer(0.1, held.close)
            timer.start()
            world.exports.end_writing([world.export])
            assert held.closed
        assert {"ro", "nosuid", "nodev"} <= options(world.place)
        world.exports.end_writing([world.export])

    in_private_mounts(test)


def test_a_process_that_goes_on_writing_is_waited_for_once(
    world: World,
    in_private_mounts: InPrivate,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(mounts, "LONGEST_WAIT", 0.05)

    def test() -> None:
        world.exports.make(world.export._replace(writable=True))
        with (world.place / "held").open("w"):
            world.exports.end_writing([world.export])
            assert "has a file open for writing" in caplog.text
            world.exports.make(world.export, again=True)
        assert "ro" in options(world.place)

    in_private_mounts(test)


def test_it_is_replaced_when_another_snapshot_has_its_place(
    world: World, in_private_mounts: InPrivate
) -> None:
    def test() -> None:
        world.exports.make(world.export)
        world.copy.rename(world.copy.with_name("before"))
        world.copy.mkdir()
        world.exports.make(world.export)
        assert (world.place / "file").exists()
        world.exports.make(world.export, again=True)
        assert not (world.place / "file").exists()

    in_private_mounts(test)


def test_nothing_moves_into_it(world: World, in_private_mounts: InPrivate) -> None:
    def test() -> None:
        world.exports.make(world.export._replace(writable=True))
        (world.live / "mine").mkdir()
        (world.live / "other").touch()
        for call, name in ((os.rename, "mine"), (os.link, "other")):
            with pytest.raises(OSError, match=name) as refused:
                call(world.live / name, world.place / name)
            assert refused.value.errno == errno.EXDEV

    in_private_mounts(test)


def test_it_is_made_once_and_removed_once(world: World, in_private_mounts: InPrivate) -> None:
    def test() -> None:
        for _ in range(2):
            world.exports.make(world.export)
        assert (world.place / "file").read_text() == "content"
        assert world.exports.mounted() == [str(world.place)]
        Exports(world._open, world._share, str(world.root)).make(world.export)  # a restart
        for _ in range(2):
            world.exports.remove(world.export)
        assert world.exports.mounted() == []
        assert "live/share" not in Path("/proc/self/mountinfo").read_text()

    in_private_mounts(test)


@pytest.mark.parametrize(("module", "name"), [(bind_mounts, "detach"), (os, "open")])
def test_what_is_made_or_left_later_is_removed_with_its_snapshot(
    world: World,
    in_private_mounts: InPrivate,
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    name: str,
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(errno.EPERM, "")

    def test() -> None:
        world.exports.remove_snapshot(world.export.snapshot)  # asks all shares
        for share in ("data", "other"):
            world.exports.make(world.export._replace(share=share))
        with monkeypatch.context() as context:
            context.setattr(module, name, fail)
            with pytest.raises(StorageError, match="not permitted"):
                world.exports.remove(world.export)
        world.exports.remove_snapshot(world.export.snapshot)
        assert world.exports.mounted() == []

    in_private_mounts(test)


def test_what_somebody_reads_is_not_removed_where_it_must_be_unused(
    world: World, in_private_mounts: InPrivate
) -> None:
    def test() -> None:
        world.exports.make(world.export)
        with (world.place / "file").open():
            assert not world.exports.remove_unused(world.export.snapshot)
            assert (world.place / "file").exists()
        assert world.exports.remove_unused(world.export.snapshot)
        assert not world.place.exists()
        assert world.exports.remove_unused(world.export.snapshot)

    in_private_mounts(test)


def test_all_exports_of_a_snapshot_are_removed(world: World, in_private_mounts: InPrivate) -> None:
    def test() -> None:
        other = world.export.snapshot._replace(root=f"/vol/.fsrvpd/{NAME[:-1]}1")
        for export in (
            world.export,
            world.export._replace(share="other"),
            world.export._replace(snapshot=other),
        ):
            world.exports.make(export)
        world.exports.remove_snapshot(world.export.snapshot)
        [left] = world.exports.mounted()
        assert left == str(world.place)[:-1] + "1"
        world.exports.remove_mount(left)
        assert world.exports.mounted() == []

    in_private_mounts(test)


def test_users_list_it_when_the_share_says_so(world: World, in_private_mounts: InPrivate) -> None:
    def test() -> None:
        for previous_versions, mode in (("no", 0o711), ("yes", 0o755), ("no", 0o711)):
            options = {"previous versions": previous_versions}
            world.share = Share("data", str(world.live), False, options=options)
            world.exports.make(world.export)
            assert world.place.parent.stat().st_mode & 0o777 == mode

    in_private_mounts(test)


def test_who_cannot_pass_the_live_directories_does_not_pass_here(
    world: World, in_private_mounts: InPrivate
) -> None:
    def test() -> None:
        world.live.parent.chmod(0o710)
        os.chown(world.live.parent, 0, 4321)
        world.exports.make(world.export)
        place = world.root / world.export.key / os.readlink(world.place.parent)
        passed = [each.stat() for each in place.parents][: -len(world.root.parents) - 2]
        assert (4321, 0o710) in [(each.st_gid, each.st_mode & 0o777) for each in passed]

    in_private_mounts(test)


@pytest.mark.parametrize("why", ["gone", "moved", "renumbered", "replaced", "nobody", "unknown"])
def test_the_gate_is_closed_when_the_way_is_unknown(
    world: World, in_private_mounts: InPrivate, why: str
) -> None:
    def test() -> None:
        world.exports.make(world.export._replace(share="other"))
        assert world.mode("other") & 0o777 == 0o711
        if why == "gone":
            world.live.rename(world.copy / "away")
        elif why == "moved":
            world.live.rmdir()
            world.live.symlink_to(world.copy)
        elif why == "replaced":
            world.live.rename(world.copy / "away")
            world.live.mkdir()
        elif why == "nobody":
            world.export = world.export._replace(handle="")
        elif why == "renumbered":
            status = world.live.stat()
            identity = status.st_dev, status.st_ino + 1
            world.export = world.export._replace(identity=identity, handle="")
        else:
            world.export = world.export._replace(directory="")
        world.exports.make(world.export)
        assert world.mode() & 0o777 == 0o700

    in_private_mounts(test)


def test_what_a_crash_left_half_made_is_removed(world: World, in_private_mounts: InPrivate) -> None:
    def test() -> None:
        world.exports.make(world.export)
        staged = world.root / ".staging/mount"
        bind_mounts.bind(str(world.copy), str(staged))
        again = Exports(world._open, world._share, str(world.root))
        again.make(world.export._replace(share="other"))
        assert not (staged / "file").exists()
        assert (world.place / "file").exists()

    in_private_mounts(test)


def test_a_share_that_cannot_be_opened_is_the_callers_error(world: World) -> None:
    def open_share(export: Export) -> int:
        raise StorageError("/vol", "gone")

    exports = Exports(open_share, world._share, str(world.root))
    with pytest.raises(StorageError, match="gone"):
        exports.make(world.export)
    assert exports.mounted() == []


def test_a_mount_point_without_a_mount_is_none(world: World, in_private_mounts: InPrivate) -> None:
    """As a crash leaves it between a mount that is removed and the one that takes its place."""

    def test() -> None:
        world.exports.make(world.export)
        bind_mounts.detach(str(world.place))
        assert world.exports.mounted() == []
        assert not world.place.exists()
        world.exports.make(world.export)
        assert world.exports.mounted() == [str(world.place)]

    in_private_mounts(test)


def test_a_crash_or_a_umask_closes_no_directory_for_good(
    world: World, in_private_mounts: InPrivate
) -> None:
    def test() -> None:
        world.exports.make(world.export)
        directories = world.root.parent, world.root, world.root / world.export.key
        for each in directories:
            each.chmod(0o700)
        Exports(world._open, world._share, str(world.root)).make(world.export)
        assert [each.stat().st_mode & 0o777 for each in directories] == [0o711] * 3

    in_private_mounts(test)


def test_no_other_export_waits_for_storage_that_does_not_answer(
    world: World, in_private_mounts: InPrivate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def test() -> None:
        ask, waited = os.fstatvfs, []

        def fstatvfs(file: int) -> os.statvfs_result:
            waited.append(world.exports._lock.locked())
            return ask(file)

        monkeypatch.setattr(os, "fstatvfs", fstatvfs)
        world.exports.make(world.export._replace(writable=True))
        world.exports.make(world.export)
        assert "ro" in options(world.place)
        assert waited == [False, False]

    in_private_mounts(test)


def test_one_that_is_removed_meanwhile_hides_no_other(
    world: World, in_private_mounts: InPrivate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def test() -> None:
        for number in range(2):
            snapshot = world.export.snapshot._replace(root=f"/vol/.fsrvpd/{NAME[:-1]}{number}")
            world.exports.make(world.export._replace(snapshot=snapshot))
        first, second = world.exports.mounted()
        bind_mounts.detach(first)
        remove = os.rmdir

        def remove_twice(*place: Any, **directory: Any) -> None:
            for _ in range(2):
                remove(*place, **directory)

        monkeypatch.setattr(os, "rmdir", remove_twice)
        assert world.exports.mounted() == [second]

    in_private_mounts(test)
