"""Lists kept copies and deletes those that nobody wants any more: when an admin asks, and by
itself every ten minutes.

What is to be deleted is decided anew each time, from what is on disk and in smb.conf, so that a
restart changes nothing. Storage is asked and changed in threads; whether a copy may go is asked
in the loop's thread right before it goes, since a set, an admin or a client's frozen
applications may have come between.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, Sequence, TypeVar, Union

from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.event_loop import EventLoop, TimerHandle
from fsrvpd.daemon.log.events import report
from fsrvpd.daemon.reconciliation.inventory import Inventory
from fsrvpd.daemon.reconciliation.reconciler import Reconciler
from fsrvpd.daemon.retention.freed_space import FreedSpace
from fsrvpd.daemon.retention.kept_copies import (
    LEFT,
    KeptCopy,
    Owner,
    evaluated,
    kept_copies,
    oldest_to_give_up,
)
from fsrvpd.daemon.retention.overdue import Overdue
from fsrvpd.daemon.retention.rules import MB, Rules
from fsrvpd.daemon.retention.storage import KeptStorage
from fsrvpd.daemon.worker_threads import WorkerThreads
from fsrvpd.errors import FsrvpdError
from fsrvpd.options.share import ShareOptions
from fsrvpd.protocol.ports import Share

log = logging.getLogger("fsrvpd.retention")

INTERVAL = 600.0  # s between two runs
AGAIN = 60.0  # s until a run that left something goes on: freed space shows only then
LOOP_TIMEOUT = 60.0  # s for the loop to answer; it has ended if it does not

USELESS = (
    "share %s: fsrvp:keep free space is ignored: with provider %s the share's volume has no more"
    " free space when a copy is deleted; set fsrvp:keep last or fsrvp:keep days instead"
)

NOT_HELD = (
    "copy {0} is gone, is being deleted, or its storage does not answer, so nothing is held;"
    " `fsrvpctl fsrvpd list-kept` says which copies there are"
)

T = TypeVar("T")
Listed = Callable[[Union[list[KeptCopy], FsrvpdError]], None]
Deletions = Union[list["Deletion"], FsrvpdError]


class Deletion(NamedTuple):
    """`why_not`: why the copy is still there; "" when it is gone, or would be. `ruled_by` are
    copies by the rules of whose shares it goes."""

    copy: KeptCopy
    reason: str
    why_not: str = ""
    ruled_by: Sequence[KeptCopy] = ()


class Holds:
    """Copies that an admin keeps, by id, with whether he still holds them. Changes come from the
    loop's thread; everybody reads."""

    def __init__(self, kept: Mapping[str, bool], save: Callable[[Any], None]) -> None:
        self.kept = kept
        self._save = save

    def change(self, copies: Mapping[str, Optional[bool]]) -> None:
        """Durably. Raises: StoreError."""
        self._save(copies)
        changed = {**self.kept, **copies}
        self.kept = {copy: held for copy, held in changed.items() if held is not None}


