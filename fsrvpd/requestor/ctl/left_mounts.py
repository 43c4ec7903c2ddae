"""The part of `clean` that concerns mounts, and the sets that were made for them alone.

A set that was made for mounts is kept, so that the records of its mounts are what says that it is
to be deleted: they are forgotten last, and stay where it could not be deleted.
"""

from __future__ import annotations

from typing import Callable, Sequence

from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.ctl.exit_status import EXIT_LEFT
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.errors import BUSY, RequestorError
from fsrvpd.requestor.mount.left import forget, unmount_left
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.state.mounts import MountFiles, MountRecord
from fsrvpd.terminal import one_line

# The requestor that deletes the sets of a job: it logs in as who made them.
Cleaner = Callable[[str], Requestor]

_LONGEST_LOOK = 10.0  # seconds


def clean_mounts(store: MountFiles, cleaner: Cleaner, output: Output, *, dry_run: bool) -> bool:
    """Unmount what killed processes have left mounted, and delete its sets. Returns whether
    nothing is left; if something is, why has been printed."""
    found = unmount_left(store, store.records(), dry_run=dry_run)
    done = "would be unmounted" if dry_run else "unmounted"
    for record in found.removed:
        _tell(record, done, output)
    for record in found.in_use:
        _tell(record, "in use", output)
    errors = [each.error for each in found.left if each.error is not None]
    if not dry_run:
        errors += end_sets(found.removed, store, cleaner)
    for error in errors:
        output.failed(error, EXIT_LEFT)
    return not errors


def clean_job(job: str, store: MountFiles, requestor: Requestor, output: Output) -> None:
    """Before a job is mounted: end what killed processes have left of its kept mounts. What is left
    is told, and refused if it is in the way."""
    kept = [record for record in store.records() if record.kept and record.job == job]
    found = unmount_left(store, kept)
    errors = [each.error for each in found.left if each.error is not None]
    for error in errors + end_sets(found.removed, store, lambda job: requestor):
        text = f"what an earlier mount of job {job} left is still there: {error}"
        output.warning(f"{text}; `fsrvpshadow clean` removes it")


def end_sets(
    records: Sequence[MountRecord], store: MountFiles, cleaner: Cleaner
) -> list[RequestorError]:
    """Forget mounts that have ended, after the sets that were kept for them are deleted, unless
    other mounts need these. Returns the failures."""
    errors = []
    for set_id in dict.fromkeys(record.set_id for record in records):
        try:
            _end([record for record in records if record.set_id == set_id], store, cleaner)
        except RequestorError as error:
            errors.append(error)
    return errors


def _end(of_set: Sequence[MountRecord], store: MountFiles, cleaner: Cleaner) -> None:
    """Raises: RequestorError."""
    set_id = of_set[0].set_id
    # Of two that each end one of its mounts, the second must not see the first one's record.
    with store.lock_of_set(set_id) as lock:
        if not lock.acquire(_LONGEST_LOOK):
            cause = f"another process looks for its mounts: {lock.held_by()}"
            next_step = "type `fsrvpshadow clean` later"
            raise RequestorError(format_guid(set_id), cause, next_step, exit_status=BUSY)
        is_needed = bool(_others(of_set, store))
        if is_needed:
            _forget(of_set, store)
    if not is_needed:
        if of_set[0].kept:  # else it has a record that says the same
            _delete(set_id, cleaner(of_set[0].job))
        _forget(of_set, store)


def _others(of_set: Sequence[MountRecord], store: MountFiles) -> Sequence[MountRecord]:
    """The other mounts of the same set."""
    points = {record.point for record in of_set}
    set_id = of_set[0].set_id
    return [each for each in store.records() if each.set_id == set_id and each.point not in points]


def _forget(records: Sequence[MountRecord], store: MountFiles) -> None:
    for record in records:
        forget(store, record)


def _delete(set_id: Guid, requestor: Requestor) -> None:
    try:
        requestor.delete(set_id)
    except RequestorError as error:
        if error.result != HResult.FSRVP_E_OBJECT_NOT_FOUND:  # somebody has deleted it
            raise


def _tell(record: MountRecord, outcome: str, output: Output) -> None:
    fields = {"mount": record.point, "job": record.job, "outcome": outcome.replace(" ", "-")}
    output.result(f"{one_line(record.point)}: {outcome}", **fields)
