"""Keeps the history: takes down in the loop's thread, writes in a thread of its own.

What has changed is written a second later, not while applications are frozen; it is brought to
the disk when no set is being created, nor was a second ago, so that no sequence waits for that.
A file that cannot be written stops nothing: what happens is kept in memory, and written when it
can be.
"""

from __future__ import annotations

import logging
import time
from threading import Event
from typing import Callable, Mapping, NamedTuple, Optional, Union

from fsrvpd.core.messages import parse_guid
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.event_loop import EventLoop, TimerHandle
from fsrvpd.daemon.history.refusals import LastRefusals, of_event
from fsrvpd.daemon.history.sets import CREATION, SetFollower
from fsrvpd.daemon.log import events
from fsrvpd.daemon.log.events import Field, report
from fsrvpd.daemon.log.levels import REFUSED
from fsrvpd.daemon.worker_threads import WorkerThreads
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.model import SELF_TEST
from fsrvpd.protocol.unc import normal_share
from fsrvpd.store.history import DAMAGED, Changes, HistoryStore, Query, Remembered
from fsrvpd.store.history_records import RECENT, RUNNING, Backup, RefusalRecord, SetRecord

log = logging.getLogger("fsrvpd.history")

DELAY = 1.0  # s from a change until it is written
MOST_DELAY = 10.0  # s; then it is written although applications may be frozen
QUIET = 0.9  # s without a call for a set before the file is synced
RETRY = 60.0  # s after a failure
MAX_SHARES = 20_000  # whose last sets are known
MAX_PENDING = 2000  # records of sets that wait in memory; then the oldest are lost
CLOSE_TIMEOUT = 2.0  # s that the last write may take when the daemon ends

Page = Union["HistoryPage", FsrvpdError]


class HistoryPage(NamedTuple):
    """Sets, the newest first. `more`: how to ask for the next page, None when there is none."""

    sets: list[SetRecord]
    more: Optional[tuple[float, str]]


