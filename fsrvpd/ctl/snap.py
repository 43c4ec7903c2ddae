"""fsrvp-snap: the commands that vfs_shell_snap calls, for servers that keep Samba's own agent.

    [global]
        fsrvpd:serve pipe = no
        ; Unix group of the backup users
        fsrvpd:snapshot group = backup
    [data]
        vfs objects = shell_snap
        shell_snap:check path command = /usr/bin/fsrvp-snap check
        shell_snap:create command = /usr/bin/fsrvp-snap create
        shell_snap:delete command = /usr/bin/fsrvp-snap delete

Samba runs it as the connected user. It asks the daemon, which learns from the kernel who that
is and does the work as root. Paths are bytes, whatever the locale.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Optional, Sequence

from fsrvpd.command_line import HelpFormatter
from fsrvpd.ctl.client import ask
from fsrvpd.errors import FsrvpdError
from fsrvpd.samba_command_line import add_samba_arguments, samba_parameter, snap_socket
from fsrvpd.terminal import EXIT_FAILED, indented, printing

SNAPSHOT_GROUP = "fsrvpd:snapshot group"  # its module would take long to import


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Exit status: 0 done, 1 refused or failed, 2 wrong usage."""
    return printing("fsrvp-snap", lambda: _run(argv))


def _run(argv: Optional[Sequence[str]]) -> int:
    arguments = parser().parse_args(argv)
    words = [_text(word) for word in arguments.words]
    try:
        path = snap_socket(samba_parameter(arguments, "pid directory"))
        answer = ask(path, arguments.verb, words, group=SNAPSHOT_GROUP)
        if arguments.verb == "create":
            try:
                sys.stdout.buffer.write(answer["path"].encode("utf-8", "surrogateescape") + b"\n")
                sys.stdout.buffer.flush()
            except OSError:  # nobody would delete what nobody knows of
                ask(path, "delete", [*words, answer["path"]], group=SNAPSHOT_GROUP)
                raise
    except FsrvpdError as error:
        print(indented(f"fsrvp-snap: {error}"), file=sys.stderr)
        return EXIT_FAILED
    return 0


def parser() -> argparse.ArgumentParser:
    """The manual is generated from it."""
    whole = argparse.ArgumentParser(
        prog="fsrvp-snap",
        description="Create and delete snapshots for Samba's vfs_shell_snap.",
        formatter_class=HelpFormatter,
    )
    add_samba_arguments(whole)
    whole.add_argument(
        "verb",
        choices=["check", "create", "delete"],
        metavar="VERB",
        help="check: can snapshots of the share be created? create: create one and print its path;"
        " delete: delete one",
    )
    whole.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="PATH",
        help="path of the share and, for delete, of the snapshot, as split into words by the"
        " shell that Samba starts",
    )
    return whole


def _text(word: str) -> str:
    return os.fsencode(word).decode("utf-8", "surrogateescape")
