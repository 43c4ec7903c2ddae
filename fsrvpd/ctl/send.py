"""`fsrvpctl fsrvpd MESSAGE [PARAMETER…]`: ask the running daemon and print its answer."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from fsrvpd.command_line import control_socket, samba_parameter
from fsrvpd.ctl import show
from fsrvpd.ctl.client import PATIENCE, ask
from fsrvpd.ctl.messages import BY_NAME
from fsrvpd.ctl.terminal import visible
from fsrvpd.errors import FsrvpdError

EXIT_UNSUPPORTED = 1


class WrongUsage(FsrvpdError):
    """The command line asks for what the message does not take."""


def socket_path(arguments: argparse.Namespace) -> str:
    """Where the daemon of this configuration listens. Raises: FsrvpdError."""
    return control_socket(samba_parameter(arguments, "state directory"))


def send(arguments: argparse.Namespace) -> int:
    message = BY_NAME[arguments.message]
    parameters = list(arguments.parameters)
    if len(parameters) != len(message.parameters) or (arguments.dry_run and not message.deletes):
        raise WrongUsage(f"usage: fsrvpctl fsrvpd {message.usage}")
    if arguments.dry_run:
        parameters.append("--dry-run")

    def tell(event: Any) -> None:
        if message.endless:
            shown = json.dumps(event) if arguments.json else visible(show.event(event))
            print(shown, flush=True)
        elif not arguments.json:
            print(f"… {visible(show.progress(event))}", file=sys.stderr, flush=True)

    patience = None if message.endless else PATIENCE
    answer = ask(socket_path(arguments), message.name, parameters, tell, patience)
    print(json.dumps(answer, indent=2) if arguments.json else visible(message.show(answer)))
    if message.name == "check-path" and not answer["supported"]:
        return EXIT_UNSUPPORTED
    return 0