class History:
    """Belongs to the loop's thread. Raises: FsrvpdError when no thread can be started."""

    def __init__(
        self,
        loop: EventLoop,
        driver: AgentDriver,
        store: HistoryStore,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.failure = ""  # why the file cannot be written, if so
        self._loop = loop
        self._store = store
        self._wall_clock = wall_clock
        self._thread = WorkerThreads("history", most=1)
        self._sets = SetFollower(
            driver.view, loop.time, wall_clock, self._take_set, self._take_backup
        )
        self._refusals = LastRefusals()
        self._backups: dict[str, Backup] = {}  # by the share's normal name
        self._last_sets: dict[str, SetRecord] = {}
        self._pending: dict[str, SetRecord] = {}
        self._pending_backups: dict[str, Backup] = {}
        self._refusals_changed = False
        self._timer: Optional[TimerHandle] = None
        self._latest = 0.0  # when it is written in any case
        self._is_writing = True  # until the file is open
        self._unsynced = True  # set by the thread, read when it has ended its work
        driver.observe(self._sets.answered, CREATION)
        driver.observe_sets(self._sets.carried_out)
        self._stop_watching = events.watch(self._take_event, REFUSED)
        self._thread.submit(self._open)

    @property
    def backups(self) -> Mapping[str, Backup]:
        """The last completed backup of each share, by its name as `normal_share` gives it."""
        return self._backups

    @property
    def last_sets(self) -> Mapping[str, SetRecord]:
        """The last set with each share that has ended or was completed, in the last days."""
        return self._last_sets

    @property
    def refusals(self) -> list[RefusalRecord]:
        """The last ones, the oldest first."""
        return self._refusals.all()

    def read(self, query: Query, done: Callable[[Page], None]) -> None:
        """Find sets, with all that has happened until now."""
        changes = self._take_changes()

        def work() -> None:
            found: Page
            failure = self._write(changes, sync=False)
            try:
                sets = self._store.sets(query)
                more = (sets[-1].started, sets[-1].id) if len(sets) == query.limit else None
                found = HistoryPage(sets, more)
            except FsrvpdError as error:
                found = error
            self._loop.call_soon_threadsafe(lambda: self._written(changes, failure))
            self._loop.call_soon_threadsafe(lambda: done(found))

        self._thread.submit(work)

    def close(self) -> None:
        """Write what is left, if that takes no time."""
        self._stop_watching()
        changes = self._take_changes()
        ended = Event()
        self._thread.submit(lambda: self._write(changes, sync=True))
        self._thread.submit(self._store.close)
        self._thread.submit(ended.set)
        ended.wait(CLOSE_TIMEOUT)
        self._thread.close()

    # Taking down.

    def _take_set(self, record: SetRecord) -> None:
        self._pending.pop(record.id, None)
        self._pending[record.id] = record
        for name in _names(record):
            known = self._last_sets.pop(name, record)
            self._last_sets[name] = known if known.started > record.started else record
        while len(self._last_sets) > MAX_SHARES:
            del self._last_sets[next(iter(self._last_sets))]
        if len(self._pending) > MAX_PENDING:
            del self._pending[next(iter(self._pending))]
        self._write_soon()

    def _take_backup(self, backup: Backup) -> None:
        key = normal_share(backup.share)
        self._backups[key] = self._pending_backups[key] = backup
        self._write_soon()

    def _take_event(self, event: events.Event, text: str, fields: Mapping[str, Field]) -> None:
        """In any thread."""
        if event.level == REFUSED:
            record = of_event(event, text, fields, self._wall_clock())
            self._loop.call_soon_threadsafe(lambda: self._take_refusal(record))

    def _take_refusal(self, record: RefusalRecord) -> None:
        self._refusals.add(record)
        self._refusals_changed = True
        self._write_soon()

    # Writing.

    def _write_soon(self, delay: float = DELAY) -> None:
        if self._timer is None and not self._is_writing:
            self._latest = self._loop.time() + MOST_DELAY
            self._timer = self._loop.call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        if self._sets.window_is_open and self._loop.time() < self._latest:
            self._timer = self._loop.call_later(DELAY, self._on_timer)
            return
        self._timer = None
        self._is_writing = True
        changes, sync = self._take_changes(), self._sets.is_quiet(QUIET)

        def work() -> None:
            failure = self._write(changes, sync=sync)
            self._loop.call_soon_threadsafe(lambda: self._written(changes, failure))

        self._thread.submit(work)

    def _take_changes(self) -> Changes:
        refusals = self.refusals if self._refusals_changed else None
        changes = Changes(
            list(self._pending.values()), list(self._pending_backups.values()), refusals
        )
        self._pending, self._pending_backups = {}, {}
        self._refusals_changed = False
        return changes

    def _written(self, changes: Changes, failure: str) -> None:
        self._is_writing = False
        if failure:
            self._write_soon(RETRY)  # before what waits would ask for a write in a second
            later, self._pending = self._pending, {}
            for record in (*changes.sets, *later.values()):
                self._take_set(record)
            for backup in changes.backups:
                self._pending_backups.setdefault(normal_share(backup.share), backup)
            self._refusals_changed |= changes.refusals is not None
            if failure != self.failure:
                report(log, "history-not-written", f"{failure}; it is kept in memory meanwhile")
        self.failure = failure
        to_sync = self._unsynced and not self._sets.is_creating
        if self._pending or self._pending_backups or self._refusals_changed or to_sync:
            self._write_soon()

    # In the thread.

    def _open(self) -> None:
        remembered, failure = Remembered((), (), ()), ""
        last_sets: dict[str, SetRecord] = {}
        try:
            self._store.open()
            remembered = self._store.remembered()
            last_sets = self._read_last_sets()
        except FsrvpdError as error:
            failure = str(error)
        except Exception as error:
            log.exception("the history failed unexpectedly; please report this")
            failure = f"{type(error).__name__}: {error}"
        self._report_damage()
        self._loop.call_soon_threadsafe(lambda: self._resume(remembered, last_sets, failure))

    def _read_last_sets(self) -> dict[str, SetRecord]:
        found: dict[str, SetRecord] = {}
        query = Query(since=self._wall_clock() - RECENT)
        while sets := self._store.sets(query):
            for record in sets:
                for name in _names(record):
                    found.setdefault(name, record)
            query = query._replace(before=(sets[-1].started, sets[-1].id))
        return found

    def _resume(
        self, remembered: Remembered, last_sets: dict[str, SetRecord], failure: str
    ) -> None:
        self._last_sets = {**last_sets, **self._last_sets}
        for backup in remembered.backups:
            self._backups.setdefault(normal_share(backup.share), backup)
        self._refusals.resume(remembered.refusals)
        self._sets.resume(remembered.unfinished, parse_guid)
        self._written(Changes(), failure)

    def _write(self, changes: Changes, *, sync: bool) -> str:
        """Returns why it failed, if so."""
        try:
            if any(changes):
                self._store.write(changes, self._wall_clock())
                self._unsynced = True
            if sync or self._store.log_is_long():
                self._store.sync()
                self._unsynced = False
        except FsrvpdError as error:
            return str(error)
        except Exception as error:
            log.exception("the history failed unexpectedly; please report this")
            return f"{type(error).__name__}: {error}"
        finally:
            self._report_damage()
        return ""

    def _report_damage(self) -> None:
        damage = self._store.take_damage()
        if damage:
            path = self._store.path + DAMAGED
            report(log, "history-damaged", f"{damage}; it is {path} now, and a new one is begun")


def _names(record: SetRecord) -> list[str]:
    """The shares whose last set it may be."""
    if record.outcome == RUNNING or record.client == SELF_TEST:
        return []
    return list(map(normal_share, record.shares))
