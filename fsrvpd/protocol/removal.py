"""How sets end: AbortShadowCopySet, DeleteShareMapping, the timer, a restart, an admin.

A set that is to go is *doomed*: it leaves the table at once, its doom is made durable, and
it is forgotten only when its shares and snapshots are gone. What cannot be removed now is
tried again later, over restarts too.
"""

from __future__ import annotations

from typing import Mapping, Sequence, cast

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.errors import PeerError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Action, Failed, Forget, Outcome, Remove, Run
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.machine import Call, Machine, Work
from fsrvpd.protocol.model import (
    PUBLISHED,
    MappedShare,
    ShadowCopy,
    ShadowCopySet,
    Status,
    from_document,
)
from fsrvpd.protocol.rules import LONG_TIMER, SHORT_TIMER
from fsrvpd.protocol.turns import Turn
from fsrvpd.protocol.unc import share_of

REMOVAL_RETRY = 60.0  # seconds until what could not be removed is tried again


class Removal(Machine):
    """Everything that takes a set, or a part of it, away."""

    # What the daemon calls.

    def restore(self, documents: Mapping[Guid, str], now: float) -> list[Action]:
        """Populate the table from the store (3.1.3): what was answered as Committed,
        Exposed or Recovered lives on, everything else is undone."""
        self._now = now
        restored = []
        for key, document in documents.items():
            try:
                restored.append(_read(key, document))
            except ValueError as error:
                self.unreadable.add(key)
                text = f"{error}; it is left alone, with all that it may have made"
                self._event("set-unreadable", key, f"{format_guid(key)} in the store: {text}")
        for shadow_copy_set in sorted(restored, key=lambda each: each.started):
            self._restore_set(shadow_copy_set)
        return self._taken()

    def doom(self, shadow_copy_set_id: Guid, why: str, now: float) -> list[Action]:
        """Remove a set whatever its Status, for an admin or the housekeeping."""
        self._now = now
        shadow_copy_set = self.table.get(shadow_copy_set_id)
        if shadow_copy_set is not None:
            self._doom(shadow_copy_set, why)
        return self._taken()

    # 3.1.4.8

    def _abort_shadow_copy_set(self, call: Call) -> None:
        key = cast(m.AbortShadowCopySet, call.request).shadow_copy_set_id
        leaving = self.leaving.get(key)
        if leaving is not None:  # an abort that failed, or was too slow, is asked for again
            self._await_removal(leaving, call)
            return
        shadow_copy_set = self._lookup(key)
        self._admit(call, shadow_copy_set)
        self._doom(shadow_copy_set, f"{call.caller.account!r} aborted it", [call])

    def _await_removal(self, leaving: ShadowCopySet, call: Call) -> None:
        work = self._work.get(leaving.shadow_copy_set_id)
        if work is None:
            self._remove_doomed(leaving, [call])
        elif work.is_removal:
            work.waits.append(call)
        else:
            work.removal_waits.append(call)

    # 3.1.4.12

    def _delete_share_mapping(self, call: Call) -> None:
        request = cast(m.DeleteShareMapping, call.request)
        share = share_of(request.share_name, self.own_names)
        if request.shadow_copy_id == m.NULL_GUID:
            raise PeerError(HResult.E_INVALIDARG, "ShadowCopyId is NULL")
        not_found = HResult.FSRVP_E_OBJECT_NOT_FOUND
        shadow_copy_set = self._lookup(request.shadow_copy_set_id, unknown=not_found)
        if self._must_wait(call, shadow_copy_set):
            return
        self._admit(call, shadow_copy_set)
        unknown = self.settings.dialect.unknown_mapping
        copy, mapped = self._mapping(shadow_copy_set, request.shadow_copy_id, share, unknown)
        self._remove_mapping(shadow_copy_set, copy, mapped, [call])

    def _remove_mapping(
        self, of: ShadowCopySet, copy: ShadowCopy, mapped: MappedShare, waits: list[Call]
    ) -> None:
        mapped.deleting = True
        self._save(of)
        job = Remove(of.shadow_copy_set_id, names=[mapped.shadow_copy_share_name])
        if len(copy.share_mapping_list) == 1 and copy.snapshot is not None and not copy.keep:
            job.snapshots.append(copy.snapshot)

        def then(outcome: Outcome, waits: list[Call]) -> None:
            if isinstance(outcome, Failed):
                self._try_again_later(of, outcome, waits)
                return
            copy.share_mapping_list.remove(mapped)
            self._drop_if_empty(of, copy)
            self._succeed(waits, of)
            self._resume_deletion(of)

        self._start(of, job, waits, then)

    def _drop_if_empty(self, of: ShadowCopySet, copy: ShadowCopy) -> None:
        if not copy.share_mapping_list:
            self.table.remove_copy(of, copy)
        if of.shadow_copy_list:
            self._save(of)
        else:
            self._free_turn(of)  # the creation is over, though nobody completed it
            self.table.remove(of)
            self._actions.append(Forget(of.shadow_copy_set_id))

    def _resume_deletion(self, of: ShadowCopySet) -> None:
        """Finish what a DeleteShareMapping had begun and could not end; one job a set."""
        for copy in of.shadow_copy_list:
            for mapped in copy.share_mapping_list:
                if mapped.deleting and not of.doomed:
                    self._remove_mapping(of, copy, mapped, [])
                    return

    # 3.1.5

    def _elapse(self, turn: Turn) -> None:
        self._turns.end(turn)
        shadow_copy_set = self.table.get(turn.shadow_copy_set_id or b"")
        why = f"the message sequence timer of client {turn.client_address} elapsed"
        if shadow_copy_set is None:
            self._event("timer-elapsed", None, why)
        else:
            self._event("timer-elapsed", shadow_copy_set.shadow_copy_set_id, why)
            self._doom(shadow_copy_set, why)

    # How a set goes.

    def _doom(self, of: ShadowCopySet, why: str, waits: Sequence[Call] = ()) -> None:
        key = of.shadow_copy_set_id
        self.table.remove(of)
        self._free_turn(of)
        of.doomed = True
        self.leaving[key] = of
        self._event("set-removing", key, f"{format_guid(key)} goes: {why}")
        work = self._work.get(key)
        if work is None:
            self._remove_doomed(of, list(waits))
            return
        self._save(of)
        work.removal_waits += waits
        waiting, work.waits = work.waits, []
        for call in waiting:
            self._refuse(call, HResult.FSRVP_E_BAD_STATE, f"the set goes: {why}")
        queued, work.queue = work.queue, []
        for call in queued:
            self._dispatch(call)  # to be told that there is no such set any more

    def _remove_doomed(self, shadow_copy_set: ShadowCopySet, waits: list[Call]) -> None:
        key = shadow_copy_set.shadow_copy_set_id
        self._retries.pop(key, None)
        job = self._removal_of(shadow_copy_set)
        if not (job.names or job.snapshots or job.unknown):
            self._forget(shadow_copy_set, waits)
            return
        self._save(shadow_copy_set)

        def then(outcome: Outcome, waits: list[Call]) -> None:
            if isinstance(outcome, Failed):
                self._try_again_later(shadow_copy_set, outcome, waits)
            else:
                self._forget(shadow_copy_set, waits)

        self._work[key] = Work(shadow_copy_set, job, then, waits, is_removal=True)
        self._actions.append(Run(job))

    def _removal_of(self, of: ShadowCopySet) -> Remove:
        copies = of.shadow_copy_list
        lost = [copy for copy in copies if copy.snapshot is None and of.uncertain]
        return Remove(
            of.shadow_copy_set_id,
            names=of.exposed_names,
            snapshots=[copy.snapshot for copy in copies if copy.snapshot is not None],
            unknown=self._requests(lost, of),
        )

    def _try_again_later(self, of: ShadowCopySet, failed: Failed, waits: list[Call]) -> None:
        key = of.shadow_copy_set_id
        self._retries[key] = self._now + REMOVAL_RETRY
        text = f"not removed, tried again in {REMOVAL_RETRY:.0f} s: {failed.reason}"
        self._event("removal-failed", key, text)
        for call in waits:
            self._refuse(call, failed.result, failed.reason)

    def _retry_removal(self, key: Guid) -> None:
        leaving, shadow_copy_set = self.leaving.get(key), self.table.get(key)
        if key in self._work:
            self._retries[key] = self._now + REMOVAL_RETRY
        elif leaving is not None:
            self._remove_doomed(leaving, [])
        elif shadow_copy_set is not None:
            self._resume_deletion(shadow_copy_set)

    def _forget(self, shadow_copy_set: ShadowCopySet, waits: list[Call]) -> None:
        key = shadow_copy_set.shadow_copy_set_id
        self.leaving.pop(key, None)
        self._actions.append(Forget(key))
        self._event("set-removed", key, f"{format_guid(key)} and all that it had made is gone")
        for call in waits:
            self._answer(call, m.StatusResponse(HResult.ZERO))

    def _undo(self, of: ShadowCopySet, job: Remove) -> None:
        """Take back what came too late or was left by a failure. A set for which that
        fails can no longer be answered for: it goes."""

        def then(outcome: Outcome, _: list[Call]) -> None:
            if of.doomed:
                return  # the removal that follows covers it
            if isinstance(outcome, Failed):
                self._doom(of, f"what it had left could not be removed: {outcome.reason}")
                return
            of.uncertain = False
            text = "what an unsuccessful step had left is gone"
            self._event("step-undone", of.shadow_copy_set_id, text)

        self._start(of, job, [], then)

    # Restart.

    def _restore_set(self, shadow_copy_set: ShadowCopySet) -> None:
        if shadow_copy_set.doomed or shadow_copy_set.status not in PUBLISHED:
            self._doom(shadow_copy_set, "its creation was cut short by a restart")
            return
        if self._is_lost_by_reboot(shadow_copy_set):
            context_name = context.describe(shadow_copy_set.context)
            self._doom(
                shadow_copy_set, f"the server was rebooted, and {context_name} ends with that"
            )
            return
        self.table.add(shadow_copy_set)
        if not self._is_finished(shadow_copy_set):
            self._restore_turn(shadow_copy_set)
        if shadow_copy_set.status is Status.COMMITTED and shadow_copy_set.exposed_names:
            self._withdraw(shadow_copy_set)
        self._resume_deletion(shadow_copy_set)

    def _withdraw(self, of: ShadowCopySet) -> None:
        """Remove shares whose exposure was cut short: nobody was told of them. The set
        stays, and knows their names until they are gone."""

        def then(outcome: Outcome, _: list[Call]) -> None:
            if of.doomed:
                return  # the removal that follows covers it
            if isinstance(outcome, Failed):
                text = (
                    f"shares of an exposure that was cut short remain: {outcome.reason};"
                    " they go with the set, or are made anew when the client exposes it"
                )
                self._event("shares-not-withdrawn", of.shadow_copy_set_id, text)
                return
            for copy in of.shadow_copy_list:
                for mapped in copy.share_mapping_list:
                    mapped.shadow_copy_share_name = ""
            self._save(of)
            text = "shares of an exposure that was cut short are gone; the client may expose again"
            self._event("step-undone", of.shadow_copy_set_id, text)

        self._start(of, Remove(of.shadow_copy_set_id, names=of.exposed_names), [], then)

    def _is_lost_by_reboot(self, of: ShadowCopySet) -> bool:
        """Without VSS_VOLSNAP_ATTR_PERSISTENT a copy does not survive a reboot (2.2.2.1)."""
        return of.boot != self.settings.boot_id and not context.is_persistent(of.context)

    def _restore_turn(self, of: ShadowCopySet) -> None:
        """The latest unfinished set has the turn; other settings may have let more exist."""
        earlier = self._turns.of(of.client_address)
        if earlier is not None:
            unfinished = self.table.get(earlier.shadow_copy_set_id or b"")
            if unfinished is not None:
                self._doom(unfinished, "a later set has the turn")
        turn = Turn(of.client_address, of.context)
        turn.shadow_copy_set_id = of.shadow_copy_set_id
        self._turns.begin(turn)
        timer = LONG_TIMER if of.status is Status.EXPOSED else SHORT_TIMER
        self._turns.start_timer(turn, timer, self._now)


def _read(key: Guid, document: str) -> ShadowCopySet:
    """Raises: ValueError."""
    shadow_copy_set = from_document(document)
    if shadow_copy_set.shadow_copy_set_id != key:
        raise ValueError(f"it describes {format_guid(shadow_copy_set.shadow_copy_set_id)}")
    return shadow_copy_set
