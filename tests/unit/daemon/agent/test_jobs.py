"""A job succeeds completely or undoes what it did, and always has exactly one outcome."""

from __future__ import annotations

import errno
import os
import threading
import uuid
from typing import Any, Iterator, Optional, Sequence

import pytest

from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.daemon.agent.jobs import MOST_OF_STORAGE, JobRunner
from fsrvpd.errors import RegistryError, StorageError
from fsrvpd.protocol.actions import (
    Commit,
    Conclude,
    Expose,
    Failed,
    Outcome,
    Prepare,
    RecreateShares,
    Remove,
    Seal,
    Succeeded,
)
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import (
    FoundSnapshot,
    ShadowShare,
    Share,
    ShareLocation,
    Snapshot,
    SnapshotRequest,
)

SET: Guid = uuid.uuid4().bytes_le
SET_ID = format_guid(SET)


def request(name: str, provider: str = "single") -> SnapshotRequest:
    share = Share(name, f"/vol/{name}", False)
    location = ShareLocation(share, f"volume:{name}", f"/vol/{name}", provider, f"/vol/{name}")
    return SnapshotRequest(SET_ID, name, location, False, 1.8e9, "NAS")


def snapshot(name: str, provider: str = "single") -> Snapshot:
    return Snapshot(provider, f"volume:{name}", f"/vol/{name}/.s", f"/vol/{name}/.s", 1.8e9)


class World:
    """Providers `single` and `group`, the registry, and the calls to them, in order."""

    def __init__(self) -> None:
        self.history: list[str] = []
        self.failures: dict[str, Exception] = {}  # by call
        self.found: list[FoundSnapshot] = []
        self.changes: dict[str, list[Optional[str]]] = {}  # by directory: what each check finds
        world: Any = self
        self.runner = JobRunner(world, world, world)

    def provider(self, name: str) -> Any:
        return {"group": Group, "replacing": Replacing}.get(name, Single)(self, name)

    def note(self, what: str) -> None:
        self.history.append(what)
        if what in self.failures:
            raise self.failures[what]

    def make(self, export: Export, *, again: bool = False) -> None:
        what = "mount" if export.writable else "mount read-only"
        self.note(f"{what} {export.share}{' again' if again else ''}")

    def end_writing(self, exports: Sequence[Export]) -> None:
        self.note(f"end writing to {' '.join(export.share for export in exports)}")

    def remove(self, export: Export) -> None:
        self.note(f"unmount {export.share}")

    def remove_snapshot(self, snapshot: Snapshot) -> None:
        """Comes before each deletion."""

    def expose(self, shares: Sequence[ShadowShare]) -> None:
        self.note(f"expose {' '.join(share.name for share in shares)}")

    def disconnect(self, names: Sequence[str]) -> None:
        self.note(f"disconnect {' '.join(names)}")

    def unexpose(self, names: Sequence[str]) -> None:
        self.note(f"unexpose {' '.join(names)}")

    def seal(self, names: Sequence[str]) -> None:
        self.note(f"seal share {' '.join(names)}")


