"""Changes to sets without a client's call: they reach their maximum age, or somebody else
removes their snapshots and shares. The reconciler reports what it saw; what follows is
decided here.

Age. The age of a set that was started since the last boot is measured by the monotonic clock,
which nobody can set. After a reboot only the wall clock is left: a set that is overdue by it
is reported, and removed if it still is overdue one hour later and nobody has set the clock
in between.
"""

from __future__ import annotations

from typing import Collection, Optional, cast

from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Failed, RecreateShares, Succeeded
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.model import ShadowCopySet
from fsrvpd.protocol.server.exposure import exports_of, shadow_shares
from fsrvpd.protocol.server.removal import remove_set, resume_deletion
from fsrvpd.protocol.server.state_machine import AgentState, Purpose, RunningJob

OVERDUE_CONFIRMATION = 3600.0  # s for which the wall clock must call a set overdue
CLOCK_JUMP_THRESHOLD = 60.0  # s between wall clock and monotonic clock: somebody set the clock


# Age.


def expire(state: AgentState) -> None:
    """Remove the sets that have exceeded their maximum age."""
    _compare_clocks(state)
    for shadow_copy_set in list(state.table):
        why = _overdue(state, shadow_copy_set)
        if why:
            remove_set(state, shadow_copy_set, why)


def _compare_clocks(state: AgentState) -> None:
    """Detect that the wall clock was set: the hour of sets that are overdue by it starts again."""
    offset = state.wall_clock() - state.now
    jump = 0.0 if state.clock_offset is None else offset - state.clock_offset
    state.clock_offset = offset
    if abs(jump) < CLOCK_JUMP_THRESHOLD:
        return
    for each in state.table:
        each.overdue_since = None
    direction = "forward" if jump > 0 else "back"
    text = (
        f"system clock jumped {direction} {abs(jump):.0f} s (set manually, or resumed from"
        " suspend); no set is removed because of it, but verify the clock"
    )
    state.event("clock-jumped", None, text)


def _overdue(state: AgentState, shadow_copy_set: ShadowCopySet) -> Optional[str]:
    """Why a set is to be removed for its age, or None."""
    settings = state.settings
    persistent = context.is_persistent(shadow_copy_set.context)
    name = "persistent max age" if persistent else "auto release max age"
    limit = settings.max_age(persistent=persistent)
    same_boot = shadow_copy_set.boot == settings.boot_id
    age = state.now - shadow_copy_set.clock
    if not same_boot:
        age = state.wall_clock() - shadow_copy_set.started
    if not limit or age <= limit:
        shadow_copy_set.overdue_since = None
        return None
    why = f"it is {age:.0f} s old, and fsrvpd:{name} = {limit}"
    return why if same_boot or _is_confirmed(state, shadow_copy_set, why) else None


def _is_confirmed(state: AgentState, shadow_copy_set: ShadowCopySet, why: str) -> bool:
    if shadow_copy_set.overdue_since is None:
        shadow_copy_set.overdue_since = state.now
        key = shadow_copy_set.shadow_copy_set_id
        text = (
            f"set {format_guid(key)} will be removed in one hour: {why}. Correct the system"
            " clock if it is wrong"
        )
        state.event("set-overdue", key, text)
    return state.now - shadow_copy_set.overdue_since >= OVERDUE_CONFIRMATION


# What somebody else removed.


def snapshot_gone(state: AgentState, key: Guid, shadow_copy_id: Guid) -> None:
    """Somebody else removed a snapshot. A complete set continues without that copy; a set
    that is still being created is removed."""
    shadow_copy_set = state.table.get(key)
    copy = shadow_copy_set.copy(shadow_copy_id) if shadow_copy_set else None
    if shadow_copy_set is None or copy is None:
        return
    if not state.is_finished(shadow_copy_set):
        why = f"the snapshot of copy {format_guid(shadow_copy_id)} was removed by somebody else"
        remove_set(state, shadow_copy_set, why)
    elif key not in state.jobs:
        for mapped in copy.share_mapping_list:
            mapped.deleting = True
        resume_deletion(state, shadow_copy_set)


def share_gone(state: AgentState, key: Guid, names: Collection[str]) -> None:
    """Somebody else removed shares of an exposed set: they are made again."""
    shadow_copy_set = state.table.get(key)
    if shadow_copy_set is None or key in state.jobs:
        return
    shares = [share for share in shadow_shares(shadow_copy_set) if share.name in names]
    paths = [share.path for share in shares]
    job = RecreateShares(key, shares, _exports(shadow_copy_set, paths))
    state.start_job(shadow_copy_set, job, Purpose.RECREATE_SHARES, [])


def mount_gone(state: AgentState, key: Guid, mount_points: Collection[str]) -> None:
    """Copies of an exposed set are not mounted: they are mounted again."""
    shadow_copy_set = state.table.get(key)
    if shadow_copy_set is None or key in state.jobs:
        return
    job = RecreateShares(key, [], _exports(shadow_copy_set, mount_points))
    state.start_job(shadow_copy_set, job, Purpose.RECREATE_SHARES, [])


def _exports(shadow_copy_set: ShadowCopySet, mount_points: Collection[str]) -> list[Export]:
    return [each for each in exports_of(shadow_copy_set) if each.mount_point in mount_points]


def shares_recreated(state: AgentState, running: RunningJob, _: Succeeded) -> None:
    key = running.shadow_copy_set.shadow_copy_set_id
    state.event("share-restored", key, f"{_names(running)} recreated")


def recreate_failed(state: AgentState, running: RunningJob, failed: Failed) -> None:
    text = f"{_names(running)} not recreated: {failed.reason}; `fsrvpctl fsrvpd prune` tries again"
    state.event("share-not-restored", running.shadow_copy_set.shadow_copy_set_id, text)


def _names(running: RunningJob) -> str:
    """The shares of a job, or, without any, the mounts."""
    job = cast(RecreateShares, running.job)
    shares = [share.name for share in job.shares]
    return ", ".join(shares or [export.mount_point for export in job.exports])
