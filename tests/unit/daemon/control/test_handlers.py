"""The messages of the control socket, and what each of them calls."""

from __future__ import annotations

import logging
import os
from types import SimpleNamespace
from typing import Any, Iterator

import pytest

from fsrvpd.ctl.messages import MESSAGES
from fsrvpd.daemon.control.handlers import Handlers
from fsrvpd.daemon.log.events import report
from fsrvpd.daemon.reconciliation.discrepancies import Discrepancy
from fsrvpd.daemon.reconciliation.inventory import Inventory
from fsrvpd.daemon.reconciliation.reconciler import ReconcileOptions
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import FoundSnapshot
from fsrvpd.shares.volumes import ShareSupport
from tests.unit.daemon.control.examples import (
    COPY_ID,
    LOCATION,
    SET_ID,
    SNAPSHOT,
    RecordedRequest,
    SetsView,
    recovered_set,
)
from tests.unit.daemon.fake_loop import FakeLoop

ORPHAN = Discrepancy("orphan-share", "data@{…}", "no set knows it", "remove")


class View(SetsView):
    settings = SimpleNamespace(dialect=SimpleNamespace(name="current"))


def _no_status(parameters: Any, request: Any) -> None:
    """test_status_message.py has the real one."""
    raise FsrvpdError("usage: status")


class Daemon:
    """Handlers with components that answer at once, with `answer` if that is set."""

    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.answer: Any = None
        self.asked: list[Any] = []
        self.sets = [recovered_set()]
        driver = SimpleNamespace(
            view=View(*self.sets), calls={"SetContext": 2}, failures={"ZERO": 0}
        )
        lookups = SimpleNamespace(explain=self._ask)
        reconciler = SimpleNamespace(scan=lambda done: done(self.answer), reconcile=self._ask)
        self.actions = SimpleNamespace(
            debug_level=3,
            set_debug_level=self.asked.append,
            reload=lambda done: done(self.answer),
            shutdown=lambda: self.asked.append("shutdown"),
        )
        history = SimpleNamespace(read=self._ask, refusals=[])
        keeper = SimpleNamespace()
        status = SimpleNamespace(status=_no_status)
        parts: Any = (driver, lookups, reconciler, history, keeper, self.actions, status)
        self.handlers = Handlers(self.loop, *parts, lambda *_: None).by_name()

    def _ask(self, what: Any, done: Any) -> None:
        self.asked.append(what)
        done(self.answer)

    def request(self, message: str, *parameters: str) -> RecordedRequest:
        request: Any = RecordedRequest()
        self.handlers[message](parameters, request)
        return request  # type: ignore[no-any-return]


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    made = Daemon()
    yield made
    made.loop.close()


def test_fsrvpctl_knows_the_same_messages(daemon: Daemon) -> None:
    assert set(daemon.handlers) == {message.name for message in MESSAGES}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: each.name)
def test_a_message_with_a_wrong_number_of_parameters_is_refused(
    daemon: Daemon, message: Any
) -> None:
    if message.takes(0) and message.takes(1):
        return  # any number of parameters
    words = () if message.takes(2) else (*message.parameters, "more")
    with pytest.raises(FsrvpdError, match=f"^usage: {message.name}"):
        daemon.request(message.name, *words)
    assert daemon.asked == []


def test_ping_and_shutdown(daemon: Daemon) -> None:
    assert daemon.request("ping").result == {"pid": os.getpid()}
    assert daemon.request("shutdown").result == {"pid": os.getpid()}
    assert daemon.asked == ["shutdown"]


def test_debug(daemon: Daemon) -> None:
    assert daemon.request("debug", "3").result == {"pid": os.getpid(), "level": 3}
    assert daemon.request("debuglevel").result == {"pid": os.getpid(), "level": 3}
    assert daemon.asked == ["3"]


def test_sets(daemon: Daemon) -> None:
    [one] = daemon.request("list-sets").result
    assert daemon.request("show-set", SET_ID).result == one
    assert one["set"] == SET_ID


def test_a_reload_with_warnings_and_one_that_is_refused(daemon: Daemon) -> None:
    daemon.answer = ("there is no such option",)
    assert daemon.request("reload-config").result == {"warnings": ["there is no such option"]}
    daemon.answer = FsrvpdError("the port is taken")
    error = daemon.request("reload-config").error
    assert error == "the previous configuration stays in force: the port is taken"


def test_check_path(daemon: Daemon) -> None:
    daemon.answer = ShareSupport(LOCATION.share, "/vol/data", LOCATION, HResult.ZERO, "", {})
    assert daemon.request("check-path", "data").result["provider"] == "btrfs"
    daemon.answer = FsrvpdError("there is no share x")
    assert daemon.request("check-path", "x").error == "there is no share x"
    assert daemon.asked == ["data", "x"]


def test_list_snapshots_has_the_oldest_first(daemon: Daemon) -> None:
    old = FoundSnapshot(SNAPSHOT._replace(created=1.0), SET_ID, "{other}", "data", "NAS")
    new = FoundSnapshot(SNAPSHOT, SET_ID, COPY_ID, "data", "NAS")
    daemon.answer = Inventory([new, old], frozenset(), {}, frozenset(), {}, {})
    owners = [each["owner"] for each in daemon.request("list-snapshots").result]
    assert owners == ["none", "set"]
    daemon.answer = FsrvpdError("the registry is locked")
    assert daemon.request("list-snapshots").error == "the registry is locked"


def test_list_snapshots_names_storage_that_is_silent(daemon: Daemon) -> None:
    silent = frozenset(["/vol"])
    daemon.answer = Inventory([], frozenset(), {}, frozenset(), {}, {}, silent=silent)
    request = daemon.request("list-snapshots")
    assert request.result == []
    [event] = request.events
    assert event["step"].startswith("/vol: its storage does not answer")


@pytest.mark.parametrize("dry_run", [True, False])
def test_prune(daemon: Daemon, dry_run: bool) -> None:
    daemon.answer = [ORPHAN]
    result = daemon.request("prune", *["--dry-run"] * dry_run).result
    assert [each["what"] for each in result] == ["orphan-share"]
    assert daemon.asked == [ReconcileOptions(dry_run, everything=True)]
    daemon.answer = FsrvpdError("the registry is locked")
    assert daemon.request("prune").error == "the registry is locked"


def test_prune_of_an_earlier_name(daemon: Daemon) -> None:
    daemon.answer = []
    daemon.request("prune", "--server=OLD NAME", "--even-shared")
    assert daemon.asked == [ReconcileOptions(False, True, "OLD NAME", True)]
    with pytest.raises(FsrvpdError, match="usage: prune"):
        daemon.request("prune", "OLD")
    with pytest.raises(FsrvpdError, match="no such option"):
        daemon.request("prune", "--server")


def test_watch_events_until_the_client_disconnects(daemon: Daemon) -> None:
    request = daemon.request("watch-events")
    report(logging.getLogger("fsrvpd.test"), "set-removed", "gone", set=SET_ID)
    assert len(request.events) == 1, "another thread may have reported it"
    daemon.loop.advance(0)
    assert [event["event"] for event in request.events] == ["resync", "set-removed"]
    request.close()
    report(logging.getLogger("fsrvpd.test"), "set-removed")
    daemon.loop.advance(0)
    assert len(request.events) == 2
