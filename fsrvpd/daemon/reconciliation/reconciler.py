"""Reconciles the state with storage and registry, when the daemon starts and when an admin
asks, and removes sets that have exceeded their maximum age.

The inventory and the removal of orphans block, so they have a thread of their own; everything
that concerns a set is decided in the loop's thread, and done by the agent.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Callable, Iterable, Mapping, NamedTuple, Optional, TypeVar, Union

from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.event_loop import EventLoop, TimerHandle
from fsrvpd.daemon.log.events import report
from fsrvpd.daemon.reconciliation.discrepancies import (
    FORGET_COPY,
    KEEP,
    MOUNT,
    ORPHAN_MOUNT,
    RECREATE_SHARE,
    REMOVE,
    VOLUME_SILENT,
    Discrepancy,
    KnownState,
    RetentionPolicy,
    missing,
    mounts,
    orphans,
    silent,
    volume_of,
)
from fsrvpd.daemon.reconciliation.inventory import Inventory, InventoryScanner, Volume
from fsrvpd.daemon.worker_threads import WorkerThreads
from fsrvpd.errors import FsrvpdError
from fsrvpd.exports.mounts import Exports
from fsrvpd.protocol.ports import ShareRegistry, Snapshot

log = logging.getLogger("fsrvpd.reconciler")

EXPIRY_INTERVAL = 600.0  # s between two checks of the ages of sets
REPEAT_AFTER = 1.0  # s after storage that hung has answered: other calls of it end too

T = TypeVar("T")
Done = Callable[[Union[list[Discrepancy], FsrvpdError]], None]


class ReconcileOptions(NamedTuple):
    """`dry_run`: report, change nothing. `everything`: orphans of another state file are
    removed as well. `former` and `even_shared` as in `RetentionPolicy`."""

    dry_run: bool = False
    everything: bool = False
    former: str = ""
    even_shared: bool = False


class Reconciler:
    """Belongs to the loop's thread. `delete` removes a snapshot and its exports. `state` is the
    id of the state file. `fresh` are the ids of copies just taken for Samba's own agent, which
    may not have shared them yet."""

    def __init__(
        self,
        loop: EventLoop,
        driver: AgentDriver,
        scanner: InventoryScanner,
        delete: Callable[[Snapshot], None],
        exports: Exports,
        registry: ShareRegistry,
        state: str,
        fresh: Callable[[], frozenset[str]],
    ) -> None:
        self._loop = loop
        self._driver = driver
        self._view = driver.view
        self._scanner = scanner
        self._delete = delete
        self._exports = exports
        self._registry = registry
        self._state = state
        self._fresh = fresh
        self._thread = WorkerThreads("reconciler", most=1)
        self._repetition: Optional[TimerHandle] = None
        self._expiry_timer = loop.call_at(loop.time(), self.remove_expired)

    def close(self) -> None:
        """Do not wait for running work: it can be repeated."""
        self._thread.close()
        self._scanner.close()

    # Age.

    def remove_expired(self) -> None:
        """Remove sets that are too old, now and every EXPIRY_INTERVAL s from now on."""
        self._expiry_timer.cancel()
        self._expiry_timer = self._loop.call_later(EXPIRY_INTERVAL, self.remove_expired)
        self._driver.remove_expired()

    # State, storage and registry.

    def scan(self, done: Callable[[Union[Inventory, FsrvpdError]], None]) -> None:
        """Take an inventory and change nothing."""
        volumes, snapshots = self._locations(self._view.stable_revisions())

        def attempt() -> None:
            result = _attempt(lambda: self._scanner.scan(volumes, snapshots))
            self._loop.call_soon_threadsafe(lambda: done(result))

        self._thread.submit(attempt)

    def reconcile(self, options: ReconcileOptions, done: Done) -> None:
        """Take an inventory, compare, and repair; `done` gets what did not fit, or the error."""
        before, revisions = self._known(), self._view.stable_revisions()

        def compare(inventory: Union[Inventory, FsrvpdError]) -> None:
            result: Union[list[Discrepancy], FsrvpdError]
            if isinstance(inventory, FsrvpdError):
                result = inventory
            else:
                found = inventory
                result = _attempt(lambda: self._plan(options, before, revisions, found))
            if isinstance(result, FsrvpdError):
                report(log, "reconcile-failed", str(result))
                done(result)
            elif options.dry_run:
                done(result)
            else:
                if any(each.kind == VOLUME_SILENT for each in result):
                    self._scanner.when_silent_answers(self._repeat_soon)
                self._repair(result, done)

        self.scan(compare)

    def _repeat_soon(self) -> None:
        """From any thread. Reconcile again, once however many calls have returned."""

        def schedule() -> None:
            if self._repetition is None:
                self._repetition = self._loop.call_later(REPEAT_AFTER, repeat)

        def repeat() -> None:
            self._repetition = None
            self.reconcile(ReconcileOptions(), lambda _: None)

        self._loop.call_soon_threadsafe(schedule)

    def _known(self) -> KnownState:
        known = KnownState.of(self._view.all_sets, self._view.unreadable)
        return known._replace(copies=known.copies | self._fresh())

    def _locations(self, set_ids: Iterable[Guid]) -> tuple[set[Volume], list[Snapshot]]:
        sets = [each for each in map(self._view.get, set_ids) if each is not None]
        copies = [copy for each in sets for copy in each.shadow_copy_list]
        volumes = {volume_of(copy) for copy in copies}
        return volumes, [copy.snapshot for copy in copies if copy.snapshot is not None]

    def _plan(
        self,
        options: ReconcileOptions,
        before: KnownState,
        revisions: Mapping[Guid, int],
        inventory: Inventory,
    ) -> list[Discrepancy]:
        """What does not fit. An orphan was known neither before the inventory nor is it now; of
        sets only those count that have not changed meanwhile."""
        server = self._view.settings.owner_machine_name
        _, everything, former, even_shared = options
        policy = RetentionPolicy(
            server, self._state, everything, former, even_shared, inventory.shared
        )
        known = before.union(self._known())
        now = (self._view.unchanged_since(*each) for each in revisions.items())
        unchanged = [each for each in now if each is not None]
        return [
            *orphans(inventory, known, policy),
            *mounts(inventory, known, policy),
            *missing(inventory, unchanged),
            *silent(inventory),
        ]

    def _repair(self, discrepancies: list[Discrepancy], done: Done) -> None:
        for discrepancy in discrepancies:
            _log(discrepancy)
            _attempt(partial(self._repair_set, discrepancy))

        def remove() -> None:
            results = [self._repair_outside(discrepancy) for discrepancy in discrepancies]
            self._loop.call_soon_threadsafe(lambda: done(results))

        self._thread.submit(remove)

    def _repair_set(self, discrepancy: Discrepancy) -> None:
        key = discrepancy.shadow_copy_set_id
        if key is None:
            return
        copy_id, names = discrepancy.shadow_copy_id, discrepancy.names
        if discrepancy.action == FORGET_COPY and copy_id is not None:
            self._driver.snapshot_gone(key, copy_id)
        elif discrepancy.action == RECREATE_SHARE:
            self._driver.share_gone(key, names)
        elif discrepancy.action == MOUNT:
            self._driver.mount_gone(key, names)

    def _repair_outside(self, discrepancy: Discrepancy) -> Discrepancy:
        """What belongs to no set: the discrepancy, or why it was not repaired. In the thread."""
        if discrepancy.shadow_copy_set_id is None and discrepancy.action == MOUNT:
            return self._mount(discrepancy)
        if discrepancy.shadow_copy_set_id is None and discrepancy.action == REMOVE:
            return self._remove_orphan(discrepancy)
        return discrepancy

    def _mount(self, discrepancy: Discrepancy) -> Discrepancy:
        export = discrepancy.export
        error = None if export is None else _attempt(partial(self._exports.make, export))
        if error is not None:
            log.error("%s could not be mounted: %s", discrepancy.object, error)
            return discrepancy._replace(action=KEEP, reason=f"it could not be mounted: {error}")
        return discrepancy

    def _remove_orphan(self, discrepancy: Discrepancy) -> Discrepancy:
        error = _attempt(partial(self._remove, discrepancy))
        if error is not None:
            report(log, "orphan-kept", f"{discrepancy.object} could not be removed: {error}")
            return discrepancy._replace(action=KEEP, reason=f"it could not be removed: {error}")
        report(log, "orphan-removed", f"{discrepancy.object} was removed", set="-")
        return discrepancy

    def _remove(self, orphan: Discrepancy) -> None:
        if orphan.kind == ORPHAN_MOUNT:
            self._exports.remove_mount(orphan.object)
        if orphan.names:
            self._registry.unexpose(orphan.names)
        if orphan.snapshot is not None:
            self._delete(orphan.snapshot)


def _log(discrepancy: Discrepancy) -> None:
    key = discrepancy.shadow_copy_set_id
    text = f"{discrepancy.object}: {discrepancy.reason} ({discrepancy.action})"
    report(log, discrepancy.kind, text, set=format_guid(key) if key else "-")


def _attempt(function: Callable[[], T]) -> Union[T, FsrvpdError]:
    """What the function returns, or the error that it raises: somebody waits for the answer,
    whatever happens."""
    try:
        return function()
    except FsrvpdError as error:
        return error
    except Exception as error:
        log.exception("the reconciler failed; please report this")
        return FsrvpdError(f"{type(error).__name__}: {error}; please report this")
