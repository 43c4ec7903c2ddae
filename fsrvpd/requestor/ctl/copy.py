"""`fsrvpshadow copy SHARE DIRECTORY`: a mirror of a share in a directory of this host."""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack, closing
from typing import Dict

from fsrvpd.requestor.copying.mirror import Mirror
from fsrvpd.requestor.copying.mirror_directory import (
    MirrorDirectory,
    check_empty,
    look_at_mirror,
    open_mirror,
)
from fsrvpd.requestor.copying.preview import planned
from fsrvpd.requestor.copying.progress import amount
from fsrvpd.requestor.copying.totals import Totals
from fsrvpd.requestor.copying.verification import Verification
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.reading import Copy, Report, Server, job_of, read_copy, server_of
from fsrvpd.requestor.ctl.settings import read
from fsrvpd.requestor.ctl.signals import Signals
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.terminal import one_line


def copy(arguments: argparse.Namespace, output: Output) -> int:
    settings = read(arguments)._replace(shares=(arguments.share,))
    report = Report(output, "not-copied", arguments.share)
    with Signals() as signals:
        server = server_of(settings, arguments.share, signals)
        if arguments.dry_run:
            with signals.interrupting():
                return _preview(server, arguments.directory, report, output)
        with open_mirror(arguments.directory) as mirror:
            mirror.check_source(server.source)

            def work(found: Copy) -> None:
                mirror.side.begin_run(server.source)
                try:
                    _copy(found, mirror, report, verify=arguments.verify)
                except OSError as error:
                    cause = error.strerror or str(error)
                    raise RequestorError(arguments.directory, cause, "") from error

            job = job_of("copy", arguments.share, os.path.abspath(arguments.directory))
            status = read_copy(settings, server, signals, output, report, work, job=job)
    output.result(_summary(report.totals), **_fields(report))
    return status


def _copy(found: Copy, mirror: MirrorDirectory, report: Report, *, verify: bool) -> None:
    Mirror(
        found.tree,
        lambda wanted: found.workers.small_files(wanted, with_metadata=True),
        mirror.top,
        mirror.parts,
        mirror.side,
        report.shortfalls,
        report.totals,
    ).run()
    if verify:
        Verification(found.tree, mirror.side, report.shortfalls, report.totals).run(mirror.top)


def _preview(server: Server, directory: str, report: Report, output: Output) -> int:
    """Of the share as it is now: no set is made, and nothing changes anywhere."""
    with ExitStack() as stack:
        tree = stack.enter_context(closing(server.tree(server.root.share)))
        mirror = look_at_mirror(directory)
        if mirror is None:
            check_empty(directory)
        else:
            stack.enter_context(mirror).check_source(server.source)
        top, side = (mirror.top, mirror.side) if mirror else (None, None)
        for each in planned(tree, top, side, report.shortfalls):
            text = f"{each.what:10} {amount(each.size):>7}  {one_line(each.path)}"
            output.result(text, change=each.what, path=each.path, bytes=each.size)
    return report.status()


def _summary(totals: Totals) -> str:
    return (
        f"{totals.files} files copied ({amount(totals.copied_bytes)}), {totals.unchanged_files}"
        f" unchanged, {totals.removed} removed"
    )


def _fields(report: Report) -> Dict[str, int]:
    totals = report.totals
    return {
        "copied": totals.files,
        "bytes": totals.copied_bytes,
        "unchanged": totals.unchanged_files,
        "removed": totals.removed,
        "verified_bytes": totals.verified_bytes,
        "not_copied": report.shortfalls.count,
    }
