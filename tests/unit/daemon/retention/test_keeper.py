"""What the keeper does with storage that is slow, silent, or frees nothing."""

from __future__ import annotations

import logging
from contextlib import suppress
from threading import Event
from types import SimpleNamespace
from typing import Any, Callable, Iterator, Optional

import pytest

from fsrvpd.daemon.reconciliation.inventory import Inventory
from fsrvpd.daemon.retention.keeper import Holds, Keeper
from fsrvpd.daemon.retention.kept_copies import KeptCopy
from fsrvpd.daemon.retention.rules import MB
from fsrvpd.errors import FsrvpdError, StoreError
from fsrvpd.protocol.ports import Share
from tests.unit.daemon.retention.test_kept_copies import KEY, found


class Storage:
    """Every copy exists, and each deletion succeeds, unless a test says otherwise."""

    def __init__(self) -> None:
        self.deleted: set[str] = set()
        self.frees = True
        self.on_delete: Callable[[KeptCopy], None] = lambda copy: None

    def with_sizes(self, copies: list[KeptCopy]) -> list[KeptCopy]:
        return list(copies)

    def exists(self, copy: KeptCopy) -> Optional[bool]:
        return copy.copy_id not in self.deleted

    def frees_volume(self, copy: KeptCopy) -> bool:
        return self.frees

    def free_space(self, copy: KeptCopy) -> int:
        return 5 * MB

    def delete(self, copy: KeptCopy, *_: Any) -> str:
        self.deleted.add(copy.copy_id)
        self.on_delete(copy)
        return ""

    def close(self) -> None:
        pass


def _call(function: Callable[[], None]) -> None:
    """As the loop, which reports what a callback raises, and goes on."""
    with suppress(StoreError):
        function()


class World:
    """A keeper whose loop is whoever calls it."""

    def __init__(self) -> None:
        self.storage = Storage()
        self.inventory: Any = Inventory(
            [found(number) for number in range(1, 5)],
            *(frozenset(), {}, frozenset(), {}, {}),
            directories={KEY: "/vol/data"},
        )
        self.options = {"keep last": "1"}
        self.scans = 0
        self.deleted = self.storage.deleted
        settings = SimpleNamespace(owner_machine_name="NAS")
        view = SimpleNamespace(
            settings=settings, all_sets=[], kept_ended=0, is_freezing=lambda volume: False
        )
        timer = SimpleNamespace(cancel=lambda: None)
        loop: Any = SimpleNamespace(call_later=lambda *_: timer, call_soon_threadsafe=_call)
        parts: Any = (loop, SimpleNamespace(view=view), self, self.storage)
        self.saved: list[Any] = []
        self.failure: Optional[StoreError] = None
        self.holds = Holds({}, self._save)
        self.keeper = Keeper(*parts, self._share, self.holds, "state")

    def scan(self, done: Callable[[Any], None]) -> None:
        self.scans += 1
        if isinstance(self.inventory, FsrvpdError):
            done(self.inventory)
            return
        there = [each for each in self.inventory.found if each.shadow_copy_id not in self.deleted]
        done(self.inventory._replace(found=there))

    def _share(self, name: str) -> Share:
        return Share(name, "/vol/data", from_registry=False, options=dict(self.options))

    def _save(self, copies: Any) -> None:
        if self.failure is not None:
            raise self.failure
        self.saved.append(copies)

    def run(self) -> None:
        self.keeper.run()
        ended = Event()
        self.keeper._thread.submit(ended.set)
        assert ended.wait(10)

    def wait(self, begin: Callable[[Callable[[Any], None]], None]) -> Any:
        answers: list[Any] = []
        answered = Event()

        def done(result: Any) -> None:
            answers.append(result)
            answered.set()

        begin(done)
        assert answered.wait(10)
        return answers[0]

    def delete(self, *ids: str) -> Any:
        return self.wait(lambda done: self.keeper.delete(ids, dry_run=False, done=done))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.keeper.close()


def test_a_copy_whose_end_frees_nothing_is_not_given_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A thin LVM volume has no more free space without it: all would go, one after the other."""
    world.options, world.storage.frees = {"keep free space": "10"}, False
    with caplog.at_level(logging.WARNING):
        assert world.delete() == world.delete() == []
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("share data: fsrvp:keep free space is ignored: with provider btrfs")


def test_the_space_of_one_copy_is_awaited_before_the_next_is_given_up(world: World) -> None:
    world.options = {"keep free space": "10"}
    [gone] = world.delete()
    assert gone.copy.copy_id == "{4}"
    assert world.delete() == []


def test_what_the_rules_delete_frees_space_too(world: World) -> None:
    world.options = {"keep free space": "10", "keep last": "3"}
    assert [each.copy.copy_id for each in world.delete()] == ["{4}"]
    assert world.delete() == []


def test_a_copy_that_is_being_deleted_is_not_held(world: World) -> None:
    """It was still there when the volumes were searched."""
    held = world.wait(lambda done: world.keeper.hold("{set 3}", done))
    assert [each.copy_id for each in held] == ["{3}"]
    assert world.holds.kept == {"{3}": True}

    world.storage.exists = lambda copy: None  # type: ignore[method-assign]
    refused = world.wait(lambda done: world.keeper.hold("{4}", done))
    assert isinstance(refused, FsrvpdError)
    assert "so nothing is held" in str(refused)
    assert world.saved == [{"{3}": True}, {"{4}": True}, {"{4}": None}]
    assert world.holds.kept == {"{3}": True}


def test_a_run_that_did_not_see_everything_is_not_the_last(world: World) -> None:
    nothing = world.inventory._replace(found=[])
    silent = nothing._replace(silent=frozenset(["/vol"]))
    for number, answer in enumerate([FsrvpdError("a tdb is locked"), silent, nothing], start=1):
        world.inventory = answer
        world.run()
        assert world.scans == number
    world.run()
    assert world.scans == 3, "there are no kept copies"


def test_an_admin_can_stop_a_run(world: World) -> None:
    world.storage.on_delete = lambda copy: world.options.update({"keep last": "9"})
    gone, *left = world.delete()
    assert gone.why_not == ""
    assert [each.why_not for each in left] == [
        "the fsrvp:keep options of share data have changed meanwhile"
    ] * 2
    assert world.storage.deleted == {gone.copy.copy_id}


def test_a_failure_in_the_loop_is_that_of_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsrvpd.daemon.retention.keeper.LOOP_TIMEOUT", 5.0)
    world.holds.kept = {"{4}": False}
    world.failure = StoreError("no space left on device")
    assert world.delete("{4}") is world.failure
