"""The creation of a set: SetContext, Start, Add, Prepare and Commit.

Spec: MS-FSRVP 3.1.4.2 to 3.1.4.5 and 3.1.4.13.
"""

from __future__ import annotations

from typing import cast

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.errors import PeerError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import (
    Call,
    Commit,
    Durability,
    Failed,
    Prepare,
    Remove,
    Succeeded,
)
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import MappedShare, ShadowCopy, ShadowCopySet, client_of, is_local
from fsrvpd.protocol.ports import ShareLocation
from fsrvpd.protocol.server.creation_session import SHORT_TIMER, CreationSession
from fsrvpd.protocol.server.removal import remove_set, roll_back
from fsrvpd.protocol.server.state_machine import (
    AgentState,
    Purpose,
    RunningJob,
    require_location,
)

MAX_SHARES = 64  # of one set: the Volume Shadow Copy service takes no more


# 3.1.4.2, 3.1.4.3


def set_context(state: AgentState, call: Call) -> None:
    new_context = cast(m.SetContext, call.request).context
    if not context.is_valid(new_context):
        why = f"{new_context:#x} is not a context (2.2.2.2)"
        raise PeerError(HResult.FSRVP_E_UNSUPPORTED_CONTEXT, why)
    address = call.caller.address
    session = CreationSession(address, new_context)
    previous = state.sessions.get(address)
    if previous is not None:
        _require_own_session(previous, address)
        session.retry_count = previous.retry_count + 1
        _replace_session(state, previous)
    state.sessions.begin(session)
    state.sessions.start_timer(session, state.methods[call.opnum].timer, state.now)
    state.reply(call, m.StatusResponse(HResult.ZERO))


def _require_own_session(session: CreationSession, address: str) -> None:
    if session.client_address != address:
        why = f"client {session.client_address} is creating a shadow copy set"
        raise PeerError(HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS, why)


def _replace_session(state: AgentState, previous: CreationSession) -> None:
    """The same client starts over: its unfinished set is removed, up to a limit of retries."""
    address = previous.client_address
    state.sessions.end(previous)
    unfinished = state.table.get(previous.shadow_copy_set_id or b"")
    if unfinished is not None:
        remove_set(state, unfinished, f"client {address} called SetContext again")
    limit = state.settings.dialect.retry_limit
    if limit is not None and previous.retry_count + 1 > limit:
        why = f"client {address} called SetContext {limit} times without completing a set"
        raise PeerError(HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS, why)


def start_shadow_copy_set(state: AgentState, call: Call) -> None:
    if cast(m.StartShadowCopySet, call.request).client_shadow_copy_set_id == m.NULL_GUID:
        raise PeerError(HResult.E_INVALIDARG, "ClientShadowCopySetId is NULL (note 7)")
    address = call.caller.address
    session = state.sessions.get(address)
    if session is None:
        why = f"client {address} has not called SetContext, or its timer has expired"
        raise PeerError(HResult.FSRVP_E_BAD_STATE, why)
    _require_own_session(session, address)
    _require_no_set(state, session)
    _require_capacity(state, address)
    shadow_copy_set = ShadowCopySet(
        state.new_guid(),
        session.context,
        address,
        call.caller.account,
        state.wall_clock(),
        boot=state.settings.boot_id,
        life=state.settings.life,
        clock=state.now,
    )
    session.shadow_copy_set_id = shadow_copy_set.shadow_copy_set_id
    state.table.add(shadow_copy_set)
    state.advance(shadow_copy_set, call.opnum)
    state.start_timer(shadow_copy_set, state.methods[call.opnum].timer)
    state.reply(call, m.GuidResponse(HResult.ZERO, shadow_copy_set.shadow_copy_set_id))


def _require_no_set(state: AgentState, session: CreationSession) -> None:
    other = state.table.get(session.shadow_copy_set_id or b"")
    if other is not None:
        why = f"its set {m.format_guid(other.shadow_copy_set_id)} is {other.status.value}"
        raise PeerError(HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS, why)


