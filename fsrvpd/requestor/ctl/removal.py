"""`fsrvpshadow delete` and `fsrvpshadow clean`."""

from __future__ import annotations

import argparse
import os
from typing import Dict, Iterable, List, Tuple

from fsrvpd.core.messages import Guid, format_guid, parse_guid
from fsrvpd.requestor.ctl.exit_status import EXIT_DONE, EXIT_LEFT
from fsrvpd.requestor.ctl.left_mounts import clean_mounts
from fsrvpd.requestor.ctl.opening import open_cleaner, open_requestor, open_store
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.settings import WrongUsage, read, read_for_job
from fsrvpd.requestor.ctl.thawing import clean_frozen
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount.places import mount_directory
from fsrvpd.requestor.ports import SetRecord
from fsrvpd.requestor.sets.removal import Cleaning
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.state.mounts import MountFiles
from fsrvpd.requestor.writers.results import remove_left
from fsrvpd.terminal import one_line

_UNREADABLE = "it may stand for a set that is still on a server"
_LOOK = "look into it, see whether that server has the set, and remove the file"


def delete(arguments: argparse.Namespace, output: Output) -> int:
    set_id = _guid("--set", arguments.set)
    copy_id = _guid("--copy", arguments.copy) if arguments.copy else None
    if arguments.unc and copy_id is None:
        raise WrongUsage("SHARE", "it says which copy of another client is meant", "add --copy ID")
    if arguments.unc and copy_id is not None:
        requestor = open_requestor(read(arguments), output)
        requestor.delete_unrecorded(arguments.unc, set_id, copy_id)
    else:
        jobs = {record.job for record in open_store(output).records(set_id)}
        requestor = open_requestor(read_for_job(arguments, "".join(jobs)), output)
        requestor.delete(set_id, None if copy_id is None else [copy_id])
    what = format_guid(set_id if copy_id is None else copy_id)
    output.result(f"{what} deleted", deleted=what)
    return EXIT_DONE


def _guid(option: str, text: str) -> Guid:
    try:
        return parse_guid(text)
    except ValueError:
        next_step = "copy one from `fsrvpshadow list`"
        raise WrongUsage(f"{option} {text}", "it is not a GUID", next_step) from None


def clean(arguments: argparse.Namespace, output: Output) -> int:
    """First what holds applications up. The errors of what is left are printed as they come."""
    dry_run: bool = arguments.dry_run
    is_clean = clean_frozen(output, dry_run=dry_run)
    mounts = MountFiles(open_store(output).directory, output.warning)
    common = open_cleaner(read(arguments), output)

    def cleaner(job: str) -> Requestor:
        return open_cleaner(read_for_job(arguments, job), output)

    is_clean &= clean_mounts(mounts, cleaner, output, dry_run=dry_run)
    _clean_results(output, dry_run=dry_run)
    for requestor, records in _by_login(arguments, common, output):
        cleaning = requestor.clean(records, dry_run=dry_run)
        _tell(cleaning, output, "would be removed" if dry_run else "removed")
        is_clean &= not cleaning.left
    unreadable = open_store(output).damaged()
    for path in unreadable:
        output.failed(RequestorError(str(path), _UNREADABLE, _LOOK), EXIT_LEFT)
    return EXIT_DONE if is_clean and not unreadable else EXIT_LEFT


def _clean_results(output: Output, *, dry_run: bool) -> None:
    """What writers have put beside mounts that are gone."""
    try:
        above = mount_directory(os.environ, os.geteuid())
    except RequestorError:  # nothing of this user can be mounted
        return
    outcome = "would be removed" if dry_run else "removed"
    for path in remove_left(above, dry_run=dry_run):
        fields = {"directory": str(path), "outcome": outcome.replace(" ", "-")}
        output.result(f"{one_line(str(path))}: {outcome}", **fields)


def _by_login(
    arguments: argparse.Namespace, common: Requestor, output: Output
) -> Iterable[Tuple[Requestor, List[SetRecord]]]:
    """The sets of each job that the configuration has, which may have credentials of its own; and
    all others, also if there are none."""
    groups: Dict[str, Tuple[Requestor, List[SetRecord]]] = {"": (common, [])}
    for record in open_store(output).records():
        settings = read_for_job(arguments, record.job)
        if settings.job not in groups:
            groups[settings.job] = open_cleaner(settings, output), []
        groups[settings.job][1].append(record)
    return groups.values()


def _tell(cleaning: Cleaning, output: Output, done: str) -> None:
    for record in cleaning.removed:
        output.result(f"{_named(record)}: {done}", **_fields(record, done))
    for record in cleaning.in_use:
        output.result(f"{_named(record)}: in use", **_fields(record, "in use"))
    for record in cleaning.kept:
        output.result(f"{_named(record)}: kept until it is deleted", **_fields(record, "kept"))
    for left in cleaning.left:
        output.failed(left.error, EXIT_LEFT)


def _named(record: SetRecord) -> str:
    return f"{format_guid(record.set_id)} on {record.owner or record.server}"


def _fields(record: SetRecord, outcome: str) -> dict[str, str]:
    return {
        "set": format_guid(record.set_id),
        "server": record.owner or record.server,
        "outcome": outcome.replace(" ", "-"),
        "job": record.job,
    }
