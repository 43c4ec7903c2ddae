"""The removal of sets: AbortShadowCopySet, DeleteShareMapping, the timer, an admin.

A set that is to be removed leaves the table at once, and the intent is made durable. The set
is forgotten only when its shares and snapshots are removed. What cannot be removed now is
tried again later, after a restart too. Kept snapshots of a complete set stay.
"""

from __future__ import annotations

from typing import Sequence, cast

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.errors import PeerError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Call, Failed, Remove, Succeeded
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import MappedShare, ShadowCopy, ShadowCopySet, Status
from fsrvpd.protocol.server.creation_session import CreationSession
from fsrvpd.protocol.server.share_name import share_of
from fsrvpd.protocol.server.state_machine import (
    AgentState,
    Purpose,
    RunningJob,
    require_mapping,
)

REMOVAL_RETRY = 60.0  # s until what could not be removed is tried again


# Whole sets: 3.1.4.8, 3.1.5


def abort_shadow_copy_set(state: AgentState, call: Call) -> None:
    key = cast(m.AbortShadowCopySet, call.request).shadow_copy_set_id
    removing = state.removing.get(key)
    if removing is not None:  # the client repeats an abort that failed or timed out
        _await_removal(state, removing, call)
        return
    shadow_copy_set = state.lookup(key)
    state.require_status(call, shadow_copy_set)
    remove_set(state, shadow_copy_set, f"{call.caller.account!r} aborted it", [call])


def _await_removal(state: AgentState, removing: ShadowCopySet, call: Call) -> None:
    running = state.jobs.get(removing.shadow_copy_set_id)
    if running is None:
        start_removal(state, removing, [call])
    elif running.purpose is Purpose.REMOVE_SET:
        running.waiters.append(call)
    else:
        running.removal_waiters.append(call)


def on_timer(state: AgentState, session: CreationSession) -> None:
    """The Message Sequence Timer of a session has expired."""
    shadow_copy_set = state.table.get(session.shadow_copy_set_id or b"")
    why = f"message sequence timer of client {session.client_address} expired"
    key = None if shadow_copy_set is None else shadow_copy_set.shadow_copy_set_id
    state.event("timer-elapsed", key, why)
    end_creation(state, session, why)


def end_creation(state: AgentState, session: CreationSession, why: str) -> None:
    """End a session, and begin to remove its set."""
    state.sessions.end(session)
    shadow_copy_set = state.table.get(session.shadow_copy_set_id or b"")
    if shadow_copy_set is not None:
        remove_set(state, shadow_copy_set, why)


def keep_set(state: AgentState, shadow_copy_set: ShadowCopySet) -> None:
    """Let the snapshots of a set outlive it, but for those that are being deleted."""
    for copy in shadow_copy_set.shadow_copy_list:
        copy.keep = copy.keep or not copy.deleting
    state.save(shadow_copy_set)


def remove_set(
    state: AgentState, shadow_copy_set: ShadowCopySet, why: str, waiters: Sequence[Call] = ()
) -> None:
    """Take a set out of the table and begin to remove all that it has made."""
    key = shadow_copy_set.shadow_copy_set_id
    state.table.remove(shadow_copy_set)
    state.end_session(shadow_copy_set)
    shadow_copy_set.removing = True
    state.removing[key] = shadow_copy_set
    state.event("set-removing", key, f"removing set {format_guid(key)}: {why}")
    running = state.jobs.get(key)
    if running is None:
        start_removal(state, shadow_copy_set, list(waiters))
        return
    if running.purpose is Purpose.CONCLUDE and key in state.retries:  # it does not run now
        del state.jobs[key]
        start_removal(state, shadow_copy_set, list(waiters))
    else:
        state.save(shadow_copy_set)
        running.removal_waiters += waiters
    waiting, running.waiters = running.waiters, []
    for call in waiting:
        state.refuse(call, HResult.FSRVP_E_BAD_STATE, f"the set is being removed: {why}")
    queued, running.queue = running.queue, []
    for call in queued:
        state.dispatch(call)  # which finds that the set does not exist any more


