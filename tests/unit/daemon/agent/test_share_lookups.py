"""A lookup of a share waits only for that share's storage, and not for ever."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from dataclasses import replace
from typing import Any, Callable, Iterator, Optional

import pytest

from fsrvpd.daemon.agent.share_lookups import (
    MOST_OF_CALLER,
    MOST_OF_STORAGE,
    CallerLimit,
    ShareLookups,
)
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Share, ShareLocation
from lab.namespaces import wait_until

LIVE = ShareLocation(Share("live", "/live", False), "btrfs:2", "/live", "btrfs", "/live")
PLACE = ShareLocation(Share("data", "/vol", False), "btrfs:1", "/vol", "btrfs", "/vol")
UNC = r"\\nas\data"


class SlowWorld:
    """Resolver and volumes at once. A search finds nothing until the test lets it go on."""

    def __init__(self) -> None:
        self.remembered = True
        self.go_on = threading.Event()
        self.registry_answers = threading.Event()
        self.registry_answers.set()
        self.named: list[str] = []
        self.searches: list[int] = []  # thread ids
        self.hanging = True
        self.find: Callable[[], ShareLocation] = lambda: PLACE

    def name_of(self, unc: str) -> str:
        self.named.append(unc)
        return unc.rpartition("\\")[2]

    def known(self, name: str) -> Optional[Share]:
        return replace(PLACE.share, name=name) if self.remembered else None

    def share(self, name: str) -> Share:
        assert self.registry_answers.wait(20)
        return replace(PLACE.share, name=name)

    def storage_of(self, share: Share) -> str:
        return "live" if share.name == "live" else "dead"

    def locate(self, share: Share) -> ShareLocation:
        self.searches.append(threading.get_ident())
        if share.name == "live":
            return LIVE
        assert self.go_on.wait(20)
        return self.find()

    def explain(self, share: Share) -> Any:
        return share.name


class World:
    """An event loop that the test runs turn by turn."""

    def __init__(self, timeout: float = 60.0) -> None:
        self.loop = EventLoop()
        self.slow = SlowWorld()
        slow: Any = self.slow
        self.lookups = ShareLookups(self.loop, slow, slow, timeout)
        self.results: list[Any] = []

    def ask(self, unc: str = UNC, caller: str = "S-1-5-21-1") -> None:
        self.lookups.find(unc, caller, self.results.append)

    def run_until(self, number: int) -> None:
        while len(self.results) < number:
            self.loop.run_once(20)

    def close(self) -> None:
        self.slow.registry_answers.set()
        self.slow.go_on.set()
        self.lookups.close()
        self.loop.close()


class ChangedMounts:
    """A mount table that changes when the test says so: urgent data is EPOLLPRI as well."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._ours = socket.create_connection(server.getsockname())
            self._theirs, _ = server.accept()
        self.readings = 0

    def fileno(self) -> int:
        return self._theirs.fileno()

    def change(self) -> None:
        self._ours.send(b"!", socket.MSG_OOB)

    def settle(self) -> None:
        """Report earlier changes no more."""
        self._theirs.recv(1, socket.MSG_OOB)

    def generation(self) -> int:
        self.readings += 1
        return self.readings

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


def test_the_mount_table_is_read_once_after_changes(world: World) -> None:
    """Before anybody asks for a share."""
    with closing(ChangedMounts()) as mounts:
        world.lookups.watch(mounts)
        for _ in range(3):
            mounts.change()
            world.loop.run_once(0)
        assert mounts.readings == 0
        wait_until("it is read", lambda: bool(world.loop.run_once(0.01) or mounts.readings))
        assert mounts.readings == 1
        mounts.settle()
        mounts.change()
        wait_until("it is read", lambda: bool(world.loop.run_once(0.01) or mounts.readings > 1))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture
def hasty() -> Iterator[World]:
    """No client waits at all."""
    made = World(timeout=0.0)
    yield made
    made.close()


@pytest.mark.parametrize("remembered", [True, False])
def test_every_search_runs_in_another_thread(world: World, remembered: bool) -> None:
    world.slow.remembered = remembered
    world.ask()
    assert world.results == []
    world.slow.go_on.set()
    world.run_until(1)
    assert world.results == [PLACE]
    assert threading.get_ident() not in world.slow.searches


def test_a_hundred_names_on_storage_that_hangs_leave_the_others(world: World) -> None:
    for number in range(256):
        world.ask(rf"{UNC}{number}", f"S-1-5-21-{number}")
    world.ask(r"\\nas\live")
    world.run_until(1)
    assert world.results == [LIVE]
    assert len(world.slow.searches) <= MOST_OF_STORAGE + 1
    world.slow.go_on.set()
    world.run_until(257)
    assert world.results[1:] == [PLACE] * 256


