"""Handlers for the messages of the control socket."""

from __future__ import annotations

import os
from typing import Any, Callable, Sequence, TypeVar, Union

from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.agent.share_lookups import Explained, ShareLookups
from fsrvpd.daemon.control import self_test
from fsrvpd.daemon.control.admin_actions import AdminActions, ReloadResult
from fsrvpd.daemon.control.event_watch import EventWatch
from fsrvpd.daemon.control.history_messages import HistoryMessages
from fsrvpd.daemon.control.kept_messages import KeptMessages
from fsrvpd.daemon.control.parameters import Parameters
from fsrvpd.daemon.control.replies import (
    ProgressOf,
    discrepancy_to_json,
    set_to_json,
    snapshot_to_json,
    support_to_json,
)
from fsrvpd.daemon.control.set_messages import SetMessages
from fsrvpd.daemon.control.set_removal import SetRemoval, find_set, parse_set_id
from fsrvpd.daemon.control.socket_server import ControlRequest, Handler
from fsrvpd.daemon.control.status_message import StatusMessage
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.history.recorder import History
from fsrvpd.daemon.reconciliation.discrepancies import Discrepancy
from fsrvpd.daemon.reconciliation.inventory import Inventory
from fsrvpd.daemon.reconciliation.reconciler import ReconcileOptions, Reconciler
from fsrvpd.daemon.retention.keeper import Keeper
from fsrvpd.errors import FsrvpdError

T = TypeVar("T")
SyncHandler = Callable[[Sequence[str]], Any]  # parameters to result


class Handlers:
    """The messages that a running daemon answers."""

    def __init__(
        self,
        loop: EventLoop,
        driver: AgentDriver,
        lookups: ShareLookups,
        reconciler: Reconciler,
        history: History,
        keeper: Keeper,
        actions: AdminActions,
        status: StatusMessage,
        progress_of: ProgressOf,
    ) -> None:
        self._loop = loop
        self._driver = driver
        self._view = driver.view
        self._lookups = lookups
        self._reconciler = reconciler
        self._history = history
        self._keeper = keeper
        self._actions = actions
        self._status = status
        self._progress_of = progress_of

    def by_name(self) -> dict[str, Handler]:
        removal, creation = SetRemoval(self._driver), SetMessages(self._driver)
        kept = KeptMessages(self._driver, self._keeper)
        sync: dict[str, SyncHandler] = {
            "ping": self.ping,
            "list-sets": self.list_sets,
            "show-set": self.show_set,
            "debug": self.debug,
            "debuglevel": self.debug_level,
            "shutdown": self.shutdown,
        }
        return {
            **{name: _sync(handler) for name, handler in sync.items()},
            "abort-set": removal.abort,
            "delete-set": removal.delete,
            "create-set": creation.create,
            "complete-set": creation.complete,
            "status": self._status.status,
            "history": HistoryMessages(self._history).history,
            "list-kept": kept.listing,
            "keep-set": kept.keep,
            "release-set": kept.release,
            "delete-kept": kept.delete,
            "check-path": self.check_path,
            "list-snapshots": self.list_snapshots,
            "prune": self.prune,
            "reload-config": self.reload_config,
            "self-test": self.self_test,
            "watch-events": self.watch_events,
        }

    def ping(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 0, "ping")
        return {"pid": os.getpid()}

    def list_sets(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 0, "list-sets")
        return [set_to_json(each, self._progress_of) for each in self._view.all_sets]

    def show_set(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 1, "show-set ID")
        return set_to_json(find_set(self._view, parse_set_id(parameters[0])), self._progress_of)

    def debug(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 1, "debug LEVEL")
        self._actions.set_debug_level(parameters[0])
        return self.debug_level([])

    def debug_level(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 0, "debuglevel")
        return {"pid": os.getpid(), "level": self._actions.debug_level}

    def shutdown(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 0, "shutdown")
        self._actions.shutdown()
        return {"pid": os.getpid()}

    def reload_config(self, parameters: Sequence[str], request: ControlRequest) -> None:
        _expect(parameters, 0, "reload-config")

        def done(result: ReloadResult) -> None:
            if isinstance(result, FsrvpdError):
                request.fail(f"the previous configuration stays in force: {result}")
            else:
                request.finish({"warnings": list(result)})

        self._actions.reload(done)

    def check_path(self, parameters: Sequence[str], request: ControlRequest) -> None:
        _expect(parameters, 1, "check-path SHARE")

        def done(explained: Explained) -> None:
            _answer(request, explained, support_to_json)

        self._lookups.explain(parameters[0], done)

    def list_snapshots(self, parameters: Sequence[str], request: ControlRequest) -> None:
        _expect(parameters, 0, "list-snapshots")

        def to_json(inventory: Inventory) -> Any:
            sets = self._view.all_sets
            copies = {copy.shadow_copy_id for each in sets for copy in each.shadow_copy_list}
            known = frozenset(map(format_guid, copies))
            for path in sorted(inventory.silent):
                step = f"{path}: its storage does not answer; its snapshots are not listed"
                request.send_event({"step": step})
            found = sorted(inventory.found, key=lambda each: each.snapshot.created)
            return [snapshot_to_json(each, known, inventory) for each in found]

        self._reconciler.scan(lambda result: _answer(request, result, to_json))

    def prune(self, parameters: Sequence[str], request: ControlRequest) -> None:
        usage = "prune [--dry-run] [--server NAME] [--even-shared]"
        given = Parameters.read(parameters, usage, ["dry-run", "even-shared"], ["server"])
        if given.names:
            raise FsrvpdError(f"usage: {usage}")
        options = ReconcileOptions(
            "dry-run" in given.flags,
            everything=True,
            former=given.values.get("server", ""),
            even_shared="even-shared" in given.flags,
        )

        def done(result: Union[list[Discrepancy], FsrvpdError]) -> None:
            _answer(request, result, lambda found: [discrepancy_to_json(each) for each in found])

        self._reconciler.reconcile(options, done)

    def self_test(self, parameters: Sequence[str], request: ControlRequest) -> None:
        _expect(parameters, 1, "self-test SHARE")
        self_test.begin(self._driver, self._lookups, parameters[0], request)

    def watch_events(self, parameters: Sequence[str], request: ControlRequest) -> None:
        _expect(parameters, 0, "watch-events")
        EventWatch(self._loop, self._view, request)


def _answer(
    request: ControlRequest, result: Union[T, FsrvpdError], to_json: Callable[[T], Any]
) -> None:
    """Reply with a result or with the error that there is instead of one."""

    def reply() -> None:
        if isinstance(result, FsrvpdError):
            raise result
        request.finish(to_json(result))

    request.guard(reply)


def _sync(handler: SyncHandler) -> Handler:
    """A handler whose result is there at once."""
    return lambda parameters, request: request.finish(handler(parameters))


def _expect(parameters: Sequence[str], number: int, usage: str) -> None:
    if len(parameters) != number:
        raise FsrvpdError(f"usage: {usage}")
