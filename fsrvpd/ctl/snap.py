"""fsrvp-snap: the call-outs of Samba's vfs_shell_snap, for those who keep Samba's agent.

    [global]
        fsrvpd:serve pipe = no
        fsrvpd:admin group = backup          ; the Unix group of who may take snapshots
    [data]
        vfs objects = shell_snap
        shell_snap:check path command = /usr/bin/fsrvp-snap check
        shell_snap:create command = /usr/bin/fsrvp-snap create
        shell_snap:delete command = /usr/bin/fsrvp-snap delete

Samba runs it as the connected user. It asks the daemon, which knows from the kernel who
that is and does the work as root.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import Optional, Sequence

from fsrvpd.command_line import add_samba_arguments, control_socket, open_registry
from fsrvpd.ctl.client import ask
from fsrvpd.errors import FsrvpdError

EXIT_FAILED = 1


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Exit status: 0 done, 1 refused or failed, 2 wrong usage."""
    arguments = parser().parse_args(argv)
    try:
        with contextlib.closing(open_registry(arguments)) as registry:
            path = control_socket(registry.configuration().state_directory)
        answer = ask(path, f"snap-{arguments.verb}", arguments.words)
    except FsrvpdError as error:
        print(f"fsrvp-snap: {error}", file=sys.stderr)
        return EXIT_FAILED
    if arguments.verb == "create":
        print(answer["path"])
    return 0


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="fsrvp-snap", description="Take snapshots for Samba's vfs_shell_snap."
    )
    add_samba_arguments(whole)
    whole.add_argument("verb", choices=["check", "create", "delete"])
    whole.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="PATH",
        help="check PATH, create PATH, delete PATH SNAPSHOT, as the shell has split them",
    )
    return whole
