"""`fsrvpshadow tar SHARE`: a share as a tar archive on standard output."""

from __future__ import annotations

import argparse
import sys

from fsrvpd.requestor.copying.archive import Archive
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.reading import Copy, Report, job_of, read_copy, server_of
from fsrvpd.requestor.ctl.settings import WrongUsage, read
from fsrvpd.requestor.ctl.signals import Signals
from fsrvpd.requestor.errors import RequestorError


def tar(arguments: argparse.Namespace, output: Output) -> int:
    if sys.stdout.isatty():
        raise WrongUsage("standard output", "it is a terminal", "pipe it into a program, or a file")
    if output.as_json:
        raise WrongUsage("--json", "standard output is the archive", "leave it out")
    settings = read(arguments)
    report = Report(output, "not-archived", arguments.share)

    def work(copy: Copy) -> None:
        Archive(
            copy.tree,
            lambda wanted: copy.workers.small_files(wanted, with_metadata=True),
            _write,
            report.shortfalls,
            report.totals,
        ).run()
        _flush()

    with Signals() as signals:
        server = server_of(settings, arguments.share, signals)
        job = job_of("tar", arguments.share)
        settings = settings._replace(shares=(arguments.share,))
        return read_copy(settings, server, signals, output, report, work, job=job)


def _write(data: bytes) -> None:
    """Raises: RequestorError."""
    try:
        sys.stdout.buffer.write(data)
    except OSError as error:
        raise _refused(error) from error


def _flush() -> None:
    try:
        sys.stdout.buffer.flush()
    except OSError as error:
        raise _refused(error) from error


def _refused(error: OSError) -> RequestorError:
    return RequestorError("standard output", error.strerror or str(error), "")
