"""`fsrvpshadow list`: what this host has made, and whether shares have copies of anybody."""

from __future__ import annotations

import argparse
import time
from typing import Any, Dict, Sequence

from fsrvpd.core.messages import format_guid
from fsrvpd.protocol.context import describe
from fsrvpd.requestor.ctl.exit_status import EXIT_DONE
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.settings import check_user, read
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import SetRecord
from fsrvpd.requestor.sets.removal import is_kept
from fsrvpd.requestor.sets.shadow_copy_set import copies_of
from fsrvpd.requestor.state.files import StateFiles
from fsrvpd.table import table

HEAD = ("SET", "SERVER", "STATE", "AGE", "JOB", "SHARES")
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def list_sets(arguments: argparse.Namespace, output: Output) -> int:
    if arguments.shares:
        return _list_shares(arguments, output)
    check_user(arguments)
    records = StateFiles.of_user(output.warning).records()
    if output.as_json:
        for record in records:
            output.result("", **fields(record))
    else:
        output.result(table(HEAD, [_row(record) for record in records]) if records else "no sets")
    return EXIT_DONE


def _list_shares(arguments: argparse.Namespace, output: Output) -> int:
    # What speaks SMB takes long to import, and completion lists sets while somebody types.
    from fsrvpd.requestor.ctl.opening import open_requestor

    requestor = open_requestor(read(arguments), output)
    status = EXIT_DONE
    for share in arguments.shares:
        try:
            present = requestor.foreign_copies(share).present
        except RequestorError as error:
            status = output.failed(error, error.exit_status)
        else:
            has = "has a shadow copy" if present else "has no shadow copy"
            output.result(f"{share}: its volume {has}", share=share, present=present)
    return status


def fields(record: SetRecord) -> Dict[str, Any]:
    return {
        "set": format_guid(record.set_id),
        "server": record.owner or record.server,
        "server_set": format_guid(record.server_set_id) if record.server_set_id else None,
        "state": record.state.value,
        "context": describe(record.context),
        "kept": is_kept(record),
        "job": record.job,
        "started": int(record.started),
        "copies": _copies(record),
    }


def _copies(record: SetRecord) -> Sequence[Dict[str, Any]]:
    shown = {copy.copy_id: copy.unc for copy in copies_of([record])}
    return [
        {
            "share": copy.root.unc,
            "copy": format_guid(copy.copy_id),
            "shadow_share": shown.get(copy.copy_id),
        }
        for copy in record.copies
    ]


def _row(record: SetRecord) -> Sequence[str]:
    shares = ", ".join(copy.root.unc for copy in record.copies)
    return (
        format_guid(record.set_id),
        record.owner or record.server,
        record.state.value,
        _age(time.time() - record.started),
        record.job,
        shares,
    )


def _age(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"
