"""`fsrvpshadow resolve`: what a name leads to."""

from __future__ import annotations

import argparse

from fsrvpd.requestor.ctl.exit_status import EXIT_DONE
from fsrvpd.requestor.ctl.opening import open_names
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.settings import read
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.records import Resolution
from fsrvpd.terminal import one_line


def resolve(arguments: argparse.Namespace, output: Output) -> int:
    names = open_names(read(arguments))
    status = EXIT_DONE
    for given in arguments.shares:
        try:
            found = names.resolution(given)
        except RequestorError as error:
            status = output.failed(error, error.exit_status)
        else:
            output.result(_described(found), **_fields(found))
    return status


def _described(found: Resolution) -> str:
    lines = [
        f"given   {found.root.given}",
        f"root    {found.root.unc}",
        f"prefix  {found.logical_prefix}",
        f"below   {found.root.prefix or '-'}",
        *(f"way     {step}" for step in found.steps),
    ]
    return "\n".join(map(one_line, lines))


def _fields(found: Resolution) -> dict[str, object]:
    return {
        "given": found.root.given,
        "root": found.root.unc,
        "logical_prefix": found.logical_prefix,
        "below": found.root.prefix,
        "addresses": sorted(found.addresses),
        "steps": [step._asdict() for step in found.steps],
    }
