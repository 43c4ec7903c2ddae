"""fsrvpctl: the command for admins, in the manner of smbcontrol.

    fsrvpctl fsrvpd MESSAGE [PARAMETER...] [OPTIONS]   send a message to the running daemon
    fsrvpctl setup [--undo] [--dry-run] [--yes]        configure Samba for fsrvpd
    fsrvpctl set-option | unset-option NAME …          change an option, in smb.conf or the registry
    fsrvpctl check-config | doctor [--json]            find what is wrong, and what to type next
    fsrvpctl share-config SHARE                        print lines for smb.conf
    fsrvpctl json-schema [NAME]                        describe what --json prints

Exit status: 0 success, 1 refused or failed, 2 wrong usage, 3 the daemon does not run.
"""

from __future__ import annotations

import argparse
import sys
from argparse import SUPPRESS
from typing import TYPE_CHECKING, Optional, Sequence

from fsrvpd.command_line import HelpFormatter
from fsrvpd.ctl.client import NotRunning
from fsrvpd.ctl.messages import DRY_RUN, MESSAGES, Message
from fsrvpd.ctl.send import EXIT_NOT_RUNNING, WrongUsage, send
from fsrvpd.errors import FsrvpdError
from fsrvpd.samba_command_line import add_samba_arguments, root_hint
from fsrvpd.terminal import EXIT_FAILED, indented, printing

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main(argv: Optional[Sequence[str]] = None) -> int:
    return printing("fsrvpctl", lambda: _run(argv))


def _run(argv: Optional[Sequence[str]]) -> int:
    arguments = parser().parse_args(argv)
    try:
        status: int = arguments.command(arguments)
    except NotRunning as error:
        _print_error(error)
        return EXIT_NOT_RUNNING
    except WrongUsage as error:
        _print_error(error)
        return EXIT_USAGE
    except FsrvpdError as error:
        _print_error(error, root_hint())
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return status


