"""A reload that fails changes nothing and gets a reply, and the next one works."""

from __future__ import annotations

import logging
import threading
from typing import Any, Callable, Iterator, Optional

import pytest

from fsrvpd.config.daemon_options import DaemonSettings
from fsrvpd.config.load import Configuration
from fsrvpd.daemon.control import admin_actions
from fsrvpd.daemon.control.admin_actions import AdminActions, LogLevel
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.errors import ConfigError, FsrvpdError
from samba_hooks.configuration import SambaConfiguration

SAMBA = SambaConfiguration(**dict.fromkeys(SambaConfiguration._fields, ""))  # type: ignore[arg-type]


class World:
    """Admin actions that can be made to raise while reading or applying."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop = EventLoop()
        self.reading: Optional[Exception] = None
        self.applying: Optional[Exception] = None
        self.applied = 0
        self.answers: list[Any] = []
        monkeypatch.setattr(admin_actions, "read_configuration", self._read)
        registry: Any = None
        self.actions = AdminActions(self.loop, registry, SAMBA, LogLevel(0), self._apply)

    def _read(self, registry: Any) -> Configuration:
        if self.reading is not None:
            raise self.reading
        settings: Any = DaemonSettings
        return Configuration(SAMBA, settings, (), {})

    def _apply(self, configuration: Configuration) -> None:
        if self.applying is not None:
            raise self.applying
        self.applied += 1

    def reload(self, done: Optional[Callable[[Any], None]] = None) -> None:
        self.actions.reload(done or self.answers.append)

    def wait_for(self, number: int) -> None:
        for _ in range(200):
            if len(self.answers) >= number:
                return
            self.loop.run_once(0.1)
        raise AssertionError("a reload was never answered")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(monkeypatch)
    yield made
    made.loop.close()


ERRORS = [ConfigError("refused"), OSError(28, "full"), KeyError("gone"), ZeroDivisionError("bug")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["reading", "applying"])
def test_a_reload_that_raises_is_answered_and_the_next_one_works(
    world: World, where: str, error: Exception
) -> None:
    setattr(world, where, error)
    world.reload()
    world.wait_for(1)
    assert isinstance(world.answers[0], FsrvpdError)
    assert world.applied == 0
    setattr(world, where, None)
    world.reload()
    world.wait_for(2)
    assert world.answers[1] == ()
    assert world.applied == 1


def test_whoever_asks_meanwhile_is_answered_by_a_reading_of_its_own(world: World) -> None:
    def correct(loaded: Any) -> None:
        world.answers.append(loaded)
        world.applying = None

    world.applying = KeyError("gone")
    world.reload(correct)
    world.reload()
    world.wait_for(2)
    assert isinstance(world.answers[0], FsrvpdError)
    assert world.answers[1] == ()


def test_a_listener_that_raises_holds_up_nobody_who_asked_behind_it(world: World) -> None:
    def fail(loaded: Any) -> None:
        raise ZeroDivisionError

    world.reload(fail)
    world.reload()
    world.wait_for(1)
    assert world.answers == [()]


def test_a_reload_for_which_no_thread_can_be_started_is_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> Any:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as context:
        context.setattr(admin_actions.threading, "Thread", fail)
        world.reload()
    world.wait_for(1)
    assert "can't start new thread" in str(world.answers[0])
    world.reload()
    world.wait_for(2)
    assert world.answers[1] == ()


@pytest.mark.parametrize("text", ["loud", "-1", "11", "9" * 20, "9" * 5000])
def test_a_debug_level_that_samba_does_not_have_is_refused(world: World, text: str) -> None:
    before = world.actions.debug_level
    with pytest.raises(FsrvpdError, match="the level must be a number from 0 to 10"):
        world.actions.set_debug_level(text)
    assert world.actions.debug_level == before


def test_the_highest_debug_level_is_taken(world: World) -> None:
    logger = logging.getLogger()
    before = logger.level
    try:
        world.actions.set_debug_level("10")
        assert world.actions.debug_level == 10
    finally:
        logger.setLevel(before)


def test_the_shares_are_checked_after_the_start_in_a_few_lines(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings: Any = DaemonSettings
    started_with = Configuration(SAMBA, settings, ("said already",), {})
    mistakes = {f"user{number}": f"mistake {number}" for number in range(1000)}
    checked: list[Configuration] = []

    def add_shares(found: Configuration, registry: Any) -> Configuration:
        checked.append(found._replace(mistakes=mistakes))
        return checked[-1]

    monkeypatch.setattr(admin_actions, "add_shares", add_shares)
    caplog.set_level(logging.INFO)
    world.actions.check_shares(started_with)
    for thread in threading.enumerate():
        if thread.name == "check":
            thread.join()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == admin_actions.MOST_WARNINGS + 1
    assert "share user0: mistake 0" in lines[0]
    assert "980 more; fsrvpctl check-config lists them" in lines[-1]
