"""The exposure of a set and its completion: Expose and RecoveryComplete.

Spec: MS-FSRVP 3.1.4.6 and 3.1.4.7.
"""

from __future__ import annotations

from typing import cast

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Call, Durability, Expose, Remove, Seal, Succeeded
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.model import ShadowCopySet, shadow_copy_share_name
from fsrvpd.protocol.ports import OWN_DIRECTORY, ShadowShare
from fsrvpd.protocol.server.removal import roll_back
from fsrvpd.protocol.server.state_machine import AgentState, Purpose, RunningJob

# 3.1.4.6


def expose_shadow_copy_set(state: AgentState, call: Call) -> None:
    request = cast(m.ExposeShadowCopySet, call.request)
    shadow_copy_set = state.admit(call, request.shadow_copy_set_id)
    if shadow_copy_set is None:
        return
    state.begin(call, shadow_copy_set)
    # No intent is stored: a restart knows which names to look for in Samba's registry.
    name_shares(shadow_copy_set)
    shares, exports = shadow_shares(shadow_copy_set), exports_of(shadow_copy_set)
    job = Expose(shadow_copy_set.shadow_copy_set_id, shares, exports)
    state.start_job(shadow_copy_set, job, Purpose.EXPOSE, [call])


def exposed(state: AgentState, running: RunningJob, _: Succeeded) -> None:
    shadow_copy_set = running.shadow_copy_set
    if shadow_copy_set.removing:
        return  # the removal that follows knows the names
    if not running.waiters:
        names, exports = shadow_copy_set.exposed_names, shadow_copy_set.exports()
        late = Remove(shadow_copy_set.shadow_copy_set_id, names, exports)
        roll_back(state, shadow_copy_set, late)
        return
    set_exposed(state, shadow_copy_set)
    # The registry's transaction is synced, and the names of its shares have the ids of the copies.
    state.save(shadow_copy_set, Durability.LATER)
    state.answer_waiters(shadow_copy_set, running.waiters)


def name_shares(shadow_copy_set: ShadowCopySet) -> None:
    """From now on these shares may exist."""
    for copy in shadow_copy_set.shadow_copy_list:
        for mapped in copy.share_mapping_list:
            name = shadow_copy_share_name(mapped.share, copy.shadow_copy_id)
            mapped.shadow_copy_share_name = name


def set_exposed(state: AgentState, shadow_copy_set: ShadowCopySet) -> None:
    for copy in shadow_copy_set.shadow_copy_list:
        for mapped in copy.share_mapping_list:
            mapped.is_exposed = True
    state.advance(shadow_copy_set, Opnum.ExposeShadowCopySet)
    if state.is_finished(shadow_copy_set):
        state.end_session(shadow_copy_set)


# 3.1.4.7


def recovery_complete_shadow_copy_set(state: AgentState, call: Call) -> None:
    request = cast(m.RecoveryCompleteShadowCopySet, call.request)
    shadow_copy_set = state.admit(call, request.shadow_copy_set_id)
    if shadow_copy_set is None:
        return
    state.begin(call, shadow_copy_set)
    if not context.is_writable(shadow_copy_set.context):
        _complete(state, shadow_copy_set, [call])  # read-only since it was created
        return
    copies = shadow_copy_set.shadow_copy_list
    snapshots = [copy.snapshot for copy in copies if copy.snapshot is not None]
    job = Seal(
        shadow_copy_set.shadow_copy_set_id,
        snapshots,
        shadow_copy_set.exposed_names,
        shadow_copy_set.exports(),
    )
    state.start_job(shadow_copy_set, job, Purpose.RECOVER, [call])


def recovered(state: AgentState, running: RunningJob, _: Succeeded) -> None:
    """Complete the set for the calls that wait. If none does, the next call seals it again."""
    if running.waiters and not running.shadow_copy_set.removing:
        _complete(state, running.shadow_copy_set, running.waiters)


def _complete(state: AgentState, shadow_copy_set: ShadowCopySet, waiters: list[Call]) -> None:
    shadow_copy_set.recovered_at = state.wall_clock()
    state.advance(shadow_copy_set, Opnum.RecoveryCompleteShadowCopySet)
    state.end_session(shadow_copy_set)
    state.save(shadow_copy_set)  # nothing else tells a complete set from one that is exposed
    state.answer_waiters(shadow_copy_set, waiters)


def shadow_shares(shadow_copy_set: ShadowCopySet) -> list[ShadowShare]:
    """The shadow copy shares of a set that has snapshots, as they are to be now."""
    return [
        ShadowShare(
            name=mapped.shadow_copy_share_name,
            base=mapped.share,
            directory=mapped.directory,
            path=export.mount_point,
            comment=f"Shadow copy of {mapped.share}",
            read_only=not shadow_copy_set.is_writable,
            shadow_copy_set_id=m.format_guid(shadow_copy_set.shadow_copy_set_id),
            shadow_copy_id=m.format_guid(copy.shadow_copy_id),
            hidden=OWN_DIRECTORY if mapped.directory == copy.location.volume_root else "",
        )
        for copy in shadow_copy_set.shadow_copy_list
        for mapped in copy.share_mapping_list
        if (export := copy.export(mapped)) is not None
    ]


def exports_of(shadow_copy_set: ShadowCopySet) -> list[Export]:
    """Where users reach the copies of a set that has snapshots, as it is to be now."""
    return shadow_copy_set.exports(writable=shadow_copy_set.is_writable)
