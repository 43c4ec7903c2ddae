"""A restart of the daemon: the table is populated from the store.

Sets that a client has been told are Committed, Exposed or Recovered live on. Everything
else is removed. Spec: MS-FSRVP 3.1.3.

The store may be behind: no transaction of its own follows a snapshot or shares that record
themselves. So a set with the intent of a commit is Committed if every one of its snapshots is on
its volume, and a Committed set is Exposed if Samba's registry has every one of its shares.
"""

from __future__ import annotations

from typing import Mapping, cast

from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.errors import StoreError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Conclude, Failed, RecreateShares, Remove, Succeeded
from fsrvpd.protocol.model import PUBLISHED, ShadowCopySet, Status, is_local
from fsrvpd.protocol.server.creation import set_snapshots
from fsrvpd.protocol.server.creation_session import LONG_TIMER, SHORT_TIMER, CreationSession
from fsrvpd.protocol.server.document import UnreleasedFormat, from_document
from fsrvpd.protocol.server.exposure import exports_of, name_shares, set_exposed
from fsrvpd.protocol.server.removal import remove_set, resume_deletion
from fsrvpd.protocol.server.state_machine import AgentState, Purpose, RunningJob

CONCLUDE_RETRY = 60.0  # s until storage that did not tell is asked again
INTERRUPTED = "its creation was interrupted by a restart"


def restore(state: AgentState, documents: Mapping[Guid, str]) -> None:
    """Raises: StoreError, before anything is changed, if a development version of fsrvpd wrote
    one of the documents: its snapshots have markers that this version does not know."""
    restored = []
    for key, document in documents.items():
        try:
            restored.append(_read(key, document))
        except UnreleasedFormat as error:
            raise StoreError(
                f"the state file holds sets of {error}, of a development version of fsrvpd, and"
                " this version does not read them; nothing was changed. Install that version"
                " again, delete its sets with `fsrvpctl fsrvpd delete-set ID`, and upgrade. If"
                " that is impossible, move fsrvpd/state.sqlite3* out of Samba's state directory"
                " and remove the snapshots of those sets with the tools of their file systems"
            ) from error
        except Exception as error:  # whatever is in one document, the others are served
            _set_aside(state, key, error)
    for shadow_copy_set in sorted(restored, key=lambda each: each.started):
        try:
            _restore_set(state, shadow_copy_set)
        except Exception as error:
            state.forget_everything_about(shadow_copy_set)
            _set_aside(state, shadow_copy_set.shadow_copy_set_id, error)


def _set_aside(state: AgentState, key: Guid, error: Exception) -> None:
    """Serve the other sets. Nothing of this one is touched before an admin looks at it."""
    state.unreadable.add(key)
    why = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    text = (
        f"set {format_guid(key)} in the store cannot be read; the set, its shares and its"
        f" snapshots are left as they are: {why}"
    )
    state.event("set-unreadable", key, text)


def _read(key: Guid, document: str) -> ShadowCopySet:
    """Raises: ValueError, and anything else that an impossible document leads to."""
    shadow_copy_set = from_document(document)
    if shadow_copy_set.shadow_copy_set_id != key:
        raise ValueError(f"it describes {format_guid(shadow_copy_set.shadow_copy_set_id)}")
    return shadow_copy_set


def _restore_set(state: AgentState, shadow_copy_set: ShadowCopySet) -> None:
    was_unexposed = not shadow_copy_set.exposed_names
    may_be_published = (
        shadow_copy_set.may_have_unrecorded_snapshots or shadow_copy_set.status in PUBLISHED
    )
    if was_unexposed and may_be_published:
        name_shares(shadow_copy_set)  # so that whoever removes the set removes these as well
    unfinished = not may_be_published or _is_unconfirmed(shadow_copy_set)
    if shadow_copy_set.removing or unfinished:
        remove_set(state, shadow_copy_set, INTERRUPTED)
        return
    if _is_lost_by_reboot(state, shadow_copy_set):
        kind = context.describe(shadow_copy_set.context)
        what = "the cluster was stopped" if state.settings.life else "the server was rebooted"
        remove_set(state, shadow_copy_set, f"{what}, which ends a set of {kind}")
        return
    state.table.add(shadow_copy_set)
    if not state.is_finished(shadow_copy_set):
        _restore_session(state, shadow_copy_set)
    if shadow_copy_set.status in (Status.EXPOSED, Status.RECOVERED):
        resume_deletion(state, shadow_copy_set)
    elif was_unexposed:
        _conclude(state, shadow_copy_set)
    else:  # the client was told that the exposure has failed, or the shares are not all there
        _unexpose_partial(state, shadow_copy_set)


def _is_unconfirmed(shadow_copy_set: ShadowCopySet) -> bool:
    """Whether this server's admin was being told of it: his command has ended with the daemon.
    A writable one waits for `complete-set`, as long as for a client."""
    is_complete = shadow_copy_set.status is Status.RECOVERED
    is_writable = context.is_writable(shadow_copy_set.context)
    return is_local(shadow_copy_set.client_address) and not is_complete and not is_writable


