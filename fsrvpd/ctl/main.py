"""fsrvpctl: the command, in the manner of smbcontrol.

    fsrvpctl fsrvpd MESSAGE [PARAMETER...] [--json]    ask a running daemon
    fsrvpctl setup | remove [--dry-run]                put it beside Samba, or take it away
    fsrvpctl share-config SHARE                        lines for smb.conf

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 the daemon does not run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from typing import Optional, Sequence

from fsrvpd.command_line import add_samba_arguments, control_socket, open_registry
from fsrvpd.ctl import show
from fsrvpd.ctl.client import NotRunning, ask
from fsrvpd.ctl.installation import remove, setup
from fsrvpd.ctl.share_config import share_config
from fsrvpd.errors import FsrvpdError

EXIT_FAILED = 1
EXIT_NOT_RUNNING = 3


def main(argv: Optional[Sequence[str]] = None) -> int:
    arguments = parse_arguments(argv)
    try:
        status: int = arguments.command(arguments)
    except NotRunning as error:
        print(f"fsrvpctl: {error}", file=sys.stderr)
        return EXIT_NOT_RUNNING
    except FsrvpdError as error:
        print(f"fsrvpctl: {error}", file=sys.stderr)
        return EXIT_FAILED
    return status


def parse_arguments(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fsrvpctl", description="Speak to fsrvpd, or put it beside Samba."
    )
    add_samba_arguments(parser)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    daemon = commands.add_parser("fsrvpd", help="send a message to the running daemon")
    daemon.add_argument("message", choices=sorted(show.FORMATTERS), metavar="MESSAGE")
    daemon.add_argument("parameters", nargs="*", metavar="PARAMETER")
    daemon.add_argument("--json", action="store_true", help="answer for programs")
    daemon.add_argument(
        "-n", "--dry-run", action="store_true", help="prune: say what would be done, do nothing"
    )
    daemon.set_defaults(command=send)

    for name, function, text in (
        ("setup", setup, "move Samba's own agent out of the way"),
        ("remove", remove, "undo setup"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "-n", "--dry-run", action="store_true", help="say what would be done, do nothing"
        )
        command.set_defaults(command=function)

    lines = commands.add_parser(
        "share-config", help="print what smb.conf wants for previous versions of a share"
    )
    lines.add_argument("share", metavar="SHARE")
    lines.set_defaults(command=share_config)
    return parser.parse_args(argv)


def send(arguments: argparse.Namespace) -> int:
    with contextlib.closing(open_registry(arguments)) as registry:
        path = control_socket(registry.configuration().state_directory)
    parameters = [*arguments.parameters, *(["--dry-run"] if arguments.dry_run else [])]
    answer = ask(path, arguments.message, parameters)
    if arguments.json:
        print(json.dumps(answer, indent=2))
    else:
        print(show.FORMATTERS[arguments.message](answer))
    if arguments.message == "check-path" and not answer["supported"]:
        return EXIT_FAILED
    return 0