def _require_capacity(state: AgentState, address: str) -> None:
    """Sets that could not be removed yet count too."""
    settings, removing, client = state.settings, state.removing.values(), client_of(address)
    of_client = state.table.of_client(address)
    of_client += sum(client_of(each.client_address) == client for each in removing)
    if len(state.table) + len(removing) >= settings.max_sets:
        why = f"fsrvpd:max sets = {settings.max_sets} is reached"
    elif of_client >= settings.max_sets_per_client:
        why = (
            f"client {client} has reached"
            f" fsrvpd:max sets per client = {settings.max_sets_per_client}"
        )
    else:
        return
    raise PeerError(HResult.VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED, why)


# 3.1.4.4


def add_to_shadow_copy_set(state: AgentState, call: Call) -> None:
    request = cast(m.AddToShadowCopySet, call.request)
    location = require_location(call)
    shadow_copy_set = state.admit(call, request.shadow_copy_set_id)
    if shadow_copy_set is None:
        return
    copies = shadow_copy_set.shadow_copy_list
    if sum(len(copy.share_mapping_list) for copy in copies) >= MAX_SHARES:
        why = f"a set holds at most {MAX_SHARES} shares"
        raise PeerError(HResult.VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED, why)
    keep = location.share.settings.keep if call.keep is None else call.keep
    copy = _copy_for(state, shadow_copy_set, location, keep=keep)
    copy.share_mapping_list.append(
        MappedShare(
            request.share_name,
            location.share.name,
            location.directory,
            handle=location.handle,
            location=location,
        )
    )
    copy.keep = keep
    state.advance(shadow_copy_set, call.opnum)
    state.start_timer(shadow_copy_set, state.methods[call.opnum].timer)
    if shadow_copy_set.may_have_unrecorded_snapshots:  # Prepare has recorded the intent
        state.save(shadow_copy_set, Durability.SYNCED)
    state.reply(call, m.GuidResponse(HResult.ZERO, copy.shadow_copy_id))


def _copy_for(
    state: AgentState, shadow_copy_set: ShadowCopySet, location: ShareLocation, *, keep: bool
) -> ShadowCopy:
    """The copy to which a share is to be mapped: a new one, or that of its volume. One that is to
    be kept is of one share: its marker names no other, whose options would say when it ends."""
    copy = shadow_copy_set.copy_of_volume(location.volume_name)
    if copy is None:
        copy = ShadowCopy(state.new_guid(), location, state.wall_clock())
        shadow_copy_set.shadow_copy_list.append(copy)
    elif not (_may_share_volumes(state, shadow_copy_set) and copy.can_hold(location)):
        state.start_timer(shadow_copy_set, SHORT_TIMER)
        why = f"the set already holds a copy of {location.volume_root}"
        raise PeerError(HResult.FSRVP_E_OBJECT_ALREADY_EXISTS, why)
    elif copy.keep or keep:
        state.start_timer(shadow_copy_set, SHORT_TIMER)
        why = (
            f"the set already holds a copy of {location.volume_root}, for share"
            f" {copy.location.share.name}, and a copy that is kept is of one share: make a set of"
            f" its own for share {location.share.name}"
        )
        raise PeerError(HResult.FSRVP_E_OBJECT_ALREADY_EXISTS, why)
    return copy


def _may_share_volumes(state: AgentState, shadow_copy_set: ShadowCopySet) -> bool:
    """MS-FSRVP forbids it to clients; this server's own admin wants shares at one moment."""
    return state.settings.shared_volumes or is_local(shadow_copy_set.client_address)


# 3.1.4.13


