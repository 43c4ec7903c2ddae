"""`fsrvpshadow mount` and `fsrvpshadow unmount`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Dict, List, Sequence

from fsrvpd.requestor.ctl.creation import make_set, tell
from fsrvpd.requestor.ctl.exit_status import EXIT_DONE, EXIT_INCOMPLETE
from fsrvpd.requestor.ctl.left_mounts import clean_job, end_sets
from fsrvpd.requestor.ctl.opening import (
    open_cleaner,
    open_connector,
    open_mounts,
    open_requestor,
    who_logs_in,
)
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.settings import WrongUsage, need_shares, read, read_for_job
from fsrvpd.requestor.ctl.signals import Signals
from fsrvpd.requestor.mount import left
from fsrvpd.requestor.mount.mounts import Mounts
from fsrvpd.requestor.mount.problems import KINDS, Found
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopySet
from fsrvpd.requestor.state.mounts import MountFiles, MountRecord
from fsrvpd.terminal import one_line

DEFAULT_JOB = "mount"
_MOST_SHOWN = 20  # paths of each mount


def mount(arguments: argparse.Namespace, output: Output) -> int:
    settings = read(arguments)
    need_shares(settings)
    job = settings.job or DEFAULT_JOB
    with Signals() as signals:
        with signals.interrupting():  # it may ask for a password
            who = who_logs_in(settings)
            connector = open_connector(settings, who)
            requestor = open_requestor(settings, output, connector=connector)
            store = open_mounts(output)
            clean_job(job, store, requestor, output)
        mounts = Mounts(
            store,
            who,
            encrypt=settings.encrypt,
            by_cifs=settings.cifs,
            kept=True,
        )
        created = make_set(requestor, settings, signals, output, job=job)
        try:
            tell(created, output)
            with mounts:
                with signals.interrupting():
                    points = mounts.mount(created, job)
                created.keep()
                output.result(_described(created, points, job), **_fields(created, points, job))
        except BaseException:  # nobody would delete what nobody knows of
            created.delete()
            mounts.forget()
            raise
        created.close()
    return EXIT_DONE


def unmount(arguments: argparse.Namespace, output: Output) -> int:
    """Exit status 3 if a mount has not shown all: whoever has read it lacks something."""
    store = open_mounts(output)
    records = _chosen(arguments, store)
    cleaners = {
        job: open_cleaner(read_for_job(arguments, job), output)
        for job in {record.job for record in records}
    }
    status = EXIT_DONE
    unmounted: List[MountRecord] = []
    try:
        for record in records:
            found = left.unmount(store, record, force=arguments.force)
            unmounted.append(record)
            if report(record.shadow_share, found, output):
                status = EXIT_INCOMPLETE
            output.result(f"{one_line(record.point)}: unmounted", unmounted=record.point)
    finally:  # what is unmounted is ended whatever comes after
        errors = end_sets(unmounted, store, cleaners.__getitem__)
        for error in errors:
            output.failed(error, error.exit_status)
    return errors[0].exit_status if errors else status


def report(share: str, found: Found, output: Output) -> bool:
    """Say what a mount could not show. Returns whether a backup of it lacks something."""
    for kind, number in found.counts.items():
        paths = [each.path for each in found.named if each.kind == kind]
        shown = ", ".join(map(one_line, paths[:_MOST_SHOWN]))
        more = f" and {number - _MOST_SHOWN} more" if number > _MOST_SHOWN else ""
        text = f"{share}: {number} files {KINDS[kind].meaning}: {shown}{more}"
        output.warning(text, share=share, kind=kind, number=number, paths=paths)
    return found.incomplete


def _chosen(arguments: argparse.Namespace, store: MountFiles) -> Sequence[MountRecord]:
    """Raises: WrongUsage."""
    kept = [record for record in store.records() if record.kept]
    if arguments.all:
        return kept
    known = ", ".join(sorted({record.job for record in kept})) or "none"
    if not arguments.mounts:
        raise WrongUsage("MOUNT", "none was given", f"name a job or a directory; mounted: {known}")
    chosen: List[MountRecord] = []
    for name in arguments.mounts:
        found = left.of(kept, name)
        if not found:
            raise WrongUsage(name, "nothing of it is mounted", f"mounted: {known}")
        chosen += [record for record in found if record not in chosen]
    return chosen


def _described(created: ShadowCopySet, points: Sequence[Path], job: str) -> str:
    lines = [
        f"{one_line(copy.root.unc)} is {one_line(str(point))}"
        for copy, point in zip(created.copies, points)
    ]
    return "\n".join([*lines, f"until you type: fsrvpshadow unmount {one_line(job)}"])


def _fields(created: ShadowCopySet, points: Sequence[Path], job: str) -> Dict[str, Any]:
    return {
        "set": created.id,
        "job": job,
        "mounts": [
            {"share": copy.root.unc, "shadow_share": copy.unc, "mount": str(point)}
            for copy, point in zip(created.copies, points)
        ],
    }