class Keeper:
    """Belongs to the loop's thread, in which it also calls back."""

    def __init__(
        self,
        loop: EventLoop,
        driver: AgentDriver,
        reconciler: Reconciler,
        storage: KeptStorage,
        share_of: Callable[[str], Optional[Share]],
        holds: Holds,
        state: str,
    ) -> None:
        """`state`: the id of the state file."""
        self.seen: Sequence[KeptCopy] = ()  # when they were last looked at
        self._loop = loop
        self._driver = driver
        self._reconciler = reconciler
        self._storage = storage
        self._share_of = share_of
        self.holds = holds
        self._state = state
        self._overdue = Overdue()
        self._freed = FreedSpace()
        self._told: set[str] = set()  # volumes whose space no deletion frees, as was logged
        self._thread = WorkerThreads("retention", most=1)
        self._ended = -1  # how many kept copies had outlived their sets at the last run
        self._saw_all = False  # at the last look: no volume was silent or absent
        self._timer: TimerHandle = loop.call_later(AGAIN, self.run)

    def by_share(self) -> dict[str, tuple[int, Optional[int]]]:
        """The number of kept copies when they were last looked at, and their bytes where those of
        all are counted."""
        shares: dict[str, list[Optional[int]]] = defaultdict(list)
        for copy in self.seen:
            shares[copy.found.share].append(copy.size)
        return {
            share: (len(sizes), None if None in sizes else sum(size or 0 for size in sizes))
            for share, sizes in shares.items()
        }

    def close(self) -> None:
        """Do not wait for what runs: it can be repeated."""
        self._timer.cancel()
        self._thread.close()
        self._storage.close()

    def listing(self, done: Listed) -> None:
        """Every kept copy, with what the rules say of it."""
        self._with_copies(lambda copies: copies, done)

    def hold(self, wanted: str, done: Listed) -> None:
        """Hold the copies of an id, which is that of a copy or of a set. None are held if one of
        them is not surely there: it may be being deleted."""

        def work(copies: list[KeptCopy]) -> list[KeptCopy]:
            found = [each for each in copies if wanted in (each.copy_id, each.set_id)]
            if not found:
                return []
            ids = [each.copy_id for each in found]
            before = {copy: self.holds.kept.get(copy) for copy in ids}
            self._in_loop(lambda: self.holds.change(dict.fromkeys(ids, True)))
            lost = [each.copy_id for each in found if not self._storage.exists(each)]
            if lost:
                self._in_loop(lambda: self.holds.change(before))
                raise FsrvpdError(NOT_HELD.format(lost[0]))
            return found

        self._with_copies(work, done)

    def delete(
        self, ids: Sequence[str], *, dry_run: bool, done: Callable[[Deletions], None]
    ) -> None:
        """Delete the copies with these ids, or of these sets; without ids those that the rules
        do not want."""

        def work(copies: list[KeptCopy]) -> list[Deletion]:
            planned = _asked_for(copies, ids) if ids else self._planned(copies)
            if dry_run:
                return planned
            return [self._delete(each) for each in planned]

        self._with_copies(work, done)

    def run(self) -> None:
        """Delete what the rules do not want, now and every INTERVAL s from now on."""
        self._timer.cancel()
        self._timer = self._loop.call_later(INTERVAL, self.run)
        ended = self._driver.view.kept_ended
        if not self.seen and self._ended == ended:
            return  # there are none

        def deleted(result: Deletions) -> None:
            if isinstance(result, FsrvpdError):
                log.error("kept copies were not looked at: %s", result)
                return
            if self._saw_all:
                self._ended = ended
            if any(not each.why_not for each in result):
                self._timer.cancel()
                self._timer = self._loop.call_later(AGAIN, self.run)

        self.delete([], dry_run=False, done=deleted)

    # From the loop to the thread and back.

    def _with_copies(
        self,
        work: Callable[[list[KeptCopy]], T],
        done: Callable[[Union[T, FsrvpdError]], None],
    ) -> None:
        def scanned(inventory: Union[Inventory, FsrvpdError]) -> None:
            if isinstance(inventory, FsrvpdError):
                done(inventory)
                return
            self._saw_all = not (inventory.silent or inventory.unavailable)
            view = self._driver.view
            owner = Owner(view.settings.owner_machine_name, self._state, self.holds.kept)
            copies = kept_copies(inventory, view.all_sets, owner)
            self._thread.submit(partial(in_thread, copies))

        def in_thread(copies: list[KeptCopy]) -> None:
            result: Union[T, FsrvpdError]
            try:
                copies = self._storage.with_sizes(copies)
                result = work(evaluated(copies, self._rules_of, self._storage.exists, time.time()))
            except FsrvpdError as error:
                result = error
            except Exception as error:
                log.exception("retention failed; please report this")
                result = FsrvpdError(f"{type(error).__name__}: {error}; please report this")
            seen = copies
            self._loop.call_soon_threadsafe(lambda: self._finish(seen, lambda: done(result)))

        self._reconciler.scan(scanned)

    def _finish(self, copies: Sequence[KeptCopy], done: Callable[[], None]) -> None:
        self.seen = copies
        done()

    def _in_loop(self, function: Callable[[], T]) -> T:
        """In the thread. Raises: FsrvpdError when the loop has ended; what the function raises."""
        answer: Future[T] = Future()

        def call() -> None:
            try:
                answer.set_result(function())
            except Exception as error:
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(call)
        if not wait([answer], LOOP_TIMEOUT).done:
            raise FsrvpdError("the daemon is ending")
        return answer.result()

    # In the thread.

    def _rules_of(self, name: str) -> Rules:
        share = self._share_of(name)
        if share is None:
            raise FsrvpdError(f"there is no share {name} any more")
        ShareOptions.require_retention(share.options)
        return Rules.of(share.settings)

    def _planned(self, copies: Sequence[KeptCopy]) -> list[Deletion]:
        surplus = [each for each in copies if each.surplus]
        due = self._overdue.confirmed(surplus, time.monotonic(), time.time())
        planned = [Deletion(each, each.surplus, ruled_by=[each]) for each in due]
        going = {each.copy_id for each in surplus}
        busy = {each.found.snapshot.volume_name for each in due}  # these free some space, too
        left = [
            each
            for each in copies
            if each.copy_id not in going and each.found.snapshot.volume_name not in busy
        ]
        return [*planned, *self._for_space(left)]

    def _for_space(self, copies: Sequence[KeptCopy]) -> Iterator[Deletion]:
        """The oldest copy of each volume that has less space than a share of it demands."""
        demanding = [each for each in copies if each.status != LEFT and self._demand(each)]
        demanding.sort(key=self._demand)
        for example in {each.found.snapshot.volume_name: each for each in demanding}.values():
            volume = example.found.snapshot.volume_name
            wanted, free = self._demand(example), self._storage.free_space(example)
            oldest = oldest_to_give_up(demanding, volume)
            if free is None or free >= wanted or oldest is None:
                continue
            if not self._storage.frees_volume(example):
                self._tell_useless(example)
            elif not self._freed.is_awaited(volume, free, time.monotonic()):
                why = f"{free // MB} MB are free, fsrvp:keep free space = {wanted // MB}"
                yield Deletion(oldest, why, ruled_by=[oldest, example])

    def _tell_useless(self, copy: KeptCopy) -> None:
        snapshot = copy.found.snapshot
        if snapshot.volume_name not in self._told:
            self._told.add(snapshot.volume_name)
            log.warning(USELESS, copy.found.share, snapshot.provider)

    def _demand(self, copy: KeptCopy) -> int:
        """The free space, in bytes, that a copy's share demands."""
        try:
            return self._rules_of(copy.found.share).free_space
        except FsrvpdError:
            return 0

    def _delete(self, planned: Deletion) -> Deletion:
        copy = planned.copy
        why_not = (
            self._why_other_rules(planned)
            or self._in_loop(lambda: self._why_not_now(copy))
            or self._storage.delete(copy, lambda late: self._report(planned, late))
        )
        self._report(planned, why_not)
        if not why_not:
            self._in_loop(lambda: self._forget(copy))
        return planned._replace(why_not=why_not)

    def _report(self, planned: Deletion, why_not: str) -> None:
        """In any thread."""
        copy = planned.copy
        what = f"{copy.found.snapshot.root}, a kept copy of share {copy.found.share}"
        if why_not:
            report(log, "kept-not-removed", f"{what}: {why_not}", copy=copy.copy_id)
        else:
            self._freed.deleted(copy.found.snapshot.volume_name, time.monotonic())
            report(log, "kept-removed", f"{what}: {planned.reason}", copy=copy.copy_id)

    def _why_other_rules(self, planned: Deletion) -> str:
        """An admin who sees copies go can stop that: a run may delete many."""
        for copy in planned.ruled_by:
            try:
                if self._rules_of(copy.found.share) == copy.rules:
                    continue
            except FsrvpdError as error:
                return str(error)
            return f"the fsrvp:keep options of share {copy.found.share} have changed meanwhile"
        return ""

    # In the loop.

    def _why_not_now(self, copy: KeptCopy) -> str:
        view = self._driver.view
        for each in view.all_sets:
            if any(
                format_guid(one.shadow_copy_id) == copy.copy_id for one in each.shadow_copy_list
            ):
                return f"its set {format_guid(each.shadow_copy_set_id)} exists"
        if self.holds.kept.get(copy.copy_id):
            return "an admin holds it"
        if view.is_freezing(copy.found.snapshot.volume_name):
            return "a backup of its volume is being made"
        return ""

    def _forget(self, copy: KeptCopy) -> None:
        if copy.copy_id in self.holds.kept:
            self.holds.change({copy.copy_id: None})


def _asked_for(copies: Sequence[KeptCopy], ids: Sequence[str]) -> list[Deletion]:
    """Raises: FsrvpdError when an id is that of no kept copy, or one must not be deleted."""
    found = []
    for wanted in dict.fromkeys(ids):
        matching = [each for each in copies if wanted in (each.copy_id, each.set_id)]
        if not matching:
            raise FsrvpdError(
                f"{wanted} is no kept copy, and no set of one; `fsrvpctl fsrvpd list-kept`"
                " lists them"
            )
        for copy in matching:
            if copy.never:
                raise FsrvpdError(f"copy {copy.copy_id} is not deleted: {copy.reason}")
            found.append(Deletion(copy, "an admin deleted it"))
    return found
