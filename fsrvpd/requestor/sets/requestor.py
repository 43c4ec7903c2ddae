"""`Requestor`: shadow copy sets of SMB shares, for whoever backs them up."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import Callable, Collection, Iterable, Optional, Sequence

from fsrvpd.core.messages import Guid, format_guid, new_guid
from fsrvpd.protocol.context import ATTR_AUTO_RECOVERY, CTX_BACKUP, is_persistent
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.errors import LEFT_SOMETHING, Disconnected, RequestorError
from fsrvpd.requestor.events import Event, Report, ignore
from fsrvpd.requestor.ports import (
    Connector,
    Resolver,
    SetRecord,
    SetState,
    SetStore,
    ShadowCopyRecord,
    ShareRoot,
)
from fsrvpd.requestor.protocol.exchange import Exchange, Outcome
from fsrvpd.requestor.protocol.queries import PathShadowCopied, path_shadow_copied
from fsrvpd.requestor.protocol.undo import delete
from fsrvpd.requestor.sets.asking import ask
from fsrvpd.requestor.sets.creation import Creation
from fsrvpd.requestor.sets.locks import lock_of_job, lock_of_set, take_job, take_servers
from fsrvpd.requestor.sets.removal import KEPT, Cleaning, Removal
from fsrvpd.requestor.sets.server_side import ServerSide, drive
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopySet
from fsrvpd.requestor.sets.waiting import Waiting

Hook = Callable[[], None]


class Requestor:
    """Creates, lists and removes shadow copy sets. Threads may share one.

    `connector` logs in, `store` remembers sets, `names` knows what a UNC leads to and which names
    of a server may be contacted. `report` is told what happens; it may be called in any thread.
    """

    def __init__(
        self,
        connector: Connector,
        store: SetStore,
        names: Resolver,
        *,
        report: Report = ignore,
        wall_clock: Callable[[], float] = time.time,
        waiting: Callable[[float, Report], Waiting] = Waiting,
    ) -> None:
        self._connector = connector
        self._store = store
        self._names = names
        self._report = report
        self._wall_clock = wall_clock
        self._waiting = waiting
        self._removal = Removal(connector, store, report)

    def create(
        self,
        shares: Sequence[str],
        *,
        context: int = CTX_BACKUP,
        writable: bool = False,
        keep: Optional[bool] = None,
        job: str = "",
        wait: Optional[float] = None,
        prepare: Optional[Hook] = None,
        freeze: Optional[Hook] = None,
        thaw: Optional[Hook] = None,
        completed: Optional[Hook] = None,
    ) -> ShadowCopySet:
        """Create one set of all shares, over as many servers as they lie on, at one moment.

        `writable`: until the set is complete (ATTR_AUTO_RECOVERY). `keep`: the set outlives the
        block and this process; by default one of a persistent context does. `job`: a name of which
        one run at a time exists; what a killed run of it left is removed first. `wait`: seconds for
        a busy server or another run; by default a minute for one that creates there, else 0.
        `prepare` is called before the servers are asked for anything, `freeze` just before the
        first commit, `thaw` just after the last answer. What they raise is raised, after the set is
        undone. `completed` is called last: who turns signals into exceptions must not do so from
        then on, since one may come before the caller has the set. A `with` block has no such gap.

        Raises: RequestorError. Then nothing is left on any server, unless its exit_status is 5.
        """
        roots = self._names.resolve_set(shares)
        if not roots:
            raise RequestorError("the set", "no share is named", "name a share: \\\\server\\share")
        context |= ATTR_AUTO_RECOVERY if writable else 0
        kept = is_persistent(context) if keep is None else keep
        release = ExitStack()  # what lasts as long as the set
        creation = None
        try:
            creation = self._begin(roots, context, job, wait, prepare, release)
            waiting = self._waiting(wait or 0.0, self._report)
            with ExitStack() as servers:
                take_servers(self._store, creation.hosts, wait, self._report, servers)
                creation.run(waiting, freeze, thaw)
            records = creation.records
            created = ShadowCopySet(
                self._kept(records) if kept else records,
                roots,
                lambda created: self._removal.delete(created.records),
                release.close,
                keep=self._kept,
                kept=kept,
                skew=creation.skew,
                window=creation.window,
            )
            if completed is not None:
                completed()
            return created
        except BaseException as error:
            with release:
                if creation is not None and creation.is_complete:
                    # Nobody would delete what nobody has got.
                    self._removal.undo(creation.records, error)
            raise

    def _begin(
        self,
        roots: Sequence[ShareRoot],
        context: int,
        job: str,
        wait: Optional[float],
        prepare: Optional[Hook],
        release: ExitStack,
    ) -> Creation:
        """Take the locks of the job and of the set, and ask the servers."""
        if job:
            lock = release.enter_context(lock_of_job(self._store, job))
            take_job(lock, job, wait, self._report)
            self._clean_job(job)
        if prepare is not None:  # it may take minutes, and a server waits for nobody so long
            prepare()
        sides = self._ask(roots, context, job, release)
        set_lock = lock_of_set(self._store, sides[0].set.record.set_id)
        release.enter_context(set_lock).acquire()
        return Creation(sides, self._report)

    def records(self) -> list[SetRecord]:
        """What this host knows of its sets: a record for each set and server."""
        return list(self._store.records())

    def delete(self, set_id: Guid, copy_ids: Optional[Collection[Guid]] = None) -> None:
        """Delete a set of this host, or only some of its copies, by the server's ids of these.

        Raises: RequestorError, also for a set that another process is still creating.
        """
        name = format_guid(set_id)
        with lock_of_set(self._store, set_id) as lock:
            is_free = lock.acquire()
            records = list(self._store.records(set_id))
            if not records:
                raise _unknown(name, "this host has no such set")
            for copy_id in set(copy_ids or ()) - {
                copy.copy_id for record in records for copy in record.copies
            }:
                raise _unknown(format_guid(copy_id), f"set {name} has no such copy")
            if not is_free and any(each.state is not SetState.RECOVERED for each in records):
                cause = f"the set is in use: {lock.held_by()}"
                raise RequestorError(name, cause, "wait for the end of that process")
            self._removal.delete(records, copy_ids)

    def delete_unrecorded(self, unc: str, server_set_id: Guid, copy_id: Guid) -> None:
        """Delete a copy that another client made, by the server's ids. Raises: RequestorError, with
        the exit_status 5 where no answer came: this host has no record for `clean` to go on."""
        root = self._names.resolve(unc)
        copy = ShadowCopyRecord(copy_id, root, None, None)
        record = self._new_record(server_set_id, root.host, None, 0, "")
        record = record._replace(server_set_id=server_set_id, state=SetState.RECOVERED)
        try:
            deletion = self._over_new_connection(root.host, delete(record, [copy]))
        except Disconnected as error:
            cause = f"{error.cause}; whether the copy is still there is not known"
            raise Disconnected(
                error.object,
                cause,
                "type the same line again",
                result=error.result,
                exit_status=LEFT_SOMETHING,
            ) from error
        if deletion.unknown:
            result = HResult.FSRVP_E_OBJECT_NOT_FOUND
            cause = f"the server has no copy {format_guid(copy_id)} of it"
            next_step = "compare both ids with those of the program that made the copy"
            raise RequestorError(root.unc, cause, next_step, result=result)

    def clean(
        self, records: Optional[Iterable[SetRecord]] = None, *, dry_run: bool = False
    ) -> Cleaning:
        """Remove what processes that were killed have left: sets, shares, records. `records`: of
        the sets that are looked at, by default all, since this requestor logs in as one user."""
        records = self.records() if records is None else records
        cleaning = self._removal.clean(records, dry_run=dry_run)
        if not dry_run:
            self._store.tidy()
        return cleaning

    def clean_own(self) -> Cleaning:
        """Remove what this process has begun and not completed: whoever interrupts `create` may do
        so between two steps of its undoing."""
        return self.clean([record for record in self.records() if record.pid == os.getpid()])

    def foreign_copies(self, unc: str) -> PathShadowCopied:
        """Ask a share's server whether it holds a copy of the share's volume, of any client.
        Raises: Refused; Samba's agent does not answer this question."""
        root = self._names.resolve(unc)
        return self._over_new_connection(root.host, path_shadow_copied(root))

    def _over_new_connection(self, host: str, exchange: Exchange[Outcome]) -> Outcome:
        connection = self._connector.connect(host)
        try:
            return drive(exchange, connection)
        finally:
            connection.close()

    def _clean_job(self, job: str) -> None:
        left = [record for record in self.records() if record.job == job]
        for each in self._removal.clean(left).left:
            text = f"what an earlier run of job {job} left is still there: {each.error}"
            self._report(Event("removal-failed", text, {"server": each.record.server}))

    def _ask(
        self, roots: Sequence[ShareRoot], context: int, job: str, release: ExitStack
    ) -> list[ServerSide]:
        """One `ServerSide` for each host that owns some of the shares."""
        set_id = new_guid()
        sides = []
        for each in ask(self._connector, self._names, roots):
            record = self._new_record(set_id, each.contacted, each.owner, context, job)
            side = ServerSide(record, each.roots, self._connector, self._store, each.connection)
            release.callback(side.close)
            sides.append(side)
        return sides

    def _new_record(
        self, set_id: Guid, host: str, owner: Optional[str], context: int, job: str
    ) -> SetRecord:
        return SetRecord(
            set_id=set_id,
            server=host,
            server_set_id=None,
            context=context,
            state=SetState.STARTED,
            copies=(),
            owner=owner,
            job=job,
            started=self._wall_clock(),
            pid=os.getpid(),
        )

    def _kept(self, completed: Sequence[SetRecord]) -> list[SetRecord]:
        """A set is kept only once it is complete on all servers. Raises: RequestorError."""
        records = [record._replace(pid=KEPT) for record in completed]
        for record in records:
            self._store.write(record)
        return records


def _unknown(name: str, cause: str) -> RequestorError:
    next_step = "type `fsrvpshadow list --json`"
    return RequestorError(name, cause, next_step, result=HResult.FSRVP_E_OBJECT_NOT_FOUND)