def start_removal(state: AgentState, shadow_copy_set: ShadowCopySet, waiters: list[Call]) -> None:
    """Remove the shares and snapshots of a set that is no longer in the table."""
    state.retries.pop(shadow_copy_set.shadow_copy_set_id, None)
    job = _removal_job(state, shadow_copy_set)
    if not (job.names or job.exports or job.snapshots or job.unknown):
        _forget(state, shadow_copy_set, waiters)
        return
    state.save(shadow_copy_set)
    state.start_job(shadow_copy_set, job, Purpose.REMOVE_SET, waiters)


def _removal_job(state: AgentState, shadow_copy_set: ShadowCopySet) -> Remove:
    kept = shadow_copy_set.outliving
    copies = [copy for copy in shadow_copy_set.shadow_copy_list if copy not in kept]
    unrecorded = [copy for copy in copies if copy.snapshot is None]
    if not (shadow_copy_set.may_have_unrecorded_snapshots or shadow_copy_set.prepare_began):
        unrecorded = []
    return Remove(
        shadow_copy_set.shadow_copy_set_id,
        names=shadow_copy_set.exposed_names,
        exports=[
            export
            for copy in kept
            for mapped in copy.share_mapping_list
            if not copy.stays_exported(mapped) and (export := copy.export(mapped)) is not None
        ],
        snapshots=[copy.snapshot for copy in copies if copy.snapshot is not None],
        unknown=state.requests(shadow_copy_set, unrecorded),
    )


def set_removed(state: AgentState, running: RunningJob, _: Succeeded) -> None:
    _forget(state, running.shadow_copy_set, running.waiters)


def _forget(state: AgentState, shadow_copy_set: ShadowCopySet, waiters: list[Call]) -> None:
    key = shadow_copy_set.shadow_copy_set_id
    state.removing.pop(key, None)
    state.forget(shadow_copy_set)
    kept = len(shadow_copy_set.outliving)
    state.kept_ended += kept
    text = f"set {format_guid(key)}, its shares and its snapshots are removed"
    if kept:
        text += f", except {kept} to keep: see `fsrvpctl fsrvpd list-kept`"
    state.event("set-removed", key, text)
    for call in waiters:
        state.reply(call, m.StatusResponse(HResult.ZERO))


def removal_failed(state: AgentState, running: RunningJob, failed: Failed) -> None:
    """Try again later: a whole set, or a mapping of one."""
    key = running.shadow_copy_set.shadow_copy_set_id
    state.retries[key] = state.now + REMOVAL_RETRY
    text = f"could not be removed, next attempt in {REMOVAL_RETRY:.0f} s: {failed.reason}"
    state.event("removal-failed", key, text)
    for call in running.waiters:
        state.refuse(call, failed.result, failed.reason)


def retry(state: AgentState, key: Guid) -> None:
    """Try again to remove what could not be removed, or to conclude a commit."""
    removing, shadow_copy_set = state.removing.get(key), state.table.get(key)
    running = state.jobs.get(key)
    if running is not None and running.purpose is Purpose.CONCLUDE:
        state.start_again(running)
    elif running is not None:
        state.retries[key] = state.now + REMOVAL_RETRY
    elif removing is not None:
        start_removal(state, removing, [])
    elif shadow_copy_set is not None:
        resume_deletion(state, shadow_copy_set)


# Single mappings: 3.1.4.12


def delete_share_mapping(state: AgentState, call: Call) -> None:
    request = cast(m.DeleteShareMapping, call.request)
    share = share_of(request.share_name, state.own_names)
    if request.shadow_copy_id == m.NULL_GUID:
        raise PeerError(HResult.E_INVALIDARG, "ShadowCopyId is NULL")
    not_found = HResult.FSRVP_E_OBJECT_NOT_FOUND
    shadow_copy_set = state.admit(call, request.shadow_copy_set_id, unknown=not_found)
    if shadow_copy_set is None:
        return
    unknown = state.settings.dialect.unknown_mapping
    copy, mapped = require_mapping(shadow_copy_set, request.shadow_copy_id, share, unknown)
    _start_deletion(state, shadow_copy_set, copy, mapped, [call])