def _print_error(error: FsrvpdError, hint: str = "") -> None:
    print(indented(f"fsrvpctl: {error}{hint}"), file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The manual and the completion are generated from it."""
    whole = argparse.ArgumentParser(
        prog="fsrvpctl",
        description="Control fsrvpd, or configure Samba for it.",
        formatter_class=HelpFormatter,
    )
    add_samba_arguments(whole)
    commands = whole.add_subparsers(
        prog=whole.prog, metavar="COMMAND", required=True, dest="name"
    )  # without prog, argparse formats a help text
    _add_daemon(commands)
    _add_setup(commands)
    _add_set_option(commands)
    _add_unset_option(commands)
    _add_check_config(commands)
    _add_doctor(commands)
    _add_share_config(commands)
    _add_json_schema(commands)
    return whole


def _command(commands: Commands, name: str, what: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=what, description=what, formatter_class=HelpFormatter)


def _add_daemon(commands: Commands) -> None:
    daemon = _command(commands, "fsrvpd", "send a message to the running daemon")
    _add_json(daemon)
    messages = daemon.add_subparsers(
        prog=daemon.prog, metavar="MESSAGE", required=True, dest="message"
    )
    for message in MESSAGES:
        _add_message(messages, message)
    daemon.set_defaults(command=send)


def _add_message(messages: Commands, message: Message) -> None:
    parser = messages.add_parser(
        message.name,
        help=message.meaning,
        description=message.meaning,
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--json", action="store_true", default=SUPPRESS, help="print JSON")
    for option in message.options:
        names = ["-n", option.name] if option is DRY_RUN else [option.name]
        if option.value:
            parser.add_argument(*names, metavar=option.value, help=option.meaning)
        else:
            parser.add_argument(*names, action="store_true", help=option.meaning)
    parser.set_defaults(parameters=[])
    if message.parameters:
        shown = " ".join(message.parameters)
        parser.add_argument("parameters", nargs="*", metavar=shown, help=shown)


def _add_setup(commands: Commands) -> None:
    setup = _command(
        commands,
        "setup",
        "configure Samba for fsrvpd: disable Samba's own FSRVP agent, enable registry shares",
    )
    setup.add_argument("--undo", action="store_true", help="restore what setup has changed")
    setup.add_argument(
        "-n", "--dry-run", action="store_true", help="print what would be done, change nothing"
    )
    setup.add_argument("-y", "--yes", action="store_true", help="do not ask for confirmation")
    setup.add_argument(
        "--agent-only", action="store_true", help="leave smb.conf as it is; do not ask"
    )
    setup.set_defaults(command=_setup)


def _add_set_option(commands: Commands) -> None:
    set_ = _command(
        commands,
        "set-option",
        "set an option of fsrvpd in smb.conf, or in Samba's registry if the share is defined there;"
        " nothing else is changed, and nothing at all if Samba would not read the new value; then"
        " have fsrvpd reload it",
    )
    _add_option_arguments(set_)
    set_.add_argument("value", metavar="VALUE", help="as in smb.conf; '' for an empty one")
    set_.set_defaults(command=_set_option)


def _add_unset_option(commands: Commands) -> None:
    unset = _command(
        commands,
        "unset-option",
        "remove an option from where set-option writes it, so that its default counts, or for a"
        " share the value in [global]",
    )
    _add_option_arguments(unset)
    unset.set_defaults(command=_set_option, value=None)


def _add_option_arguments(command: argparse.ArgumentParser) -> None:
    _add_json(command)
    command.add_argument(
        "--share", help="the share to whose section the option belongs (default: [global])"
    )
    command.add_argument(
        "-n", "--dry-run", action="store_true", help="print the change, and change nothing"
    )
    command.add_argument(
        "option_name", metavar="NAME", help="the option, such as 'fsrvp:keep last'"
    )


def _add_check_config(commands: Commands) -> None:
    check = _command(commands, "check-config", "validate fsrvpd's options in smb.conf")
    _add_json(check)
    check.set_defaults(command=_check_config)


def _add_doctor(commands: Commands) -> None:
    doctor = _command(commands, "doctor", "check the whole installation and make a test copy")
    _add_json(doctor)
    doctor.add_argument("--share", help="the share to copy (default: the first that can be copied)")
    doctor.add_argument(
        "--no-self-test", action="store_true", help="only check, make no shadow copy"
    )
    user = doctor.add_mutually_exclusive_group()
    user.add_argument(
        "-U",
        "--user",
        metavar="NAME[%PASSWORD]",
        help="read the copy over SMB as this user; without a password, ask for it",
    )
    user.add_argument(
        "-A",
        "--authentication-file",
        metavar="FILE",
        help="read the copy over SMB with the credentials in this file (see smbclient(1))",
    )
    doctor.set_defaults(command=_doctor)


def _add_share_config(commands: Commands) -> None:
    lines = _command(
        commands, "share-config", "print what an admin adds to a share for previous versions"
    )
    lines.add_argument("share", metavar="SHARE", help="a share of Samba's configuration")
    lines.set_defaults(command=_share_config)


def _add_json_schema(commands: Commands) -> None:
    schema = _command(
        commands, "json-schema", "print the JSON schema of what --json prints, with its version"
    )
    schema.add_argument(
        "of", metavar="NAME", nargs="?", help="a message or a command (default: the whole schema)"
    )
    schema.set_defaults(command=_json_schema)


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


# A command's module is imported when the command is chosen: what the others need takes longer
# to import than a ping takes.


def _setup(arguments: argparse.Namespace) -> int:
    from fsrvpd.ctl.setup.command import setup

    return setup(arguments)


def _set_option(arguments: argparse.Namespace) -> int:
    from fsrvpd.ctl.set_option.command import set_option

    return set_option(arguments)


def _check_config(arguments: argparse.Namespace) -> int:
    from fsrvpd.ctl.check_config import check_config

    return check_config(arguments)


def _doctor(arguments: argparse.Namespace) -> int:
    from fsrvpd.ctl.doctor.command import doctor

    return doctor(arguments)


def _share_config(arguments: argparse.Namespace) -> int:
    from fsrvpd.ctl.share_config import share_config

    return share_config(arguments)


def _json_schema(arguments: argparse.Namespace) -> int:
    from fsrvpd.ctl.json_schema import json_schema

    return json_schema(arguments)
