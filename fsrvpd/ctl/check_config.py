"""`fsrvpctl check-config`: validates fsrvpd's options in smb.conf, without the daemon."""

from __future__ import annotations

import argparse
import contextlib
import json

from fsrvpd.config.load import Configuration, by_reason, read_configuration
from fsrvpd.samba_command_line import open_registry

EXIT_FOUND = 1


def check_config(arguments: argparse.Namespace) -> int:
    """Status 0 when there is nothing to change. Raises: FsrvpdError if Samba itself cannot read
    smb.conf."""
    with contextlib.closing(open_registry(arguments, to_read=True)) as registry:
        found = read_configuration(registry)
    if arguments.json:
        answer = {
            "file": found.samba.config_file,
            "faults": list(found.faults),
            "warnings": list(found.warnings),
            "refused": dict(found.refused),
            "mistakes": dict(found.mistakes),
        }
        print(json.dumps(answer, indent=2))
    else:
        print(_text(found))
    return EXIT_FOUND if found.problems() else 0


def _text(found: Configuration) -> str:
    lines = [*found.faults, *(f"smb.conf: {warning}" for warning in found.warnings)]
    if not found.problems():
        lines = [f"{found.samba.config_file}: fsrvpd's options are valid"]
    without = {**found.mistakes, **found.refused}
    lines += [f"{shares} can have no shadow copies: {why}" for shares, why in by_reason(without)]
    return "\n".join(lines)
