"""fsrvpctl: the command, in the manner of smbcontrol.

    fsrvpctl fsrvpd MESSAGE [PARAMETER...] [--json]    ask a running daemon
    fsrvpctl setup | remove [--dry-run] [--yes]        put it beside Samba, or take it away
    fsrvpctl check-config | doctor [--json]            what is wrong, and what to type next
    fsrvpctl share-config SHARE                        lines for smb.conf

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 the daemon does not run.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Optional, Sequence

from fsrvpd.command_line import add_samba_arguments, not_root
from fsrvpd.ctl.check_config import check_config
from fsrvpd.ctl.client import NotRunning
from fsrvpd.ctl.doctor import examine
from fsrvpd.ctl.installation import remove, setup
from fsrvpd.ctl.messages import BY_NAME
from fsrvpd.ctl.send import WrongUsage, send
from fsrvpd.ctl.share_config import share_config
from fsrvpd.ctl.terminal import accept_any_text, visible
from fsrvpd.errors import FsrvpdError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3
EXIT_INTERRUPTED = 130


def main(argv: Optional[Sequence[str]] = None) -> int:
    accept_any_text()
    arguments = parser().parse_args(argv)
    try:
        status: int = arguments.command(arguments)
    except NotRunning as error:
        _complain(error)
        return EXIT_NOT_RUNNING
    except WrongUsage as error:
        _complain(error)
        return EXIT_USAGE
    except FsrvpdError as error:
        _complain(error, not_root())
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # as when a pager is left
        sys.stderr.close()
        return EXIT_FAILED
    return status


def _complain(error: FsrvpdError, more: str = "") -> None:
    print(visible(f"fsrvpctl: {error}{more}"), file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The manual and the completion are made from it."""
    whole = argparse.ArgumentParser(
        prog="fsrvpctl", description="Speak to fsrvpd, or put it beside Samba."
    )
    add_samba_arguments(whole)
    commands = whole.add_subparsers(metavar="COMMAND", required=True, dest="name")
    _add_daemon(commands)
    for name, function, text in (
        ("setup", setup, "put fsrvpd beside Samba: its own agent away, registry shares on"),
        ("remove", remove, "undo setup"),
    ):
        command = _command(commands, name, text)
        command.add_argument(
            "-n", "--dry-run", action="store_true", help="say what would be done, do nothing"
        )
        command.add_argument("-y", "--yes", action="store_true", help="ask nothing")
        command.add_argument(
            "--agent-only", action="store_true", help="leave smb.conf out; ask nothing"
        )
        command.set_defaults(command=function)
    check = _command(
        commands, "check-config", "say what a reload would say of fsrvpd's options in smb.conf"
    )
    check.add_argument("--json", action="store_true", help="answer for programs")
    check.set_defaults(command=check_config)
    _add_doctor(commands)
    lines = _command(
        commands, "share-config", "print what smb.conf wants for previous versions of a share"
    )
    lines.add_argument("share", metavar="SHARE", help="a share of Samba's configuration")
    lines.set_defaults(command=share_config)
    return whole


def _command(commands: Commands, name: str, what: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=what, description=what)


def _add_daemon(commands: Commands) -> None:
    daemon = _command(commands, "fsrvpd", "send a message to the running daemon")
    daemon.add_argument("message", choices=sorted(BY_NAME), metavar="MESSAGE", help="see MESSAGES")
    daemon.add_argument("parameters", nargs="*", metavar="PARAMETER", help="what it asks for")
    daemon.add_argument("--json", action="store_true", help="answer for programs")
    daemon.add_argument(
        "-n", "--dry-run", action="store_true", help="say what would be deleted, do nothing"
    )
    daemon.set_defaults(command=send)


def _add_doctor(commands: Commands) -> None:
    doctor = _command(commands, "doctor", "examine the whole installation, and try a shadow copy")
    doctor.add_argument("--json", action="store_true", help="answer for programs")
    doctor.add_argument("--share", help="the share to try, not the first that can be copied")
    doctor.add_argument(
        "--no-self-test", action="store_true", help="look only, make no shadow copy"
    )
    who = doctor.add_mutually_exclusive_group()
    who.add_argument(
        "-U",
        "--user",
        metavar="NAME[%PASSWORD]",
        help="read the copy over SMB as this user; without a password it is asked for",
    )
    who.add_argument(
        "-A",
        "--authentication-file",
        metavar="FILE",
        help="the same with name and password from a file, as smbclient takes it",
    )
    doctor.set_defaults(command=examine)
