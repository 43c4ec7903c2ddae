"""The requestor's sets and records as the shell lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Mapping, Optional, Sequence

from fsrvpd import filetime
from fsrvpd.core.messages import parse_guid
from fsrvpd.requestor.ctl.signals import Interrupted, Signals
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import Resolver, SetRecord, ShadowCopyRecord, ShareRoot
from fsrvpd.requestor.sets.left_behind import LeftBehind
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopySet
from fsrvpd.requestor.shell.ports import FrozenWriters
from fsrvpd.requestor.shell.texts import ListedCopy, shown_guid

if TYPE_CHECKING:  # it imports what speaks SMB
    from fsrvpd.requestor.shell.writers import SetWriters


class RequestorCopies:
    """Fulfils `ShadowCopies`. `wait`: as in `Requestor.create`. `writers` opens those
    of a set, where there are any."""

    def __init__(
        self,
        requestor: Requestor,
        names: Resolver,
        signals: Signals,
        wait: Optional[float] = None,
        writers: Optional[SetWriters] = None,
    ) -> None:
        self._requestor = requestor
        self._names = names
        self._signals = signals
        self._wait = wait
        self._writers = writers
        self._volatile: dict[str, ShadowCopySet] = {}  # by ID; each holds the lock of its set

    def root(self, unc: str) -> ShareRoot:
        return self._names.resolve(unc)

    def create(
        self,
        roots: Sequence[ShareRoot],
        context: int,
        writers: Mapping[str, bool],
        report: Callable[[FrozenWriters], None],
    ) -> Sequence[ListedCopy]:
        try:
            with self._signals.interrupting():
                created = self._made(roots, context, writers, report)
        except Interrupted as stop:
            left = self._requestor.clean_own().left
            if left:
                error = RequestorError(left[0].record.server, str(stop), "")
                raise LeftBehind(error, [each.error for each in left]) from stop
            raise
        if created.kept:
            created.close()
        else:
            self._volatile[shown_guid(created.set_id)] = created
        by_id = {copy.copy_id: copy for copy in listed(created.records)}
        return [by_id[shown_guid(copy.copy_id)] for copy in created.copies]

    def _made(
        self,
        roots: Sequence[ShareRoot],
        context: int,
        writers: Mapping[str, bool],
        report: Callable[[FrozenWriters], None],
    ) -> ShadowCopySet:
        shares = [root.given for root in roots]
        if not writers or self._writers is None:
            return self._requestor.create(
                shares,
                context=context,
                wait=self._wait,
                completed=self._signals.interrupt_no_more,
            )
        created: Optional[ShadowCopySet] = None
        try:
            with self._writers.open(roots, writers) as opened:
                created = self._requestor.create(
                    shares,
                    context=context,
                    wait=self._wait,
                    prepare=opened.prepare,
                    freeze=opened.freeze,
                    thaw=opened.thaw,
                    completed=self._signals.interrupt_no_more,
                )
                with self._signals.interrupting():
                    opened.complete(created)
        except BaseException:  # a copy that lacks what a writer adds is of no use
            if created is not None:
                created.delete()
            raise
        report(opened.outcome)
        return created

    def listed(self) -> Sequence[ListedCopy]:
        return listed(self._requestor.records())

    def delete(self, copy: ListedCopy) -> None:
        """The last copy of a set that ends with the session ends the set."""
        of_set = {each.copy_id for each in self.listed() if each.set_id == copy.set_id}
        if copy.set_id in self._volatile and of_set <= {copy.copy_id}:
            self._volatile[copy.set_id].delete()
            del self._volatile[copy.set_id]
        else:
            self._requestor.delete(parse_guid(copy.set_id), [parse_guid(copy.copy_id)])


def listed(records: Sequence[SetRecord]) -> list[ListedCopy]:
    """The copies that have a share. A set may have records of several servers."""
    numbers: dict[bytes, int] = {}
    for record in records:
        numbers[record.set_id] = numbers.get(record.set_id, 0) + len(record.copies)
    return [
        _listed(record, copy, copy.shadow_share, numbers[record.set_id])
        for record in records
        for copy in record.copies
        if copy.shadow_share
    ]


def _listed(record: SetRecord, copy: ShadowCopyRecord, share: str, number: int) -> ListedCopy:
    server = record.owner or record.server
    return ListedCopy(
        shown_guid(copy.copy_id),
        shown_guid(record.set_id),
        number,
        copy.root.unc,
        _created(copy.created) or record.started,
        rf"\\{server}\{share}",
        server,
        record.context,
        copy.root.prefix,
    )


def _created(time: Optional[int]) -> Optional[float]:
    """None also for a time that no calendar has: it is the server's word."""
    seconds = filetime.to_unix(time) if time else -1.0
    return seconds if 0 <= seconds < 1 << 36 else None