def _start_deletion(
    state: AgentState,
    shadow_copy_set: ShadowCopySet,
    copy: ShadowCopy,
    mapped: MappedShare,
    waiters: list[Call],
) -> None:
    mapped.deleting = True
    # The power cut that it is for brings back the snapshot, and the set would recreate its share.
    state.save(shadow_copy_set)
    job = Remove(shadow_copy_set.shadow_copy_set_id, names=[mapped.shadow_copy_share_name])
    export = copy.export(mapped)
    if export is not None and not copy.stays_exported(mapped):
        job.exports.append(export)
    stays = _outlives_mappings(shadow_copy_set, copy)
    if len(copy.share_mapping_list) == 1 and copy.snapshot is not None and not stays:
        job.snapshots.append(copy.snapshot)
    state.start_job(shadow_copy_set, job, Purpose.DELETE_MAPPING, waiters)


def _outlives_mappings(shadow_copy_set: ShadowCopySet, copy: ShadowCopy) -> bool:
    """Whether a snapshot stays without its shares. One that nobody has sealed is no backup."""
    is_sealed = shadow_copy_set.status is Status.RECOVERED
    return copy.keep and (is_sealed or not context.is_writable(shadow_copy_set.context))


def mapping_deleted(state: AgentState, running: RunningJob, _: Succeeded) -> None:
    shadow_copy_set = running.shadow_copy_set
    [name] = cast(Remove, running.job).names
    for copy in list(shadow_copy_set.shadow_copy_list):
        for mapped in list(copy.share_mapping_list):
            if mapped.shadow_copy_share_name == name:
                copy.share_mapping_list.remove(mapped)
                _remove_if_empty(state, shadow_copy_set, copy)
    state.answer_waiters(shadow_copy_set, running.waiters)
    resume_deletion(state, shadow_copy_set)


def _remove_if_empty(state: AgentState, shadow_copy_set: ShadowCopySet, copy: ShadowCopy) -> None:
    """Drop a copy without mappings, and the set with its last copy."""
    if not copy.share_mapping_list:
        state.table.remove_copy(shadow_copy_set, copy)
        state.kept_ended += _outlives_mappings(shadow_copy_set, copy)
    if shadow_copy_set.shadow_copy_list:
        state.save(shadow_copy_set)
    else:
        state.end_session(shadow_copy_set)  # the creation is over, though not completed
        state.table.remove(shadow_copy_set)
        state.forget(shadow_copy_set)


def resume_deletion(state: AgentState, shadow_copy_set: ShadowCopySet) -> None:
    """Finish a DeleteShareMapping that was begun and could not be finished; one job a set."""
    for copy in shadow_copy_set.shadow_copy_list:
        for mapped in copy.share_mapping_list:
            if mapped.deleting and not shadow_copy_set.removing:
                _start_deletion(state, shadow_copy_set, copy, mapped, [])
                return


# Leftovers: of a result that came too late, or of a failure.


def roll_back(state: AgentState, shadow_copy_set: ShadowCopySet, job: Remove) -> None:
    state.start_job(shadow_copy_set, job, Purpose.ROLL_BACK, [])


def rolled_back(state: AgentState, running: RunningJob, _: Succeeded) -> None:
    shadow_copy_set = running.shadow_copy_set
    if shadow_copy_set.removing:
        return  # the removal that follows covers it
    shadow_copy_set.may_have_unrecorded_snapshots = False
    text = "leftovers of a failed step were cleaned up"
    state.event("step-undone", shadow_copy_set.shadow_copy_set_id, text)


def roll_back_failed(state: AgentState, running: RunningJob, failed: Failed) -> None:
    """Nobody can say any more what the set consists of: it is removed."""
    if not running.shadow_copy_set.removing:
        why = f"leftovers of a failed step could not be removed: {failed.reason}"
        remove_set(state, running.shadow_copy_set, why)