def prepare_shadow_copy_set(state: AgentState, call: Call) -> None:
    request = cast(m.PrepareShadowCopySet, call.request)
    shadow_copy_set = state.admit(call, request.shadow_copy_set_id)
    if shadow_copy_set is None:
        return
    state.begin(call, shadow_copy_set)
    shadow_copy_set.prepare_began = True
    requests = state.requests(shadow_copy_set, shadow_copy_set.shadow_copy_list)
    job = Prepare(shadow_copy_set.shadow_copy_set_id, requests)
    state.start_job(shadow_copy_set, job, Purpose.PREPARE, [call])


def prepared(state: AgentState, running: RunningJob, _: Succeeded) -> None:
    _record_commit_intent(state, running.shadow_copy_set)
    state.answer_waiters(running.shadow_copy_set, running.waiters)


# 3.1.4.5


def commit_shadow_copy_set(state: AgentState, call: Call) -> None:
    request = cast(m.CommitShadowCopySet, call.request)
    shadow_copy_set = state.admit(call, request.shadow_copy_set_id)
    if shadow_copy_set is None:
        return
    state.begin(call, shadow_copy_set)
    _record_commit_intent(state, shadow_copy_set)
    requests = state.requests(shadow_copy_set, shadow_copy_set.shadow_copy_list)
    job = Commit(shadow_copy_set.shadow_copy_set_id, requests)
    state.start_job(shadow_copy_set, job, Purpose.COMMIT, [call])


def _record_commit_intent(state: AgentState, shadow_copy_set: ShadowCopySet) -> None:
    """Make the intent durable before any disk is touched. Prepare has done so already, since
    the applications are frozen between its answer and that of Commit.

    It is synced whatever the context: after a power cut between this and the end of the set it is
    all that the next start has, to find the copies of the set on the disks, or to remove them."""
    recorded = shadow_copy_set.may_have_unrecorded_snapshots and not shadow_copy_set.undo_recorded
    if not recorded and not shadow_copy_set.removing:
        shadow_copy_set.may_have_unrecorded_snapshots = True
        state.save(shadow_copy_set, Durability.SYNCED)


def committed(state: AgentState, running: RunningJob, succeeded: Succeeded) -> None:
    shadow_copy_set = running.shadow_copy_set
    if not running.waiters and not shadow_copy_set.removing:
        # The client has thawed its applications: snapshots this late are not consistent.
        late = Remove(shadow_copy_set.shadow_copy_set_id, snapshots=list(succeeded.snapshots))
        roll_back(state, shadow_copy_set, late)
        return
    set_snapshots(state, shadow_copy_set, succeeded)
    # Applications wait for the answer. Where the snapshots do not record themselves the power cut
    # that comes just after it would lose the set.
    state.save(shadow_copy_set, Durability.LATER if succeeded.is_found else None)
    state.answer_waiters(shadow_copy_set, running.waiters)


def set_snapshots(state: AgentState, shadow_copy_set: ShadowCopySet, succeeded: Succeeded) -> None:
    for copy, snapshot in zip(shadow_copy_set.shadow_copy_list, succeeded.snapshots):
        copy.snapshot = snapshot
    shadow_copy_set.snapshot_skew = succeeded.snapshot_skew
    shadow_copy_set.may_have_unrecorded_snapshots = False
    state.advance(shadow_copy_set, Opnum.CommitShadowCopySet)


def commit_failed(state: AgentState, running: RunningJob, failed: Failed) -> None:
    """Refuse the calls and roll back. The failure may have come between two snapshots: those
    that exist are looked for."""
    shadow_copy_set = running.shadow_copy_set
    if shadow_copy_set.removing:
        return
    if failed.result == HResult.FSRVP_E_WAIT_FAILED:
        rule = state.methods[Opnum.CommitShadowCopySet]
        state.set_status(shadow_copy_set, rule.wait_failed_status)
    state.refuse_waiters(running, failed)
    requests = state.requests(shadow_copy_set, shadow_copy_set.shadow_copy_list)
    job = Remove(shadow_copy_set.shadow_copy_set_id, unknown=requests)
    roll_back(state, shadow_copy_set, job)
