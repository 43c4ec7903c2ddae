"""fsrvp-snap: the call-outs of Samba's vfs_shell_snap, for those who keep Samba's agent.

    [global]
        fsrvpd:serve pipe = no
        fsrvpd:snapshot group = backup       ; the Unix group of who takes backups
    [data]
        vfs objects = shell_snap
        shell_snap:check path command = /usr/bin/fsrvp-snap check
        shell_snap:create command = /usr/bin/fsrvp-snap create
        shell_snap:delete command = /usr/bin/fsrvp-snap delete

Samba runs it as the connected user. It asks the daemon, which knows from the kernel who
that is and does the work as root. What it is told is bytes, whatever the locale.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Optional, Sequence

from fsrvpd.command_line import add_samba_arguments, samba_parameter, snap_socket
from fsrvpd.ctl.client import ask
from fsrvpd.errors import FsrvpdError
from fsrvpd.options import SNAPSHOT_GROUP

EXIT_FAILED = 1


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Exit status: 0 done, 1 refused or failed, 2 wrong usage."""
    arguments = parser().parse_args(argv)
    words = [_text(word) for word in arguments.words]
    try:
        path = snap_socket(samba_parameter(arguments, "pid directory"))
        answer = ask(path, arguments.verb, words, group=SNAPSHOT_GROUP.name)
    except FsrvpdError as error:
        print(f"fsrvp-snap: {error}", file=sys.stderr)
        return EXIT_FAILED
    if arguments.verb == "create":
        sys.stdout.buffer.write(answer["path"].encode("utf-8", "surrogateescape") + b"\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """The manual is made from it."""
    whole = argparse.ArgumentParser(
        prog="fsrvp-snap", description="Take snapshots for Samba's vfs_shell_snap."
    )
    add_samba_arguments(whole)
    whole.add_argument(
        "verb",
        choices=["check", "create", "delete"],
        metavar="VERB",
        help="check whether there can be snapshots of a share; create one and print its path;"
        " delete one",
    )
    whole.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="PATH",
        help="the path of the share and, to delete it, of its snapshot, as the shell that Samba"
        " starts has split them into words",
    )
    return whole


def _text(word: str) -> str:
    return os.fsencode(word).decode("utf-8", "surrogateescape")