def test_a_registry_that_is_locked_leaves_the_shares_that_are_known(world: World) -> None:
    world.slow.remembered = False
    world.slow.registry_answers.clear()
    for number in range(256):
        world.ask(rf"{UNC}{number}", f"S-1-5-21-{number}")
    wait_until("the registry is asked", lambda: len(world.lookups._limit._waiting) > 0)
    world.slow.remembered = True
    world.ask(r"\\nas\live")
    world.run_until(1)
    assert world.results == [LIVE]


def test_an_explanation_takes_a_name_or_a_unc(world: World) -> None:
    for name in ("data", UNC):
        world.lookups.explain(name, world.results.append)
    world.run_until(2)
    assert world.results == ["data", "data"]


def test_those_who_ask_for_the_same_share_one_search(world: World) -> None:
    for _ in range(3):
        world.ask()
    world.slow.go_on.set()
    world.run_until(3)
    assert world.results == [PLACE] * 3
    assert len(world.slow.searches) == 1
    world.ask()
    world.run_until(4)
    assert len(world.slow.searches) == 2, "what was found once may have changed"


def test_who_waits_too_long_is_told_so_and_the_late_find_goes_to_later_ones(hasty: World) -> None:
    hasty.ask()
    assert not hasty.results
    hasty.loop.run_once(0)
    [error] = hasty.results
    assert isinstance(error, PeerError)
    assert error.result == HResult.FSRVP_E_WAIT_TIMEOUT
    assert UNC in str(error)
    hasty.lookups._timeout = 60.0
    hasty.ask()
    hasty.slow.go_on.set()
    hasty.run_until(2)
    assert hasty.results[1:] == [PLACE]
    assert len(hasty.slow.searches) == 1


def test_a_search_that_breaks_is_an_answer_too(world: World, caplog: Any) -> None:
    def fail() -> ShareLocation:
        raise ZeroDivisionError("broken")

    world.slow.find = fail
    world.slow.go_on.set()
    world.ask()
    world.run_until(1)
    assert world.results[0].result == HResult.E_UNEXPECTED
    assert "please report this" in caplog.text


def test_everybody_who_waits_has_a_time_of_his_own(hasty: World) -> None:
    """The same for a client that joins a search after all others have given up."""
    hasty.ask()
    hasty.loop.run_once(0)
    hasty.ask()
    hasty.ask()
    assert len(hasty.results) == 1
    hasty.loop.run_once(0)
    assert len(hasty.results) == 3
    hasty.slow.go_on.set()
    hasty.lookups._timeout = 60.0
    hasty.ask()
    hasty.run_until(4)
    assert len(hasty.slow.searches) == 1


def test_a_caller_that_raises_strands_none_of_the_others(world: World) -> None:
    def fail(found: Any) -> None:
        raise ZeroDivisionError

    world.lookups.find(UNC, "S-1-5-21-1", fail)
    world.ask()
    world.slow.go_on.set()
    world.run_until(1)
    assert world.results == [PLACE]


def test_who_asks_for_hundreds_waits_for_his_own(world: World) -> None:
    """A thousand pipes with 32 calls each kept everybody else waiting for 16 s."""
    for number in range(500):
        world.ask(rf"\\nas{number}\live", "S-1-5-21-666")
    world.ask(r"\\nas\live", "S-1-5-21-1")
    world.run_until(501)
    assert world.slow.named.index(r"\\nas\live") <= MOST_OF_CALLER
    assert len(world.slow.named) == 501


def test_what_somebody_else_asks_for_as_well_waits_no_longer(world: World) -> None:
    for number in range(500):
        world.ask(rf"\\nas{number}\live", "S-1-5-21-666")
    world.ask(r"\\nas499\live", "S-1-5-21-1")
    world.run_until(501)
    assert world.slow.named.index(r"\\nas499\live") <= MOST_OF_CALLER


def test_storage_that_hangs_keeps_no_other_lookups_of_its_caller(world: World) -> None:
    for number in range(MOST_OF_CALLER):
        world.ask(rf"\\nas{number}\data")
    for number in range(3):
        world.ask(rf"\\nas{number}\live")
    world.run_until(3)
    assert world.results == [LIVE] * 3


class CountedTimers:
    """A loop whose time stands still."""

    def __init__(self) -> None:
        self.timers: list[Callable[[], None]] = []

    def time(self) -> float:
        return 0.0

    def call_later(self, _: float, callback: Callable[[], None]) -> None:
        self.timers.append(callback)


def test_a_caller_that_waits_again_and_again_has_one_timer() -> None:
    loop: Any = CountedTimers()
    limit = CallerLimit(loop, 1)
    for number in range(100):
        limit.run(f"first {number}", "S-1-5-21-1", lambda: None)
        limit.run(f"second {number}", "S-1-5-21-1", lambda: None)
        limit.end(f"first {number}")
        limit.end(f"second {number}")
    assert len(loop.timers) == 1
    loop.timers.pop()()
    assert loop.timers == []
    limit.run("first", "S-1-5-21-1", lambda: None)
    limit.run("second", "S-1-5-21-1", lambda: None)
    assert len(loop.timers) == 1
