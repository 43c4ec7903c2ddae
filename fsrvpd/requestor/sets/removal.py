"""Sets that are to go: deleted on request, or cleaned after a process that was killed."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import Collection, Iterable, NamedTuple, Optional, Sequence, Tuple

from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.requestor.errors import Disconnected, RequestorError
from fsrvpd.requestor.events import Event, Report
from fsrvpd.requestor.ports import Connector, SetRecord, SetState, SetStore, ShadowCopyRecord
from fsrvpd.requestor.protocol.undo import delete
from fsrvpd.requestor.sets.left_behind import LeftBehind
from fsrvpd.requestor.sets.locks import lock_of_set, take_servers
from fsrvpd.requestor.sets.server_side import (
    drive,
    host_of,
    remove_whatever_is_there,
    require_gone,
)
from fsrvpd.requestor.side_by_side import begin, wait_for

KEPT = 0  # as the pid of a record: the set belongs to no process, and stays until it is deleted


class Left(NamedTuple):
    """A set that could not be removed, and why."""

    record: SetRecord
    error: RequestorError


class Cleaning(NamedTuple):
    """What `clean` has found: records of sets, one for each server."""

    removed: Tuple[SetRecord, ...]
    in_use: Tuple[SetRecord, ...]  # of processes that run
    kept: Tuple[SetRecord, ...]
    left: Tuple[Left, ...]


class Removal:
    """Removes sets that have records. A record stays until its server has confirmed."""

    def __init__(self, connector: Connector, store: SetStore, report: Report) -> None:
        self._connector = connector
        self._store = store
        self._report = report

    def delete(
        self, records: Sequence[SetRecord], copy_ids: Optional[Collection[Guid]] = None
    ) -> None:
        """Delete a set on all its servers side by side, or only some of its copies. What somebody
        else has deleted is no error. Raises: LeftBehind if `clean` will go on with it, else the
        first failure."""

        def delete_one(record: SetRecord) -> None:
            self._delete(record, copy_ids)

        if copy_ids is None:
            # All of them first: the part of a killed deletion that is left is kept no more.
            records = [self._kept_no_more(record) for record in records]
        errors = wait_for(begin(delete_one, records))
        if errors and all(map(is_kept, self._store.records(records[0].set_id))):
            raise errors[0]
        if errors:
            raise LeftBehind(errors[0], errors)

    def undo(self, records: Sequence[SetRecord], error: BaseException) -> None:
        """Remove a set that is complete, after an error. Raises: LeftBehind, unless `error` is more
        than a failure."""
        failed = wait_for(begin(self._remove, records))
        if failed and isinstance(error, Exception):
            raise LeftBehind(error, failed) from error

    def clean(self, records: Iterable[SetRecord], *, dry_run: bool = False) -> Cleaning:
        """Remove what no process and no person needs."""
        removed: list[SetRecord] = []
        in_use: list[SetRecord] = []
        kept: list[SetRecord] = []
        left: list[Left] = []
        for group in _by_set(records):
            with lock_of_set(self._store, group[0].set_id) as lock:
                if not lock.acquire():
                    in_use += group
                    continue
                # Whoever had the lock may have completed the set since `records` were read.
                found = list(self._store.records(group[0].set_id))
                going = _to_be_removed(found)
                kept += [record for record in found if record not in going]
                if dry_run:
                    removed += going
                else:
                    for record in going:
                        error = self._clean(record)
                        (left.append(Left(record, error)) if error else removed.append(record))
        return Cleaning(tuple(removed), tuple(in_use), tuple(kept), tuple(left))

    def _clean(self, record: SetRecord) -> Optional[RequestorError]:
        try:
            self._remove(record)
        except RequestorError as error:
            self._tell("removal-failed", record, str(error))
            return error
        self._tell("set-removed", record, f"{format_guid(record.set_id)} removed")
        return None

    def _remove(self, record: SetRecord) -> None:
        with ExitStack() as locks:
            if record.server_set_id is None:  # it begins a set, so as to end it
                take_servers(self._store, [host_of(record)], None, self._report, locks)
            remove_whatever_is_there(record, self._connector)
        self._store.forget(record)

    def _delete(self, record: SetRecord, copy_ids: Optional[Collection[Guid]]) -> None:
        if record.state not in (SetState.RECOVERED, SetState.REMOVING):
            self._remove(record)
            return
        wanted = [copy for copy in record.copies if copy_ids is None or copy.copy_id in copy_ids]
        if copy_ids is not None and not wanted:
            return  # they are on other servers
        others = tuple(copy for copy in record.copies if copy not in wanted)
        if not others and copy_ids is not None:
            self._note_removal(record)
        self._delete_copies(record, wanted)
        if others:
            self._store.write(record._replace(copies=others))
        else:
            self._store.forget(record)
        self._tell("set-removed", record, f"{format_guid(record.set_id)} deleted")

    def _kept_no_more(self, record: SetRecord) -> SetRecord:
        if record.state is not SetState.RECOVERED:
            return record
        return self._note_removal(record._replace(pid=os.getpid()))

    def _note_removal(self, record: SetRecord) -> SetRecord:
        """Whatever happens now, `clean` goes on with it."""
        going = record._replace(state=SetState.REMOVING)
        with suppress(RequestorError):  # a full disk here is no reason to leave it there
            self._store.write(going)
        return going

    def _delete_copies(self, record: SetRecord, copies: Sequence[ShadowCopyRecord]) -> None:
        """What the server does not know is asked for once more over a new connection: an agent of
        several processes may have answered from one that is behind the others."""
        for is_last in (False, True):
            connection = self._connector.connect(host_of(record))
            try:
                copies = drive(delete(record, copies), connection).unknown
                if is_last:
                    require_gone(copies, connection)
            except Disconnected:
                if is_last:
                    raise
            finally:
                connection.close()
            if not copies:
                return
        for copy in copies:
            text = f"{copy.root.unc}: the server no longer has this copy"
            self._report(Event("snapshot-gone", text, {"share": copy.root.unc}))

    def _tell(self, event: str, record: SetRecord, text: str) -> None:
        host = host_of(record)
        fields = {"server": host, "set": format_guid(record.set_id)}
        self._report(Event(event, f"{host}: {text}", fields))


def is_kept(record: SetRecord) -> bool:
    return record.state is SetState.RECOVERED and record.pid == KEPT


def _to_be_removed(of_set: Sequence[SetRecord]) -> Sequence[SetRecord]:
    """A set is kept on all its servers or on none, but for copies that were deleted alone."""
    if any(record.pid != KEPT for record in of_set):
        return of_set
    return [record for record in of_set if record.state is SetState.REMOVING]


def _by_set(records: Iterable[SetRecord]) -> list[list[SetRecord]]:
    """All records of a set at once: it has one lock."""
    groups: dict[Guid, list[SetRecord]] = {}
    for record in records:
        groups.setdefault(record.set_id, []).append(record)
    return list(groups.values())
