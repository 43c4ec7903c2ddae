"""Follows the sets from their first share to their end, from what the driver has carried out.

A set without a share leaves no record: nothing of it existed.
"""

from __future__ import annotations

from math import inf
from typing import Callable, Iterable, Optional, Protocol, Union

from fsrvpd.core.messages import Guid, Opnum, format_guid
from fsrvpd.daemon.agent.driver import Answer
from fsrvpd.daemon.agent.next_steps import share_in
from fsrvpd.protocol.actions import Event, Forget
from fsrvpd.protocol.context import is_writable
from fsrvpd.protocol.model import SELF_TEST, ShadowCopySet, Status, shown_client
from fsrvpd.protocol.settings import AgentSettings
from fsrvpd.store import history_records as records
from fsrvpd.store.history_records import Backup, SetRecord, limited

CREATION = frozenset(
    {
        Opnum.AddToShadowCopySet,
        Opnum.PrepareShadowCopySet,
        Opnum.CommitShadowCopySet,
        Opnum.ExposeShadowCopySet,
        Opnum.RecoveryCompleteShadowCopySet,
    }
)
UNFINISHED = "its client deleted it before RecoveryComplete"


class View(Protocol):
    """What this module asks of `AgentView`."""

    @property
    def settings(self) -> AgentSettings: ...

    def find(self, shadow_copy_set_id: Guid) -> Optional[ShadowCopySet]: ...


class SetFollower:
    """Passes each record that has changed to `changed`, and each completed backup of a share to
    `backed_up`. `clock` is monotonic, `wall_clock` gives Unix times."""

    def __init__(
        self,
        view: View,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        changed: Callable[[SetRecord], None],
        backed_up: Callable[[Backup], None],
    ) -> None:
        self._view = view
        self._clock = clock
        self._wall_clock = wall_clock
        self._changed = changed
        self._backed_up = backed_up
        self._records: dict[Guid, SetRecord] = {}  # of sets that have not ended
        self._prepared: dict[Guid, float] = {}  # when, of sets that wait for Commit
        self._exposed: dict[Guid, bool] = {}  # that no client has completed; whether writable
        self._answered_at = -inf  # when a call for a set was answered last

    @property
    def window_is_open(self) -> bool:
        """Whether applications may be frozen now."""
        return bool(self._prepared)

    @property
    def is_creating(self) -> bool:
        """Whether a set is being created. Its record will change when it is not any more."""
        return any(each.outcome == records.RUNNING for each in self._records.values())

    def is_quiet(self, seconds: float) -> bool:
        """Whether no set is being created, nor was for some time."""
        return not self.is_creating and self._clock() - self._answered_at >= seconds

    def resume(self, unfinished: Iterable[SetRecord], key_of: Callable[[str], Guid]) -> None:
        """Take the records of the last run, after the agent has restored its sets."""
        for record in unfinished:
            try:
                key = key_of(record.id)
            except ValueError:
                continue
            found = self._view.find(key)
            if key in self._records:
                continue
            if found is None:
                self._end(key, record)
            else:
                self._records[key] = record
                if found.status is Status.EXPOSED:
                    self._exposed[key] = is_writable(found.context)
                if found.removing and record.outcome == records.RUNNING:
                    self._set(key, record._replace(outcome=records.INTERRUPTED))

    def answered(self, answer: Answer) -> None:
        """A call of one of the methods in CREATION was answered."""
        opnum, result = answer.call.opnum, answer.response.result
        self._answered_at = self._clock()
        key: Optional[Guid] = getattr(answer.call.request, "shadow_copy_set_id", None)
        record = None if key is None else self._record(key)
        if key is None or record is None:
            return
        if result:
            if record.outcome == records.COMPLETED:
                return  # what was refused afterwards changes nothing of it
            reason = limited(answer.reason)
            wanted = () if record.shares else (limited(share_in(answer.call, None)),)
            shares = record.shares or tuple(filter(None, wanted))
            self._set(key, record._replace(result=result, reason=reason, shares=shares))
        elif opnum is Opnum.AddToShadowCopySet:
            self._set(key, record._replace(shares=self._shares(key)))
        elif opnum is Opnum.PrepareShadowCopySet:
            self._prepared[key] = self._clock()
        elif opnum is Opnum.CommitShadowCopySet:
            prepared = self._prepared.pop(key, None)
            freeze = answer.seconds if prepared is None else self._clock() - prepared
            moment = self._wall_clock()
            self._set(key, record._replace(committed=moment, freeze=freeze))
        elif opnum is Opnum.RecoveryCompleteShadowCopySet or self._exposed_is_finished:
            self._complete(key, record)
        else:
            found = self._view.find(key)
            self._exposed[key] = found is None or is_writable(found.context)

    def carried_out(self, action: Union[Event, Forget]) -> None:
        """An event of a set, or its end."""
        key = action.shadow_copy_set_id
        record = None if key is None else self._records.get(key)
        if key is None or record is None:
            return
        if isinstance(action, Forget):
            self._end(key, record)
        elif record.outcome != records.RUNNING:
            return
        elif action.name == "timer-elapsed":
            outcome = records.FAILED if record.result else records.TIMED_OUT
            self._set(key, record._replace(outcome=outcome, reason=record.reason or action.text))
        elif action.name == "set-removing":
            outcome = records.FAILED if record.result else records.REMOVED
            self._set(key, record._replace(outcome=outcome, reason=record.reason or action.text))

    @property
    def _exposed_is_finished(self) -> bool:
        return self._view.settings.dialect.exposed_is_finished

    def _record(self, key: Guid) -> Optional[SetRecord]:
        record = self._records.get(key)
        found = self._view.find(key) if record is None else None
        if found is None:
            return record
        return SetRecord(
            format_guid(key),
            limited(shown_client(found.client_address)),
            limited(found.account),
            self._shares(key),
            found.started,
        )

    def _shares(self, key: Guid) -> tuple[str, ...]:
        found = self._view.find(key)
        copies = found.shadow_copy_list if found else []
        names = [mapped.share for copy in copies for mapped in copy.share_mapping_list]
        return tuple(map(limited, names[: records.MAX_SHARES]))

    def _complete(self, key: Guid, record: SetRecord) -> None:
        moment = self._wall_clock()
        self._exposed.pop(key, None)
        done = record._replace(outcome=records.COMPLETED, completed=moment, result=0, reason="")
        self._set(key, done)
        committed = moment if record.committed is None else record.committed
        for share in () if record.client == SELF_TEST else record.shares:
            self._backed_up(Backup(share, committed, moment, record.id))

    def _end(self, key: Guid, record: SetRecord) -> None:
        """Nobody knows the set any more."""
        if record.outcome == records.RUNNING:
            # An Exposed set whose client has deleted it, and did not say that it was complete:
            # nothing was to be completed in copies that were read-only (rpcclient's `ro`).
            writable = self._exposed.get(key)
            if writable is False:
                self._complete(key, record)
                record = self._records[key]
            elif writable:
                record = record._replace(outcome=records.REMOVED, reason=UNFINISHED)
            else:
                record = record._replace(outcome=records.INTERRUPTED)
        self._records.pop(key, None)
        self._prepared.pop(key, None)
        self._exposed.pop(key, None)
        self._changed(record._replace(ended=self._wall_clock()))

    def _set(self, key: Guid, record: SetRecord) -> None:
        self._records[key] = record
        self._changed(record)
