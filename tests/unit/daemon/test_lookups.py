"""Who asks where a share lies waits for its own storage only, and not for ever."""

from __future__ import annotations

import threading
from typing import Any, Callable, Iterator, Optional

import pytest

from fsrvpd.daemon.lookups import Lookups
from fsrvpd.daemon.loop import Loop
from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Share, SharePlace

PLACE = SharePlace(Share("data", "/vol", False), "btrfs:1", "/vol", "btrfs", "/vol")
UNC = r"\\nas\data"


class SlowFinder:
    """Finds nothing before it is told to."""

    def __init__(self) -> None:
        self.remembered: Optional[SharePlace] = None
        self.go_on = threading.Event()
        self.searches: list[int] = []  # the thread of each
        self.find: Callable[[], SharePlace] = lambda: PLACE

    def known(self, unc: str) -> Optional[SharePlace]:
        return self.remembered

    def place(self, unc: str) -> SharePlace:
        self.searches.append(threading.get_ident())
        assert self.go_on.wait(20)
        return self.find()


class World:
    """A loop whose turns are the test's."""

    def __init__(self, patience: float = 60.0) -> None:
        self.loop = Loop()
        self.finder = SlowFinder()
        finder: Any = self.finder
        self.lookups = Lookups(self.loop, finder, patience)
        self.told: list[Any] = []

    def ask(self, unc: str = UNC) -> None:
        self.lookups.find(unc, self.told.append)

    def turn_until_told(self, number: int) -> None:
        while len(self.told) < number:
            self.loop.turn(20)

    def close(self) -> None:
        self.finder.go_on.set()
        self.lookups.close()
        self.loop.close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture
def hasty() -> Iterator[World]:
    """With no patience at all."""
    made = World(patience=0.0)
    yield made
    made.close()


def test_what_is_remembered_is_told_at_once(world: World) -> None:
    world.finder.remembered = PLACE
    world.ask()
    assert world.told == [PLACE]
    assert world.finder.searches == []
    assert world.lookups.deadline() is None


def test_anything_else_is_searched_for_in_another_thread(world: World) -> None:
    world.ask()
    assert world.told == []
    world.finder.go_on.set()
    world.turn_until_told(1)
    assert world.told == [PLACE]
    assert world.finder.searches != [threading.get_ident()]
    assert world.lookups.deadline() is None


def test_those_who_ask_for_the_same_share_one_search(world: World) -> None:
    for _ in range(3):
        world.ask()
    world.finder.go_on.set()
    world.turn_until_told(3)
    assert world.told == [PLACE] * 3
    assert len(world.finder.searches) == 1
    world.ask()
    world.turn_until_told(4)
    assert len(world.finder.searches) == 2, "what was found once may have changed"


def test_who_waits_too_long_is_told_so_and_the_late_find_goes_to_later_ones(hasty: World) -> None:
    hasty.ask()
    assert hasty.lookups.deadline() is not None
    hasty.lookups.expire()
    [error] = hasty.told
    assert isinstance(error, PeerError)
    assert error.result == HResult.FSRVP_E_WAIT_TIMEOUT
    assert UNC in str(error)
    hasty.ask()
    hasty.finder.go_on.set()
    hasty.turn_until_told(2)
    assert hasty.told[1:] == [PLACE]
    assert len(hasty.finder.searches) == 1


def test_a_search_that_breaks_is_an_answer_too(world: World, caplog: Any) -> None:
    def fail() -> SharePlace:
        raise ZeroDivisionError("broken")

    world.finder.find = fail
    world.finder.go_on.set()
    world.ask()
    world.turn_until_told(1)
    assert world.told[0].result == HResult.E_UNEXPECTED
    assert "please report this" in caplog.text


def test_everybody_who_waits_tells_the_loop_by_when(
    hasty: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also who joins a search that all before him have given up."""
    named: list[float] = []
    monkeypatch.setattr(hasty.loop, "turn_by", named.append)
    hasty.ask()
    hasty.lookups.expire()
    hasty.ask()
    assert named[1:] == [hasty.lookups.deadline()]
