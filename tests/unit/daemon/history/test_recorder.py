"""When the history is written, and what happens when it cannot be."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Iterator, Optional

import pytest

from fsrvpd.daemon.history import recorder
from fsrvpd.daemon.history.recorder import DELAY, RETRY, History, HistoryPage
from fsrvpd.daemon.log import events
from fsrvpd.errors import StoreError
from fsrvpd.store.history import Changes, HistoryStore, Query
from fsrvpd.store.history_records import COMPLETED, FAILED, Backup, SetRecord
from tests.unit.daemon.fake_loop import FakeLoop

RECORD = SetRecord("{1}", "c", "a", ("data",), 1e9)


class Recorded(HistoryStore):
    """The store, with what it was told to do."""

    def __init__(self, path: str) -> None:
        super().__init__(path, str.lower)
        self.done: list[str] = []
        self.failure = ""

    def write(self, changes: Changes, now: float) -> None:
        if self.failure:
            raise StoreError(self.failure)
        super().write(changes, now)
        self.done.append(f"write {len(changes.sets)}")

    def sync(self) -> None:
        super().sync()
        self.done.append("sync")


class World:
    def __init__(self, path: str, store: Optional[Recorded] = None) -> None:
        self.loop = FakeLoop()
        self.store = store or Recorded(path)
        self.driver: Any = SimpleNamespace(
            view=SimpleNamespace(find=lambda _: None),
            observe=lambda *_: None,
            observe_sets=lambda _: None,
        )
        self.history = History(self.loop, self.driver, self.store, lambda: 1e9)
        self.until(lambda: not self.history._is_writing)

    def until(self, condition: Callable[[], bool]) -> None:
        limit = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < limit
            self.loop.run_once(0.01)

    def write(self, seconds: float = DELAY) -> None:
        self.loop.advance(seconds)
        self.until(lambda: not self.history._is_writing)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(str(tmp_path / "history.sqlite3"))
    yield made
    made.history.close()
    made.loop.close()


def test_changes_are_written_a_second_later_and_synced(world: World) -> None:
    world.history._take_set(RECORD)
    world.history._take_set(RECORD._replace(ended=2e9))
    world.loop.advance(DELAY / 2)
    assert world.store.done == []
    world.write()
    assert world.store.done == ["write 1", "sync"]
    assert world.store.sets(Query())[0].ended == 2e9


def test_nothing_is_synced_while_a_set_is_created(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.history._sets, "is_quiet", lambda _: False)
    world.history._take_set(RECORD)
    world.write()
    world.write()
    assert world.store.done == ["write 1"]
    monkeypatch.undo()
    world.write()
    assert world.store.done == ["write 1", "sync"]


def test_nothing_is_written_while_applications_are_frozen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(world.history._sets), "window_is_open", True)
    world.history._take_set(RECORD)
    for _ in range(5):
        world.loop.advance(DELAY)
    assert world.store.done == []
    for _ in range(6):  # not for ever: a client may be gone
        world.loop.advance(DELAY)
    world.until(lambda: world.store.done == ["write 1", "sync"])


def test_a_failure_is_said_once_and_nothing_is_lost(world: World, caplog: Any) -> None:
    world.store.failure = "the disk is full"
    world.history._take_set(RECORD)
    world.history._take_backup(Backup("data", 1.0, 1e9, "{1}"))
    world.write()
    world.write(RETRY)
    assert caplog.text.count("event=history-not-written") == 1
    assert world.history.failure == "the disk is full"
    world.store.failure = ""
    world.write(RETRY)
    assert world.store.sets(Query()) == [RECORD]
    assert world.store.remembered().backups == [Backup("data", 1.0, 1e9, "{1}")]
    assert world.history.failure == ""


def test_a_full_disk_is_tried_once_a_minute(world: World) -> None:
    world.store.failure = "the disk is full"
    world.history._take_set(RECORD)
    world.history._take_backup(Backup("data", 1.0, 1e9, "{1}"))
    world.write()
    world.store.failure = ""
    world.history._take_set(RECORD._replace(id="{2}"))
    for _ in range(int(RETRY) - 1):
        world.write(1.0)
    assert world.store.done == []
    world.write(1.0)
    assert world.store.done == ["write 2", "sync"]


def test_nothing_is_awake_while_a_set_is_created(world: World) -> None:
    world.write()
    world.store.done.clear()
    world.history._sets._records[b"1"] = RECORD
    world.history._take_set(RECORD)
    world.write()
    assert world.store.done == ["write 1"]
    assert world.history._timer is None
    world.history._sets._records.clear()
    world.history._take_set(RECORD._replace(ended=2e9))
    world.write()
    assert world.store.done == ["write 1", "write 1", "sync"]


def test_the_last_set_of_each_share_is_known_after_a_restart(world: World) -> None:
    """However many sets of others came later."""
    weekly = RECORD._replace(id="{0}", shares=("Weekly", "both"), outcome=FAILED)
    world.history._take_set(weekly)
    for number in range(1, 600):
        hourly = RECORD._replace(id=f"{number:03}", started=1e9 + number, outcome=COMPLETED)
        world.history._take_set(hourly._replace(shares=("hourly", "both")))
    world.history._take_set(RECORD._replace(id="{r}", started=2e9, shares=("weekly",)))
    world.history._take_set(weekly._replace(reason="the disk"))
    assert world.history.last_sets["weekly"].reason == "the disk"
    world.write()
    again = World(world.store.path, world.store)
    for history in (world.history, again.history):
        found = {name: each.outcome for name, each in history.last_sets.items()}
        assert found == {"weekly": FAILED, "hourly": COMPLETED, "both": COMPLETED}
        assert history.last_sets["both"].id == "599"
    again.history.close()
    again.loop.close()


def test_memory_is_bounded_while_it_cannot_be_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "MAX_PENDING", 10)
    monkeypatch.setattr(recorder, "MAX_SHARES", 3)
    for number in range(50):
        world.history._take_set(RECORD._replace(id=f"{number:03}"))
        shares = tuple(f"{number} {each}" for each in range(5))
        world.history._take_set(RECORD._replace(id=f"{number:03}", shares=shares, outcome=FAILED))
    assert list(world.history.last_sets) == ["49 2", "49 3", "49 4"]
    world.write()
    assert [each.id for each in world.store.sets(Query())] == [f"{n:03}" for n in range(49, 39, -1)]


def test_a_reader_sees_what_is_not_written_yet(world: World) -> None:
    pages: list[Any] = []
    world.history._take_set(RECORD)
    world.history.read(Query(limit=1), pages.append)
    world.until(lambda: bool(pages))
    assert pages == [HistoryPage([RECORD], (RECORD.started, RECORD.id))]


def test_a_refusal_in_any_thread_is_kept_and_read_again(world: World) -> None:
    log = logging.getLogger("fsrvpd.test")
    events.report(log, "call-refused", "next: x", account="a", client="c", reason="no")
    events.report(log, "set-removed", "no refusal")
    world.until(lambda: bool(world.history.refusals))
    world.write()
    assert [each.account for each in world.store.remembered().refusals] == ["a"]


def test_the_end_of_the_daemon_writes_the_last_second(tmp_path: Path) -> None:
    world = World(str(tmp_path / "history.sqlite3"))
    world.history._take_set(RECORD)
    world.history.close()
    world.loop.close()
    world.store.open()
    assert world.store.sets(Query()) == [RECORD]
    world.store.close()
