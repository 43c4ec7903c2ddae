"""The commands of fsrvpshadow and their arguments. `main` reads the command line with them."""

from __future__ import annotations

import argparse
from argparse import SUPPRESS
from typing import TYPE_CHECKING, Any, Callable

from fsrvpd.command_line import HelpFormatter
from fsrvpd.requestor.ctl.output import Output

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Any]

Command = Callable[[argparse.Namespace, Output], int]
SHARE = r"a share, `\\host\share`, or a directory in it; //host/share is the same"


def add_commands(commands: Commands) -> None:
    """In the order of the manual."""
    for add in (
        *(_add_check, _add_run, _add_tar, _add_copy, _add_restore, _add_create, _add_list),
        *(_add_delete, _add_clean, _add_mount, _add_unmount, _add_resolve, _add_shell),
    ):
        add(commands)


def add_common(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """The options of all commands, which may stand before and behind the command's name. `again`:
    behind it, where one that is not given leaves what was given before."""

    def option(*names: str, default: Any = None, **more: Any) -> None:
        parser.add_argument(*names, default=SUPPRESS if again else default, **more)

    def switch(*names: str, **more: Any) -> None:
        option(*names, action="store_true", default=False, **more)

    option(
        "-A",
        "--authentication-file",
        metavar="FILE",
        help="log in as the user in this file, which smbclient(1) describes; only its owner may be"
        " able to read it",
    )
    option("-U", "--user", metavar="USER", help="log in as this user; ask for the password")
    switch("-k", "--kerberos", help="log in with the tickets of the credential cache")
    switch("--encrypt", help="encrypt everything that is sent to the servers")
    option(
        "--wait",
        type=_duration,
        metavar="TIME",
        help="how long to wait for a server that is busy with another set, and for another run of"
        " this host: seconds, or 15m, or 2h (default: a minute for one that creates a set on the"
        " same server, otherwise not at all)",
    )
    switch("--fqdn", help="call servers by their fully qualified names")
    switch("--json", help="print one JSON object a line")
    switch("-v", "--verbose", help="log each call to standard error")


def _duration(text: str) -> float:
    from fsrvpd.requestor.ctl.keys import duration

    return _read(duration, text)


def _limit(text: str) -> float:
    from fsrvpd.requestor.ctl.keys import limit

    return _read(limit, text)


def _read(read: Callable[[str], float], text: str) -> float:
    try:
        return read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be {error}") from None


def _command(
    commands: Commands, name: str, what: str, function: Command
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=what, description=what, formatter_class=HelpFormatter
    )
    add_common(parser, again=True)
    parser.set_defaults(command=function, parser=parser)
    return parser


def _add_check(commands: Commands) -> None:
    check = _command(
        commands,
        "check",
        "say on one screen whether a backup of the shares will work: the names, the agent, the"
        " rights to make copies and to read, space; and for each problem what to type",
        _check,
    )
    _add_shares(check)


def _add_run(commands: Commands) -> None:
    run = _command(
        commands,
        "run",
        "freeze the writers, make a set of the shares, all at one moment, thaw, and mount the"
        " copies; run COMMAND in the directory of the mounts; unmount, and delete the set, however"
        " COMMAND ends",
        _run_command,
    )
    _add_shares(run)
    run.add_argument(
        "--writer",
        action="append",
        dest="writers",
        metavar="NAME",
        help="freeze the writer [writer.NAME] of the configuration while the set is made, in place"
        " of those of the job; may be repeated",
    )
    run.add_argument(
        "--window",
        type=_limit,
        metavar="TIME",
        help="how long writers may be frozen at most (default: 10 s)",
    )
    run.add_argument(
        "--no-mount",
        action="store_true",
        help="do not mount the copies: COMMAND reads them over SMB itself",
    )
    _add_cifs(run)
    # `parse` takes it from the command line.
    run.add_argument(
        "words",
        nargs="*",
        metavar="-- COMMAND",
        help="the command and its arguments, in place of those of the job",
    )


def _add_tar(commands: Commands) -> None:
    tar = _command(
        commands,
        "tar",
        "make a copy of a share, write it to standard output as a tar archive, delete the copy;"
        " what tar has no place for (security descriptors, attributes, alternate streams, times of"
        " 100 ns) is in PAX records",
        _tar,
    )
    tar.add_argument("share", metavar="SHARE", help=SHARE)


def _add_copy(commands: Commands) -> None:
    copy = _command(
        commands,
        "copy",
        "make a copy of a share, make a directory of this host equal to it, delete the copy; only"
        " what has changed is read, and a copy that was cut off is gone on with; what files here"
        " cannot hold is in a side file below .fsrvpshadow",
        _copy,
    )
    copy.add_argument("share", metavar="SHARE", help=SHARE)
    copy.add_argument(
        "directory",
        metavar="DIRECTORY",
        help="a new or empty directory, or one with an earlier copy of the share; what the share"
        " does not have is removed from it",
    )
    copy.add_argument(
        "--verify",
        action="store_true",
        help="compare all files with the share once more, byte by byte",
    )
    _add_dry_run(copy, "print what would be copied and removed, from the share as it is now")


def _add_restore(commands: Commands) -> None:
    restore = _command(
        commands,
        "restore",
        "write what `copy` has copied to a share: files, streams, attributes, times, and security"
        " descriptors as far as the account may",
        _restore,
    )
    restore.add_argument("directory", metavar="DIRECTORY", help="one that `copy` has made")
    restore.add_argument(
        "share",
        metavar="SHARE",
        help=f"{SHARE}; without --in-place it must not be what was copied, nor hold anything",
    )
    restore.add_argument(
        "--in-place",
        action="store_true",
        help="overwrite what is there; files that the copy does not have stay",
    )
    _add_dry_run(restore, "print what would be written")


def _add_dry_run(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("-n", "--dry-run", action="store_true", help=f"{what}; change nothing")


def _add_create(commands: Commands) -> None:
    create = _command(
        commands,
        "create",
        "make a set of the shares, all at one moment, which stays until it is deleted or the server"
        " removes it",
        _create,
    )
    create.add_argument(
        "--persistent",
        action="store_true",
        help="let the server keep the set until it is deleted; without it, fsrvpd removes the set"
        " after a day (`fsrvpd:auto release max age`), and Windows when it restarts",
    )
    create.add_argument(
        "--export-env",
        action="store_true",
        help="print the environment variables of `run`, for `eval` in a shell",
    )
    _add_shares(create)


def _add_list(commands: Commands) -> None:
    listing = _command(
        commands,
        "list",
        "list the sets that were made from here; with shares, say whether these have copies,"
        " whoever made them",
        _list,
    )
    listing.add_argument("shares", nargs="*", metavar="SHARE", help=SHARE)


def _add_delete(commands: Commands) -> None:
    delete = _command(commands, "delete", "delete a set, or one copy of it", _delete)
    delete.add_argument("--set", required=True, metavar="ID", help="the id of the set")
    delete.add_argument(
        "--copy", metavar="ID", help="the id of a copy; with SHARE, whoever made it"
    )
    delete.add_argument("unc", nargs="?", metavar="SHARE", help=SHARE)


def _add_clean(commands: Commands) -> None:
    clean = _command(
        commands, "clean", "remove what runs that were killed have left on servers", _clean
    )
    _add_dry_run(clean, "print what would be removed")


def _add_mount(commands: Commands) -> None:
    mount = _command(
        commands,
        "mount",
        "make a set of the shares, all at one moment, and show each copy read-only as a directory"
        " of this host, until `unmount`",
        _mount,
    )
    _add_cifs(mount)
    _add_shares(mount)


def _add_unmount(commands: Commands) -> None:
    unmount = _command(
        commands, "unmount", "unmount what `mount` has mounted, and delete its set", _unmount
    )
    unmount.add_argument("--all", action="store_true", help="everything that is mounted")
    unmount.add_argument("--force", action="store_true", help="also what is in use")
    unmount.add_argument(
        "mounts", nargs="*", metavar="MOUNT", help="a job, or a directory of a mount"
    )


def _add_resolve(commands: Commands) -> None:
    resolve = _command(
        commands,
        "resolve",
        "show what a name leads to: the root of the share, and the path below it",
        _resolve,
    )
    resolve.add_argument("shares", nargs="+", metavar="SHARE", help=SHARE)


def _add_shell(commands: Commands) -> None:
    shell = _command(
        commands, "shell", "read the commands of DISKSHADOW, from a script or a terminal", _shell
    )
    shell.add_argument(
        "-s", "--script", metavar="FILE", help="read the commands from this file; -: standard input"
    )
    shell.add_argument(
        "-l", "--log", metavar="FILE", help="write what is printed into this file as well"
    )


def _add_cifs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--cifs", action="store_true", help="mount with the kernel's cifs in place of FUSE"
    )


def _add_shares(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-c",
        "--job",
        metavar="JOB",
        help="take shares and options from [job.JOB] of the configuration",
    )
    command.add_argument("shares", nargs="*", metavar="SHARE", help=SHARE)


# A command's module is imported when the command is chosen: the libraries that speak SMB take
# longer to import than --help may take.


def _check(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.ctl.check import check

    return check(arguments, output)


def _run_command(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.ctl.run import run

    return run(arguments, output)


def _tar(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.ctl.tar import tar

    return tar(arguments, output)


def _copy(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.ctl.copy import copy

    return copy(arguments, output)


def _restore(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.ctl.restore import restore

    return restore(arguments, output)


def _create(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.ctl.creation import create

    return create(arguments, output)


def _list(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.ctl.listing import list_sets

    return list_sets(arguments, output)


def _delete(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.ctl.removal import delete

    return delete(arguments, output)


def _clean(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.ctl.removal import clean

    return clean(arguments, output)


def _mount(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.ctl.mount import mount

    return mount(arguments, output)


def _unmount(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.ctl.mount import unmount

    return unmount(arguments, output)


def _resolve(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.ctl.resolution import resolve

    return resolve(arguments, output)


def _shell(arguments: argparse.Namespace, output: Output) -> int:
    from fsrvpd.requestor.shell.command import shell

    return shell(arguments, output)
