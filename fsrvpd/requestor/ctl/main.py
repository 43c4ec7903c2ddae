r"""fsrvpshadow: consistent copies of SMB shares, for backups from Linux.

    fsrvpshadow check '\\nas\data'                       will tonight's backup work?
    fsrvpshadow run '\\nas\data' -- COMMAND              make a copy, run COMMAND, delete the copy
    fsrvpshadow tar '\\nas\data' | COMMAND               a copy as an archive
    fsrvpshadow copy '\\nas\data' DIRECTORY              a mirror of a copy
    fsrvpshadow restore DIRECTORY '\\nas\data\old'       a mirror, back to a share
    fsrvpshadow create | list | delete | clean           the same, step by step
    fsrvpshadow resolve '\\10.0.0.7\data\sub'            what a name leads to
    fsrvpshadow shell                                    DISKSHADOW's words

Exit status: `exit_status.py`.
"""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn, Optional, Sequence

from fsrvpd.command_line import HelpFormatter, add_version_argument
from fsrvpd.requestor.ctl.commands import add_commands, add_common
from fsrvpd.requestor.ctl.exit_status import RUN_FAILED, of_signal
from fsrvpd.requestor.ctl.output import PROGRAM, Output
from fsrvpd.requestor.ctl.signals import Interrupted
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.terminal import printing

_SIGINT = 2


def main(argv: Optional[Sequence[str]] = None) -> int:
    return printing(PROGRAM, lambda: _run(sys.argv[1:] if argv is None else argv))


def _run(argv: Sequence[str]) -> int:
    arguments = parse(argv)
    output = Output(as_json=arguments.json)
    if arguments.verbose:
        _log_to_stderr()
    try:
        status: int = arguments.command(arguments, output)
    except RequestorError as error:
        return output.failed(error, error.exit_status)
    except Interrupted as stop:
        return output.interrupted(stop)
    except KeyboardInterrupt:
        return of_signal(_SIGINT)
    return status


def _log_to_stderr() -> None:
    """Only our own log: libraries' have packets in them."""
    import logging

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"{PROGRAM}: %(message)s"))
    log = logging.getLogger("fsrvpd")
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """What follows the first `--` is COMMAND of `run`, word by word: argparse would look for
    options in it."""
    whole = parser()
    before, after = _split(argv)
    arguments, unknown = whole.parse_known_args(before)
    if unknown:
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if after and arguments.name != "run":
        arguments.parser.error(f"{arguments.name} takes no COMMAND")
    arguments.words = after
    return arguments


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    words = list(argv)
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def parser() -> argparse.ArgumentParser:
    """The manual and the completion are generated from it."""
    whole = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Make consistent copies of SMB shares, for backups from Linux.",
        formatter_class=HelpFormatter,
    )
    add_common(whole)
    add_version_argument(whole)
    add_commands(
        whole.add_subparsers(
            metavar="COMMAND", required=True, dest="name", parser_class=CommandParser
        )
    )
    return whole


class CommandParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """`run` has no status of its own below 125: those are COMMAND's."""
        if self.prog.endswith(" run"):
            self.print_usage(sys.stderr)
            self.exit(RUN_FAILED, f"{self.prog}: error: {message}\n")
        super().error(message)
