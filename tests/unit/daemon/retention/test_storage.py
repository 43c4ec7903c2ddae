"""Storage that takes its time."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace
from typing import Any, Iterator

import pytest

from fsrvpd.daemon.retention import storage
from fsrvpd.daemon.retention.kept_copies import KeptCopy
from fsrvpd.daemon.retention.storage import NO_ANSWER, STILL, KeptStorage
from fsrvpd.errors import NotOurs
from tests.unit.daemon.retention.test_kept_copies import KEY, found

ONE, TWO = (KeptCopy(found(number), KEY) for number in (1, 2))


class World:
    """A provider that answers when it may go on."""

    def __init__(self) -> None:
        self.go_on = Event()
        self.calls = 0
        exports: Any = SimpleNamespace(remove_unused=lambda snapshot: True)
        selection: Any = SimpleNamespace(provider=lambda name: self)
        self.storage = KeptStorage(selection, exports)

    def exists(self, snapshot: object) -> bool:
        self.calls += 1
        if snapshot == TWO.found.snapshot:
            raise NotOurs("/vol", "has no marker")
        self.go_on.wait(10)
        return False

    def delete(self, snapshot: object) -> None:
        self.go_on.wait(10)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(storage, "SILENCE", 0.05)
    monkeypatch.setattr(storage, "DELETION_SILENCE", 0.05)
    made = World()
    yield made
    made.go_on.set()
    made.storage.close()


def test_only_a_certain_no_is_one(world: World) -> None:
    assert world.storage.exists(TWO) is None, "an error"
    world.go_on.set()
    assert world.storage.exists(ONE) is False


def test_silent_storage_is_asked_once_in_a_run(world: World) -> None:
    assert world.storage.exists(ONE) is world.storage.exists(TWO) is None
    assert world.calls == 1
    world.go_on.set()
    world.storage.with_sizes([])
    assert world.storage.exists(TWO) is None
    assert world.calls == 2


def test_a_deletion_that_takes_long_is_reported_when_it_ends(world: World) -> None:
    reported: list[str] = []
    ended = Event()

    def late(why_not: str) -> None:
        reported.append(why_not)
        ended.set()

    assert world.storage.delete(ONE, late) == STILL
    assert world.storage.delete(TWO, late) == NO_ANSWER, "it was not begun"
    assert reported == []
    world.go_on.set()
    assert ended.wait(10)
    assert reported == [""]
