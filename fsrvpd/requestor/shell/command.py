"""`fsrvpshadow shell`: from a script, from standard input, or at a terminal.

Exit status: 0 done; 1 a line failed, and the script ended there; 2 the script or the log file
cannot be opened; 4 a server is busy; 5 a volatile shadow copy was left; 128 + n after signal n.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import NamedTuple, Optional, Sequence, TextIO

from fsrvpd import __version__
from fsrvpd.errors import FsrvpdError
from fsrvpd.requestor.ctl.call_log import LoggingConnector
from fsrvpd.requestor.ctl.configuration import load
from fsrvpd.requestor.ctl.opening import names_of, open_connector, open_store
from fsrvpd.requestor.ctl.output import Output as Progress
from fsrvpd.requestor.ctl.settings import WrongUsage, read
from fsrvpd.requestor.ctl.signals import Interrupted, Signals
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.shell import lines, texts
from fsrvpd.requestor.shell.copies import RequestorCopies
from fsrvpd.requestor.shell.output import Output
from fsrvpd.requestor.shell.ports import ShadowCopies, Writer
from fsrvpd.requestor.shell.session import Session, located
from fsrvpd.requestor.shell.writers import SetWriters, listed

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_LEFT = 5
STDIN = "-"


class Script(NamedTuple):
    name: str
    lines: Sequence[str]


def shell(arguments: argparse.Namespace, progress: Progress) -> int:
    """The command. Raises: RequestorError for wrong usage or configuration."""
    settings = read(arguments)
    if arguments.json:
        next_step = "leave it out, or use `fsrvpshadow create`, `list` and `delete`"
        raise WrongUsage("--json", "the shell prints what DISKSHADOW prints", next_step)
    with Signals() as signals:
        with signals.interrupting():  # it may ask for a password
            connector = open_connector(settings)
        names = names_of(settings, connector)
        requestor = Requestor(LoggingConnector(connector), open_store(progress), names)
        sections = load().writers
        opened = SetWriters(sections, settings.window, connector, names, progress)
        copies = RequestorCopies(requestor, names, signals, settings.wait, opened)
        here = listed(list(sections.values()))
        return main(copies, signals, here, script=arguments.script, log=arguments.log)


def main(
    copies: ShadowCopies,
    signals: Signals,
    writers: Sequence[Writer] = (),
    *,
    script: Optional[str] = None,
    log: Optional[str] = None,
) -> int:
    """The exit status of a session. `script` is the path of a file, or - for standard input, which
    is a script as well if it is no terminal; `log` the path of a file that gets all that is
    printed."""
    # Not the stream that escapes controls: DISKSHADOW prints tabs.
    stdout, stderr = _stream(sys.__stdout__), _stream(sys.__stderr__)
    with ExitStack() as files:
        try:
            with signals.interrupting():
                commands = _script(script)
            logged = files.enter_context(_create(log)) if log else None
        except Interrupted as interrupted:
            Output(stdout, stderr).error(str(interrupted))
            return interrupted.exit_status
        except RequestorError as error:
            Output(stdout, stderr).error(str(error))
            return error.exit_status
        return run(copies, signals, commands, Output(stdout, stderr, logged), writers)


def run(
    copies: ShadowCopies,
    signals: Signals,
    script: Optional[Script],
    output: Output,
    writers: Sequence[Writer] = (),
) -> int:
    """A session with the lines of the script, or those that somebody types."""
    machine = socket.gethostname()
    session = Session(
        copies,
        output.line,
        environment=os.environ,
        machine=machine,
        signals=signals,
        writers=writers,
        stdin=subprocess.DEVNULL if script else None,
    )
    status = EXIT_FAILED  # of what is raised here: most likely nobody reads what is printed
    try:
        output.line(texts.banner(__version__, machine, time.time()))
        if script:
            status = _run_script(session, script, output)
        else:
            status = _run_terminal(session, signals, output)
    finally:
        status = _end(session, output, status)
    return status


def _end(session: Session, output: Output, status: int) -> int:
    try:
        session.reset()
    except FsrvpdError as error:
        output.error(f"{error}; a volatile shadow copy may be left")
        output.error("type: fsrvpshadow clean")
        return EXIT_LEFT
    return status


def _run_script(session: Session, script: Script, output: Output) -> int:
    """Its lines, up to the first that fails."""
    for number, line in enumerate(script.lines, 1):
        output.line(texts.echo(line))
        try:
            if not session.run(line):
                return 0
        except Interrupted as interrupted:
            output.error(f"{script.name}:{number}: {interrupted}")
            return interrupted.exit_status
        except FsrvpdError as error:
            output.error(located(f"{script.name}:{number}", session, error))
            return exit_status(error)
    output.line(texts.ECHO)
    return 0


def _run_terminal(session: Session, signals: Signals, output: Output) -> int:
    """A line that fails is reported, and the session goes on."""
    from fsrvpd.requestor.shell.interactive import Terminal  # readline, which no script needs

    with Terminal(session, signals) as terminal:
        while True:
            try:
                line = terminal.read()
                if line is None:
                    output.line("")
                    return 0
                output.note(texts.PROMPT + line)
                if not session.run(line):
                    return 0
            except Interrupted as interrupted:
                output.line("")
                if signals.received != signal.SIGINT:
                    return interrupted.exit_status
                signals.forget_interrupts()
            except FsrvpdError as error:
                output.error(located("", session, error))


def exit_status(error: FsrvpdError) -> int:
    return error.exit_status if isinstance(error, RequestorError) else EXIT_FAILED


def _script(path: Optional[str]) -> Optional[Script]:
    """None if somebody sits at a terminal. Raises: RequestorError."""
    if path is None and sys.stdin.isatty():
        return None
    try:
        if path is None or path == STDIN:
            return Script("standard input", lines.decode(sys.stdin.buffer.read()))
        with open(path, "rb") as file:
            return Script(path, lines.decode(file.read()))
    except OSError as error:
        raise RequestorError(
            path or STDIN, str(error.strerror), "name a script", exit_status=EXIT_USAGE
        ) from error


def _create(log: str) -> TextIO:
    """Raises: RequestorError."""
    try:
        return open(log, "w", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise RequestorError(
            log, str(error.strerror), "name another file with -l", exit_status=EXIT_USAGE
        ) from error


def _stream(stream: Optional[TextIO]) -> TextIO:
    """A standard stream that was closed at the start takes nothing."""
    return stream or open(os.devnull, "w", encoding="utf-8")
