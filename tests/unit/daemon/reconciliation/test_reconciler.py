"""The reconciler's actions for discrepancies, and the threads that they run in."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, Callable, Iterator, Union

import pytest

from fsrvpd.core.messages import Guid
from fsrvpd.daemon.log import events
from fsrvpd.daemon.reconciliation.discrepancies import Discrepancy
from fsrvpd.daemon.reconciliation.inventory import Inventory
from fsrvpd.daemon.reconciliation.reconciler import (
    EXPIRY_INTERVAL,
    REPEAT_AFTER,
    ReconcileOptions,
    Reconciler,
)
from fsrvpd.errors import FsrvpdError, StorageError
from fsrvpd.protocol.model import ShadowCopySet
from fsrvpd.protocol.ports import FoundSnapshot, Snapshot
from tests.unit.daemon.control.examples import COPY, SET, SHARE, SNAPSHOT, recovered_set
from tests.unit.daemon.fake_loop import FakeLoop

ORPHAN = FoundSnapshot(SNAPSHOT, "{0}", "{1}", "data", "NAS", state="ours")
MOUNTS = [export.mount_point for export in recovered_set().exports()]
NOTHING = Inventory([], frozenset(), {}, frozenset(["/vol"]), {}, {}, mounts=MOUNTS)

Result = Union[list[Discrepancy], FsrvpdError]


class World:
    """One recovered set, fake storage and registry, and a record of the calls."""

    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.sets = [recovered_set()]
        self.inventory = NOTHING._replace(shares={SHARE: "{C}"})
        self.failure: Any = None
        self.done: list[Any] = []
        self.when_answered: list[Callable[[], None]] = []
        self.expiries: list[float] = []
        self.threads: set[int] = set()
        self.results: list[Result] = []
        self.reported: list[str] = []
        self._unwatch = events.watch(lambda event, text, fields: self.reported.append(event.name))
        view = SimpleNamespace(
            settings=SimpleNamespace(owner_machine_name="NAS"),
            all_sets=self.sets,
            unreadable=frozenset(),
            get=self._get,
            stable_revisions=lambda: {each.shadow_copy_set_id: 1 for each in self.sets},
            unchanged_since=lambda set_id, revision: self._get(set_id),
        )
        driver: Any = SimpleNamespace(
            view=view,
            remove_expired=lambda: self.expiries.append(self.loop.now),
            snapshot_gone=lambda *what: self.done.append(("forget", *what)),
            share_gone=lambda *what: self.done.append(("recreate", *what)),
            mount_gone=lambda *what: self.done.append(("mount", *what)),
        )
        scanner: Any = SimpleNamespace(
            scan=self._scan, close=lambda: None, when_silent_answers=self.when_answered.append
        )
        exports: Any = SimpleNamespace(
            make=lambda export: self._change_mount("mount", export.mount_point),
            remove_mount=lambda path: self._change_mount("unmount", path),
        )
        registry: Any = SimpleNamespace(unexpose=self._unexpose)
        self.reconciler = Reconciler(
            self.loop, driver, scanner, self._delete, exports, registry, "ours", frozenset
        )

    def _get(self, set_id: Guid) -> Any:
        return next((each for each in self.sets if each.shadow_copy_set_id == set_id), None)

    def _scan(self, volumes: Any, snapshots: Any) -> Inventory:
        self.threads.add(threading.get_ident())
        if isinstance(self.failure, Exception):
            raise self.failure
        return self.inventory

    def _delete(self, snapshot: Snapshot) -> None:
        self.threads.add(threading.get_ident())
        if self.failure == "delete":
            raise StorageError(snapshot.root, "busy")
        self.done.append(("delete", snapshot.root))

    def _change_mount(self, what: str, path: str) -> None:
        self.threads.add(threading.get_ident())
        if self.failure == what:
            raise StorageError(path, "busy")
        self.done.append((what, path))

    def _unexpose(self, names: Any) -> None:
        self.threads.add(threading.get_ident())
        self.done.append(("unexpose", *names))

    def reconcile(self, *, dry_run: bool = False) -> Result:
        self.reconciler.reconcile(ReconcileOptions(dry_run, everything=False), self.results.append)
        for _ in range(200):
            if self.results:
                return self.results.pop()
            self.loop.run_once(0.05)
        raise AssertionError("never answered")

    def close(self) -> None:
        self._unwatch()
        self.reconciler.close()
        self.loop.close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def actions(result: Result) -> list[tuple[str, str]]:
    assert isinstance(result, list)
    return [(each.kind, each.action) for each in result]


def test_what_agrees_is_left_alone(world: World) -> None:
    assert world.reconcile() == []
    assert world.done == []
    assert world.threads
    assert threading.get_ident() not in world.threads


def test_orphans_are_removed_and_reported(world: World) -> None:
    world.inventory = world.inventory._replace(
        found=[ORPHAN], shares={SHARE: "{C}", "data@{1}": "{1}"}
    )
    assert actions(world.reconcile()) == [("orphan-share", "remove"), ("orphan-snapshot", "remove")]
    assert world.done == [("unexpose", "data@{1}"), ("delete", SNAPSHOT.root)]
    assert world.reported == ["orphan-share", "orphan-snapshot", "orphan-removed", "orphan-removed"]
    assert threading.get_ident() not in world.threads


def test_an_orphan_that_cannot_be_removed_is_kept(world: World) -> None:
    world.inventory = world.inventory._replace(found=[ORPHAN])
    world.failure = "delete"
    result = world.reconcile()
    assert actions(result) == [("orphan-snapshot", "keep")]
    assert isinstance(result, list)
    assert "could not be removed" in result[0].reason
    assert world.reported == ["orphan-snapshot", "orphan-kept"]


def test_what_a_set_has_lost_is_the_agents(world: World) -> None:
    world.inventory = NOTHING
    assert actions(world.reconcile()) == [("share-gone", "recreate")]
    assert world.done == [("recreate", SET, (SHARE,))]
    world.inventory = NOTHING._replace(gone=frozenset([SNAPSHOT]))
    assert actions(world.reconcile()) == [("snapshot-gone", "forget")]
    assert world.done[1:] == [("forget", SET, COPY)]


def test_a_dry_run_changes_and_reports_nothing(world: World) -> None:
    world.inventory = NOTHING._replace(found=[ORPHAN])
    assert len(actions(world.reconcile(dry_run=True))) == 2
    assert world.done == []
    assert world.reported == []


def test_a_set_that_is_gone_before_the_end_is_not_repaired(world: World) -> None:
    def scan(volumes: Any, snapshots: Any) -> Inventory:
        gone: list[ShadowCopySet] = list(world.sets)
        world.sets.clear()
        assert gone
        return NOTHING._replace(found=[ORPHAN._replace(shadow_copy_id="{C}")])

    world.reconciler._scanner.scan = scan  # type: ignore[method-assign]
    assert [kind for kind, _ in actions(world.reconcile())] == ["orphan-snapshot"]


def test_an_unforeseen_failure_is_an_answer_too(world: World) -> None:
    world.failure = OverflowError("int too large to convert to float")
    answer = world.reconcile()
    assert isinstance(answer, FsrvpdError)
    assert "OverflowError: int too large" in str(answer)


def test_a_failure_is_the_answer_and_reported(world: World) -> None:
    world.failure = FsrvpdError("the registry is locked")
    assert world.reconcile() is world.failure
    assert world.reported == ["reconcile-failed"]


def test_ages_are_looked_at_now_and_then(world: World) -> None:
    world.loop.advance(0)
    world.loop.advance(EXPIRY_INTERVAL - 1)
    assert len(world.expiries) == 1
    world.loop.advance(1)
    assert len(world.expiries) == 2
    world.reconciler.remove_expired()
    world.loop.advance(EXPIRY_INTERVAL - 1)
    assert len(world.expiries) == 3


def test_what_a_reboot_unmounted_is_mounted_again(world: World) -> None:
    """Of a set by the agent, of a kept snapshot in the thread."""
    kept = ORPHAN._replace(keep=True, path="data")
    [export] = recovered_set().exports()
    world.inventory = NOTHING._replace(
        shares={SHARE: "{C}"}, mounts=(), directories={export.key: "/vol/data"}
    )
    assert actions(world.reconcile()) == [("mount-gone", "mount")]
    assert world.done == [("mount", SET, (export.mount_point,))]
    world.sets.clear()
    world.done.clear()
    world.inventory = world.inventory._replace(shares={}, found=[kept])
    assert ("mount-gone", "mount") in actions(world.reconcile())
    assert world.done == [("mount", export.mount_point)]
    world.failure = "mount"
    assert ("mount-gone", "keep") in actions(world.reconcile())


def test_a_mount_without_a_snapshot_is_removed(world: World) -> None:
    world.sets.clear()
    world.inventory = NOTHING
    assert actions(world.reconcile()) == [("orphan-mount", "remove")]
    assert world.done == [("unmount", MOUNTS[0])]
    assert world.reported == ["orphan-mount", "orphan-removed"]
    world.failure = "unmount"
    assert actions(world.reconcile()) == [("orphan-mount", "keep")]


def test_what_storage_was_silent_about_is_compared_once_when_it_answers(world: World) -> None:
    world.inventory = world.inventory._replace(
        silent=frozenset(["/vol"]), shares={}, mounts=["/run/of/another/copy"]
    )
    assert actions(world.reconcile(dry_run=True)) == [("volume-silent", "keep")]
    assert world.when_answered == []
    assert actions(world.reconcile()) == [("volume-silent", "keep")]
    assert world.done == []
    world.inventory = NOTHING._replace(shares={})
    [answered] = world.when_answered
    answered()
    answered()
    world.loop.run_once(0)
    world.loop.now += REPEAT_AFTER
    for _ in range(20):
        world.loop.run_once(0.02)
    assert [what for what, *_ in world.done] == ["recreate"]
