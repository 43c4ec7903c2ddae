"""fsrvpd: the command. Reads smb.conf, wires the layers, runs, and ends cleanly."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
from typing import Optional, Sequence

from fsrvpd import __version__, core
from fsrvpd.command_line import add_samba_arguments, not_root
from fsrvpd.configuration import Configuration, read_configuration
from fsrvpd.daemon import logs
from fsrvpd.daemon.administration import LogLevel, tell_complaints
from fsrvpd.daemon.daemon import Daemon
from fsrvpd.daemon.events import report
from fsrvpd.daemon.parts import Parts
from fsrvpd.daemon.process import end_threads, go_to_background, notify
from fsrvpd.errors import FsrvpdError
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.open_registry import Registry
from samba_hooks.samba_tools import SambaTools

log = logging.getLogger("fsrvpd")

LOG_FILE = "log.fsrvpd"


def main(argv: Optional[Sequence[str]] = None, parts: Optional[Parts] = None) -> int:
    """Exit status: 0 after an orderly end, 1 when it cannot run."""
    arguments = parser().parse_args(argv)
    try:
        run(arguments, parts or Parts())
    except FsrvpdError as error:
        print(f"fsrvpd: {error}{not_root()}", file=sys.stderr)
        return 1
    end_threads()
    return 0


def parser() -> argparse.ArgumentParser:
    """The manual is made from it."""
    whole = argparse.ArgumentParser(
        prog="fsrvpd",
        description="File Server Remote VSS agent (MS-FSRVP) beside Samba.",
        epilog="Its options live in smb.conf.",
    )
    how = whole.add_mutually_exclusive_group()
    how.add_argument(
        "-F", "--foreground", action="store_true", help="stay in the foreground, log to stderr"
    )
    how.add_argument("-D", "--daemon", action="store_true", help="go to the background (default)")
    add_samba_arguments(whole)
    return whole


def run(arguments: argparse.Namespace, parts: Parts) -> None:
    """Run until a signal says otherwise. Raises: FsrvpdError when it cannot begin."""
    level = LogLevel(arguments.debuglevel)
    with contextlib.closing(parts.registry(arguments)) as registry:
        configuration = read_configuration(registry)
        samba = configuration.samba
        if arguments.foreground:
            logs.set_up(level.of(samba), None)
            serve(registry, configuration, level, parts)
            return
        path = log_file(samba, registry.tools())
    go_to_background()  # before there are threads, children or locks
    logs.set_up(level.of(samba), path)
    with contextlib.closing(parts.registry(arguments)) as registry:
        serve(registry, read_configuration(registry), level, parts)


def log_file(samba: SambaConfiguration, tools: SambaTools) -> str:
    """As Samba's daemons: `log.fsrvpd` beside `log file`, else where Samba was built to log."""
    directory = os.path.dirname(samba.log_file) or tools.log_directory()
    return os.path.join(directory, LOG_FILE)


def serve(registry: Registry, configuration: Configuration, level: LogLevel, parts: Parts) -> None:
    tell_complaints(configuration.complaints)
    daemon = Daemon(registry, configuration, level, parts)
    daemon.loop.heed_signals()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.loop.stop())
    signal.signal(signal.SIGHUP, lambda *_: daemon.loop.ring(daemon.administration.reload))
    report(
        log,
        "started",
        f"fsrvpd {__version__} ({core.describe()}) beside Samba"
        f" {configuration.samba.samba_version}, dialect"
        f" {configuration.settings.agent.dialect.name}, pipe {daemon.server.path or 'not served'}",
    )
    notify(f"READY=1\nSTATUS=Serving {daemon.server.path or 'the control socket alone'}")
    try:
        daemon.run()
    finally:
        notify("STOPPING=1")
        daemon.close()
        report(log, "ended")