def _is_lost_by_reboot(state: AgentState, shadow_copy_set: ShadowCopySet) -> bool:
    """Without VSS_VOLSNAP_ATTR_PERSISTENT a copy does not survive a reboot (2.2.2.1), which for a
    cluster is that of all nodes. The next host of an HA pair has another boot, and need not have
    rebooted."""
    settings = state.settings
    if settings.life:
        rebooted = shadow_copy_set.life != settings.life
    else:
        rebooted = settings.reboot_ends_sets and shadow_copy_set.boot != settings.boot_id
    return rebooted and not context.is_persistent(shadow_copy_set.context)


def _restore_session(state: AgentState, shadow_copy_set: ShadowCopySet) -> None:
    """The latest unfinished set has the session; other settings may have allowed several."""
    earlier = state.sessions.get(shadow_copy_set.client_address)
    if earlier is not None:
        unfinished = state.table.get(earlier.shadow_copy_set_id or b"")
        if unfinished is not None:
            remove_set(state, unfinished, "a later set of its client is being created")
    session = CreationSession(shadow_copy_set.client_address, shadow_copy_set.context)
    session.shadow_copy_set_id = shadow_copy_set.shadow_copy_set_id
    state.sessions.begin(session)
    timer = LONG_TIMER if shadow_copy_set.status is Status.EXPOSED else SHORT_TIMER
    state.start_timer(shadow_copy_set, timer)


def _conclude(state: AgentState, shadow_copy_set: ShadowCopySet) -> None:
    """Find out how far the set had come."""
    unrecorded = [copy for copy in shadow_copy_set.shadow_copy_list if copy.snapshot is None]
    requests, names = state.requests(shadow_copy_set, unrecorded), shadow_copy_set.exposed_names
    same_boot = shadow_copy_set.boot == state.settings.boot_id
    job = Conclude(shadow_copy_set.shadow_copy_set_id, requests, names, same_boot)
    state.start_job(shadow_copy_set, job, Purpose.CONCLUDE, [])


def concluded(state: AgentState, running: RunningJob, succeeded: Succeeded) -> None:
    shadow_copy_set, job = running.shadow_copy_set, cast(Conclude, running.job)
    if shadow_copy_set.removing:
        return  # the removal that follows covers it
    if len(succeeded.snapshots) < len(job.requests):
        remove_set(state, shadow_copy_set, INTERRUPTED)
        return
    if job.requests:
        set_snapshots(state, shadow_copy_set, succeeded)
        text = "a restart found its snapshots: it is Committed"
        state.event("step-found", shadow_copy_set.shadow_copy_set_id, text)
    if succeeded.shares >= set(job.names):
        set_exposed(state, shadow_copy_set)
        state.start_timer(shadow_copy_set, LONG_TIMER)
        state.save(shadow_copy_set)
        key = shadow_copy_set.shadow_copy_set_id
        state.event("step-found", key, "a restart found its shares: it is Exposed")
        mounts = RecreateShares(key, [], exports_of(shadow_copy_set))  # none after a reboot
        state.start_job(shadow_copy_set, mounts, Purpose.RECREATE_SHARES, [])
    else:
        _unexpose_partial(state, shadow_copy_set)


def not_concluded(state: AgentState, running: RunningJob, failed: Failed) -> None:
    """The calls that wait for it go on waiting, and its timer runs."""
    shadow_copy_set = running.shadow_copy_set
    if shadow_copy_set.removing:
        return  # the removal that follows covers it
    key = shadow_copy_set.shadow_copy_set_id
    state.jobs[key] = RunningJob(shadow_copy_set, running.job, Purpose.CONCLUDE, [])
    state.retries[key] = state.now + CONCLUDE_RETRY
    text = (
        "a restart cannot find out whether it was committed; next attempt in"
        f" {CONCLUDE_RETRY:.0f} s: {failed.reason}"
    )
    state.event("step-unknown", key, text)


def _unexpose_partial(state: AgentState, shadow_copy_set: ShadowCopySet) -> None:
    """Remove the shares of an exposure that was interrupted: no client was told of them. The
    set stays, and knows their names until they are removed."""
    names, exports = shadow_copy_set.exposed_names, shadow_copy_set.exports()
    job = Remove(shadow_copy_set.shadow_copy_set_id, names, exports)
    state.start_job(shadow_copy_set, job, Purpose.UNEXPOSE_PARTIAL, [])


def unexposed(state: AgentState, running: RunningJob, _: Succeeded) -> None:
    shadow_copy_set = running.shadow_copy_set
    if shadow_copy_set.removing:
        return  # the removal that follows covers it
    for copy in shadow_copy_set.shadow_copy_list:
        for mapped in copy.share_mapping_list:
            mapped.shadow_copy_share_name = ""
    state.save(shadow_copy_set)
    text = "no share of it is left of an interrupted exposure; the client may expose the set"
    state.event("step-undone", shadow_copy_set.shadow_copy_set_id, text)


def unexpose_failed(state: AgentState, running: RunningJob, failed: Failed) -> None:
    shadow_copy_set = running.shadow_copy_set
    if shadow_copy_set.removing:
        return  # the removal that follows covers it
    text = (
        f"shares of an interrupted exposure could not be removed: {failed.reason};"
        " they are removed with the set, or recreated when the client exposes it"
    )
    state.event("shares-not-withdrawn", shadow_copy_set.shadow_copy_set_id, text)