class Single:
    """One snapshot at a time."""

    records_itself = True

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self.name = name

    def recheck(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        changes = self._world.changes.get(path, [])
        return changes.pop(0) if changes else None

    def prepare(self, request: SnapshotRequest) -> None:
        self._world.note(f"prepare {request.shadow_copy_id}")

    def plan(self, request: SnapshotRequest) -> Snapshot:
        return snapshot(request.shadow_copy_id, self.name)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        self._world.note(f"create {request.shadow_copy_id}")

    def seal(self, snapshot: Snapshot) -> None:
        self._world.note(f"seal {snapshot.root}")

    def delete(self, snapshot: Snapshot) -> None:
        self._world.note(f"delete {snapshot.root}")

    def find(self, roots: Sequence[str]) -> list[FoundSnapshot]:
        return self._world.found

    def locate(self, path: str) -> tuple[str, str]:
        return f"volume:{os.path.basename(path)}", path

    def exists(self, snapshot: Snapshot) -> bool:
        return True


class Replacing(Single):
    """Something is left to delete when it is sealed."""

    def discard_unsealed(self, snapshot: Snapshot) -> None:
        self._world.note(f"discard {snapshot.root}")


class Group(Single):
    """All snapshots of a set at the same moment."""

    def create_together(self, snapshots: Sequence[tuple[SnapshotRequest, Snapshot]]) -> None:
        names = " ".join(request.shadow_copy_id for request, _ in snapshots)
        self._world.note(f"create {names}")


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.runner.close()


def test_a_commit_returns_its_snapshots_in_the_order_of_its_requests(world: World) -> None:
    requests = [request(name) for name in "abc"]
    outcome = world.runner.run(Commit(SET, requests))
    assert isinstance(outcome, Succeeded)
    assert outcome.snapshots == tuple(snapshot(name) for name in "abc")
    assert outcome.snapshot_skew >= 0


def test_a_commit_that_fails_deletes_the_snapshots_that_it_took(world: World) -> None:
    world.failures["create b"] = StorageError("/vol/b", "full", error_number=errno.ENOSPC)
    outcome = world.runner.run(Commit(SET, [request(name) for name in "abc"]))
    assert isinstance(outcome, Failed)
    assert outcome.result == HResult.VSS_E_INSUFFICIENT_STORAGE
    assert sorted(world.history[3:]) == ["delete /vol/a/.s", "delete /vol/c/.s"]


@pytest.mark.parametrize("name", ["single", "group"])
@pytest.mark.parametrize("found", [["a gap"], [None, "a gap"]], ids=["before", "after"])
def test_a_snapshot_that_would_not_hold_its_share_is_not_kept(
    world: World, name: str, found: list[Optional[str]]
) -> None:
    world.changes["/vol/b"] = list(found)
    outcome = world.runner.run(Commit(SET, [request(each, name) for each in "ab"]))
    assert isinstance(outcome, Failed)
    assert outcome == Failed(HResult.FSRVP_E_NOT_SUPPORTED, "share b: a gap")
    created = [each for words in world.history if words.startswith("create") for each in words[7:]]
    deleted = {each for each in world.history if each.startswith("delete")}
    assert {f"delete /vol/{each}/.s" for each in created if each != " "} <= deleted
    assert "delete /vol/b/.s" in deleted  # prepare may have left something
    assert ("b" in created) == (found[0] is None)


def test_every_share_that_is_mapped_to_a_snapshot_is_checked(world: World) -> None:
    whole = request("a")._replace(mapped=[request("a").location, request("b").location])
    world.changes["/vol/b"] = [None, "a gap"]
    outcome = world.runner.run(Commit(SET, [whole]))
    assert outcome == Failed(HResult.FSRVP_E_NOT_SUPPORTED, "share b: a gap")
    assert world.history == ["create a", "delete /vol/a/.s"]


@pytest.mark.parametrize("same_boot", [True, False])
def test_a_restart_finds_no_snapshot_that_does_not_hold_its_share(
    world: World, same_boot: bool
) -> None:
    """What is made in the share after the answer to Commit, before a power cut, is no gap."""
    wanted, planned = request("a"), snapshot("a")
    world.found = [FoundSnapshot(planned, SET_ID, "a", "a", "NAS", False, "", "a")]
    for change, expected in ((None, (planned,)), ("a gap", () if same_boot else (planned,))):
        world.changes["/vol/a"] = [change]
        outcome = world.runner.run(Conclude(SET, [wanted], [], same_boot))
        assert outcome == Succeeded(expected)


def test_a_provider_that_groups_takes_its_snapshots_at_the_same_moment(world: World) -> None:
    requests = [request("a", "group"), request("b"), request("c", "group")]
    outcome = world.runner.run(Commit(SET, requests))
    assert isinstance(outcome, Succeeded)
    assert sorted(world.history) == ["create a c", "create b"]
    assert [each.provider for each in outcome.snapshots] == ["group", "single", "group"]


def test_a_snapshot_needs_free_space(world: World) -> None:
    def needing(megabytes: int) -> Outcome:
        world.runner.configure(megabytes)
        volume = request("a").location._replace(volume_root="/")
        return world.runner.run(Prepare(SET, [request("a")._replace(location=volume)]))

    assert needing(0) == needing(1) == Succeeded()
    outcome = needing(1 << 40)
    assert isinstance(outcome, Failed)
    assert outcome.result == HResult.VSS_E_INSUFFICIENT_STORAGE
    assert "fsrvpd:min free space = 1099511627776" in outcome.reason


def export(name: str, *, writable: bool = False) -> Export:
    return Export(name, f"/vol/{name}", name, snapshot(name), writable)


def shadow_share(name: str) -> ShadowShare:
    return ShadowShare(f"{name}@", name, "/data", "/run", "", True, SET_ID, name)


def test_a_share_is_exposed_when_all_that_it_leads_to_is_mounted(world: World) -> None:
    shares, exports = [shadow_share("a")], [export("a", writable=True), export("b")]
    assert world.runner.run(Expose(SET, shares, exports)) == Succeeded()
    assert world.history == ["mount a", "mount read-only b", "expose a@"]


def test_an_exposure_that_fails_leaves_no_mount(world: World) -> None:
    world.failures["expose a@"] = RegistryError("locked")
    outcome = world.runner.run(Expose(SET, [shadow_share("a")], [export("a"), export("b")]))
    assert isinstance(outcome, Failed)
    assert world.history[2:] == ["expose a@", "unmount a", "unmount b"]


def test_shares_that_cannot_be_recreated_keep_their_mounts(world: World) -> None:
    world.failures["expose a@"] = RegistryError("locked")
    world.runner.run(RecreateShares(SET, [shadow_share("a")], [export("a")]))
    assert world.history == ["mount read-only a", "expose a@"]


def test_a_share_is_sealed_before_its_snapshot_and_that_before_its_mount(world: World) -> None:
    world.runner.run(Seal(SET, [snapshot("a")], ["data@{1}"], [export("a")]))
    assert world.history == [
        "seal share data@{1}",
        "end writing to a",
        "seal /vol/a/.s",
        "mount read-only a again",
        "disconnect data@{1}",
    ]


def test_a_set_is_sealed_though_a_user_keeps_what_it_was_from_being_deleted(world: World) -> None:
    world.failures["discard /vol/a/.s"] = StorageError("/vol/a/.s", "holds too much")
    job = Seal(SET, [snapshot("a", "replacing")], ["data@{1}"], [export("a")])
    assert world.runner.run(job) == Succeeded()
    assert world.history[-2:] == ["discard /vol/a/.s", "disconnect data@{1}"]


def test_a_mount_is_removed_after_its_share(world: World) -> None:
    assert world.runner.run(Remove(SET, ["data@{1}"], [export("a")])) == Succeeded()
    assert world.history == ["unexpose data@{1}", "unmount a"]


def test_shares_are_removed_before_snapshots(world: World) -> None:
    assert world.runner.run(Remove(SET, ["data@{1}"], snapshots=[snapshot("a")])) == Succeeded()
    assert world.history == ["unexpose data@{1}", "delete /vol/a/.s"]


def test_a_snapshot_is_kept_while_its_share_cannot_be_removed(world: World) -> None:
    world.failures["unexpose data@{1}"] = RegistryError("locked")
    assert isinstance(
        world.runner.run(Remove(SET, ["data@{1}"], snapshots=[snapshot("a")])), Failed
    )
    assert world.history == ["unexpose data@{1}"]


def test_one_snapshot_that_cannot_be_deleted_keeps_no_other(world: World) -> None:
    world.failures["delete /vol/a/.s"] = StorageError("/vol/a/.s", "busy")
    outcome = world.runner.run(Remove(SET, snapshots=[snapshot("a"), snapshot("b")]))
    assert isinstance(outcome, Failed)
    assert world.history == ["delete /vol/a/.s", "delete /vol/b/.s"]


def test_a_removal_finds_the_snapshots_that_were_not_recorded(world: World) -> None:
    world.found = [
        FoundSnapshot(snapshot("a"), SET_ID, "a", "NAS", "state", False),
        FoundSnapshot(snapshot("other"), SET_ID, "other", "NAS", "state", False),
    ]
    assert world.runner.run(Remove(SET, unknown=[request("a")])) == Succeeded()
    assert world.history == ["delete /vol/a/.s"]


def test_a_fault_of_ours_is_an_outcome_too(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.failures["prepare a"] = ZeroDivisionError("broken")
    outcome = world.runner.run(Prepare(SET, [request("a")]))
    assert outcome == Failed(HResult.FSRVP_E_WAIT_FAILED, "ZeroDivisionError: broken")
    assert "please report this" in caplog.text


def test_a_job_runs_in_another_thread_and_is_done_once(world: World) -> None:
    done = threading.Event()
    outcomes: list[tuple[Outcome, int]] = []

    def take(outcome: Outcome) -> None:
        outcomes.append((outcome, threading.get_ident()))
        done.set()

    world.runner.submit(Prepare(SET, [request("a")]), take)
    assert done.wait(20)
    [(outcome, thread)] = outcomes
    assert outcome == Succeeded()
    assert thread != threading.get_ident()


def test_at_the_limit_of_threads_every_job_still_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one of several volumes, which are taken one after the other then."""
    done = threading.Semaphore(0)
    outcomes: list[Outcome] = []

    def take(outcome: Outcome) -> None:
        outcomes.append(outcome)
        done.release()

    def fail(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    for _ in range(3):
        world.runner.submit(Commit(SET, [request(name) for name in "abcdefgh"]), take)
    assert all(done.acquire(timeout=20) for _ in range(3))
    assert all(isinstance(outcome, Succeeded) for outcome in outcomes)
    assert len(world.history) == 24


def test_a_volume_that_hangs_leaves_threads_to_the_others(world: World) -> None:
    go_on, done = threading.Event(), threading.Event()
    note = world.note

    def hang(what: str) -> None:
        note(what)
        if what == "prepare dead":
            assert go_on.wait(20)

    world.note = hang  # type: ignore[method-assign]
    for _ in range(300):
        world.runner.submit(Prepare(SET, [request("dead")]), lambda outcome: None)
    world.runner.submit(Prepare(SET, [request("live")]), lambda outcome: done.set())
    assert done.wait(20)
    assert world.history.count("prepare dead") <= MOST_OF_STORAGE
    go_on.set()
