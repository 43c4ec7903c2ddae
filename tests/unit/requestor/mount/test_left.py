"""What becomes of mounts: nothing is really mounted here."""

from __future__ import annotations

import os
from errno import EBUSY
from pathlib import Path
from typing import List, Optional

import pytest

from fsrvpd.core.messages import new_guid
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount import kernel, left
from fsrvpd.requestor.mount.kernel import Mounted
from fsrvpd.requestor.mount.problems import Problems
from fsrvpd.requestor.state.mounts import MountFiles, MountRecord


class World:
    """A table of mounts that tests may change."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = MountFiles(directory / "state")
        self.mounted: List[Path] = []
        self.busy = False

    def add(self, name: str, *, by_cifs: bool = False, kept: bool = False) -> MountRecord:
        point = self.directory / "mnt" / "job" / name
        point.mkdir(parents=True)
        record = MountRecord(str(point), "job", new_guid(), r"\\nas\x", by_cifs, kept, 0)
        self.store.write(record)
        self.mounted.append(point)
        return record

    def mounted_at(self, point: Path) -> Optional[Mounted]:
        return Mounted(kernel.FUSE, "0:1") if point in self.mounted else None

    def unmount(self, point: Path, *, detach: bool = False) -> None:
        if self.busy and not detach:
            raise OSError(EBUSY, "busy")
        self.mounted.remove(point)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setattr(kernel, "mounted_at", made.mounted_at)
    monkeypatch.setattr(kernel, "unmount", made.unmount)
    return made


def test_what_nobody_serves_is_unmounted(world: World) -> None:
    dead, gone = world.add("dead"), world.add("gone", kept=True)
    world.mounted.remove(Path(gone.point))
    found = left.unmount_left(world.store, world.store.records())
    assert set(found.removed) == {dead, gone}
    assert world.mounted == []
    assert world.store.records() == [dead, gone], "they are forgotten last"
    assert not Path(dead.point).parent.exists()


def test_a_dry_run_changes_nothing(world: World) -> None:
    dead = world.add("dead")
    assert left.unmount_left(world.store, world.store.records(), dry_run=True).removed == (dead,)
    assert world.mounted == [Path(dead.point)]
    assert world.store.records() == [dead]


def test_what_somebody_serves_stays(world: World) -> None:
    served = world.add("served")
    by_kernel = world.add("by-kernel", by_cifs=True, kept=True)
    with world.store.lock(Path(served.point)) as lock:
        assert lock.acquire()
        found = left.unmount_left(world.store, world.store.records())
    assert set(found.in_use) == {served, by_kernel}
    assert len(world.mounted) == 2


def test_what_cannot_be_unmounted_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = world.add("dead")

    def fail(point: Path) -> None:
        raise RequestorError(str(point), "it cannot be unmounted", "look")

    monkeypatch.setattr(kernel, "detach_all", fail)
    [each] = left.unmount_left(world.store, world.store.records()).left
    assert each.record == dead
    assert world.store.records() == [dead]


def test_a_kept_mount_is_ended(world: World) -> None:
    kept = world.add("kept", kept=True)
    Problems(world.store.problems_file(kept)).add("link", "a")
    assert left.unmount(world.store, kept).counts == {"link": 1}
    assert world.mounted == []
    assert world.store.records() == [kept], "it is forgotten last"
    left.forget(world.store, kept)
    assert world.store.records() == []


def test_a_mount_that_has_taken_the_place_of_another_one_stays(world: World) -> None:
    earlier = world.add("kept", kept=True)
    later = earlier._replace(set_id=new_guid())
    world.store.write(later)
    left.forget(world.store, earlier)
    assert world.store.records() == [later]
    found = left.unmount_left(world.store, [earlier])
    assert found == ((), (), ())
    assert world.mounted == [Path(later.point)]


def test_one_that_is_in_use_is_ended_by_force_only(world: World) -> None:
    kept = world.add("kept", kept=True)
    world.busy = True
    with pytest.raises(RequestorError, match="--force") as raised:
        left.unmount(world.store, kept)
    assert raised.value.exit_status == 4
    assert world.store.records() == [kept]
    left.unmount(world.store, kept, force=True)
    assert world.mounted == []


def test_mounts_are_named_by_job_or_path(world: World) -> None:
    one, two = world.add("one"), world.add("two")
    records = [one, two]
    assert left.of(records, "job") == records
    assert left.of(records, one.point) == [one]
    assert left.of(records, str(Path(one.point).parent)) == records
    assert left.of(records, "other") == []


def test_force_ends_no_process_but_that_of_the_mount(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 is the number of a mount that is being made, and of our own group; others are reused."""
    killed: List[int] = []
    monkeypatch.setattr(left, "_LONGEST_END", 0.0)
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(pid))
    kept = world.add("kept", kept=True)
    for pid in (0, -1, os.getpid(), 2**22 + 1):
        with world.store.lock(Path(kept.point)) as lock:
            assert lock.acquire()
            with pytest.raises(RequestorError, match="does not end"):
                left.unmount(world.store, kept._replace(pid=pid), force=True)
    assert killed == []
