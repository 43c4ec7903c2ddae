"""`fsrvpctl check-config`: what the daemon would say of smb.conf, without the daemon."""

from __future__ import annotations

import argparse
import contextlib
import json

from fsrvpd.command_line import open_registry
from fsrvpd.configuration import read_configuration


def check_config(arguments: argparse.Namespace) -> int:
    """Status 0 when a reload would be accepted, whatever it complained of. Raises:
    FsrvpdError with the sentence with which a reload would be refused."""
    with contextlib.closing(open_registry(arguments)) as registry:
        found = read_configuration(registry)
    if arguments.json:
        answer = {"file": found.samba.config_file, "complaints": list(found.complaints)}
        print(json.dumps(answer, indent=2))
    else:
        for complaint in found.complaints:
            print(f"smb.conf: {complaint}")
        if not found.complaints:
            print(f"{found.samba.config_file}: nothing is wrong with fsrvpd's options")
    return 0
