"""The reply to `status`, and its pages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fsrvpd.daemon.control.status_message import PAGE, StatusMessage
from fsrvpd.daemon.history.recorder import HistoryPage
from fsrvpd.daemon.status.shares import NOT_READY, READY, Overview, ShareState, VolumeState
from fsrvpd.errors import FsrvpdError
from fsrvpd.store.history_records import Backup, SetRecord
from tests.unit.daemon.control.examples import (
    SET,
    SET_ID,
    RecordedRequest,
    SetsView,
    recovered_set,
)

RECORD = SetRecord("{1}", "192.0.2.1", "LAB\\b", ("data",), 5.0, "completed")


class View(SetsView):
    settings = SimpleNamespace(dialect=SimpleNamespace(name="current"))
    retrying: frozenset[bytes] = frozenset()
    unconcluded: frozenset[bytes] = frozenset()
    unreadable: frozenset[bytes] = frozenset()


class World:
    def __init__(self) -> None:
        self.view = View(recovered_set())
        self.owns_pipe = True
        self.page: Any = HistoryPage([RECORD, RECORD], None)
        self.overview = Overview(
            [ShareState("Data", READY, "", "btrfs", "/vol"), ShareState("x", NOT_READY, "ext4")],
            [VolumeState("/vol", 50, 100, 2, 1, 9.0)],
        )
        self.driver = SimpleNamespace(
            view=self.view, calls={"SetContext": 2}, failures={}, store_failure=""
        )
        server = SimpleNamespace(
            path="/run/p", owns_pipe=lambda: self.owns_pipe, retaken=1, number_of_connections=2
        )
        self.history = SimpleNamespace(
            read=lambda query, done: done(self.page),
            last_sets={},
            backups={"data": Backup("data", 1.0, 2.0, "{1}")},
            refusals=[],
            failure="",
        )
        states = SimpleNamespace(find=lambda done: done(self.overview))
        actions = SimpleNamespace(debug_level=3)
        parts: Any = (self.driver, server, states, self.history, actions)
        self.message = StatusMessage(*parts, "4.17.12", "")

    def ask(self, *words: str) -> Any:
        request: Any = RecordedRequest()
        self.message.status(words, request)
        return request.result


@pytest.fixture
def world() -> World:
    return World()


def test_everything_is_there(world: World) -> None:
    status = world.ask()
    assert (status["running"], status["well"], status["problems"]) == (True, True, [])
    assert status["pipe"]["retaken"] == 1
    assert status["sets"]["Recovered"] == 1
    assert (status["dialect"], status["samba_version"]) == ("current", "4.17.12")
    assert status["callers"] == [{"account": "LAB\\b", "client": "192.0.2.1", "last": 5.0}]
    data, other = status["shares"]
    assert data["last_backup"] == {"set": "{1}", "committed": 1.0, "completed": 2.0}
    assert (other["state"], other["last_backup"]) == ("not-ready", None)
    assert status["volumes"][0]["kept"] == 1


def test_what_is_wrong_with_the_daemon_itself(world: World) -> None:
    world.owns_pipe = False
    world.driver.store_failure = "the disk is full"
    world.view.retrying = world.view.unreadable = frozenset({SET})
    world.view.unconcluded = frozenset({SET})
    world.page = FsrvpdError("no file")
    status = world.ask()
    assert not status["well"]
    found = {each["what"]: each for each in status["problems"]}
    assert list(found) == [
        "pipe-hijacked",
        "state-not-written",
        "removal-failed",
        "step-unknown",
        "set-unreadable",
        "history-not-written",
    ]
    assert all(each["next_step"] for each in found.values())
    assert SET_ID in found["removal-failed"]["text"]


def test_ten_thousand_shares_come_in_pages(world: World) -> None:
    world.overview = Overview([ShareState(str(n), READY) for n in range(10_000)], [])
    page = world.ask()
    found, pages = page["shares"], 1
    while page["more"]:
        page = world.ask(f"--after={page['more']}")
        found, pages = found + page["shares"], pages + 1
    assert [each["share"] for each in found] == [str(n) for n in range(10_000)]
    assert pages == 10_000 // PAGE


def test_the_age_of_backups_counts_as_configured(world: World) -> None:
    assert world.ask()["well"]
    world.message.configure(2)
    assert [each["what"] for each in world.ask()["problems"]] == ["backup-too-old"]


@pytest.mark.parametrize("word", ["now", "--after=x", "--after="])
def test_wrong_usage(world: World, word: str) -> None:
    with pytest.raises(FsrvpdError, match="usage: status"):
        world.ask(word)
