"""`fsrvpshadow restore DIRECTORY SHARE`: what `copy` has copied, back to a share."""

from __future__ import annotations

import argparse
from contextlib import closing
from errno import ENOENT
from typing import Optional

from fsrvpd.requestor.copying.mirror_directory import MirrorDirectory, look_at_mirror
from fsrvpd.requestor.copying.progress import amount
from fsrvpd.requestor.copying.restoring import Restoration, restored
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.reading import Report, Server, server_of
from fsrvpd.requestor.ctl.settings import WrongUsage, read
from fsrvpd.requestor.ctl.signals import Signals
from fsrvpd.requestor.files.records import FileFailure
from fsrvpd.requestor.files.writing import WritableTree
from fsrvpd.terminal import one_line

_IN_PLACE = "name another directory of the share, or add --in-place to overwrite what is there"


def restore(arguments: argparse.Namespace, output: Output) -> int:
    settings = read(arguments)
    report = Report(output, "not-restored", arguments.share)
    mirror = look_at_mirror(arguments.directory)
    if mirror is None:
        raise WrongUsage(arguments.directory, "it is no copy of a share", "name one of `copy`")
    with mirror, Signals() as signals:
        server = server_of(settings, arguments.share, signals)
        with signals.interrupting():
            if not arguments.in_place:
                _need_another_place(server, mirror)
            if arguments.dry_run:
                return _preview(mirror, output)
            try:
                _restore(server, mirror, report)
            finally:
                report.clear()
    totals = report.totals
    output.result(
        f"{totals.files} files restored ({amount(totals.bytes)})",
        restored=totals.files,
        bytes=totals.bytes,
        not_restored=report.shortfalls.count,
    )
    return report.status()


def _need_another_place(server: Server, mirror: MirrorDirectory) -> None:
    """Nothing that is on the share is overwritten. Raises: RequestorError."""
    if server.source.casefold() == mirror.side.source.casefold():
        raise WrongUsage(server.source, "this is what was copied", _IN_PLACE)
    with closing(server.tree(server.root.share)) as tree:
        try:
            found: Optional[object] = next(tree.entries(""), None)
        except FileFailure as failure:
            if failure.errno != ENOENT:
                raise
            return
    if found is not None:
        raise WrongUsage(server.source, "it is not empty", _IN_PLACE)


def _preview(mirror: MirrorDirectory, output: Output) -> int:
    for path, known in restored(mirror.side):
        text = f"{amount(max(0, known.entry.size)):>7}  {one_line(path)}"
        output.result(text, path=path, bytes=known.entry.size)
    return 0


def _restore(server: Server, mirror: MirrorDirectory, report: Report) -> None:
    if report.progress:
        report.progress.expected = sum(known.entry.size for _, known in restored(mirror.side))
    root = server.root
    with closing(WritableTree(server.connect(root.host), root.share, root.prefix)) as target:
        target.make_top()
        Restoration(mirror.side, target, report.shortfalls, report.totals).run(mirror.top)
