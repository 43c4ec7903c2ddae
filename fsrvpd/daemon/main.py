"""fsrvpd: the command. Reads smb.conf, wires the layers, runs, and ends cleanly."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
from typing import Optional, Sequence

from fsrvpd import __version__, core, options
from fsrvpd.command_line import add_samba_arguments
from fsrvpd.daemon import logs
from fsrvpd.daemon.daemon import Daemon
from fsrvpd.daemon.parts import Parts
from fsrvpd.daemon.process import go_to_background, notify
from fsrvpd.errors import FsrvpdError
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.open_registry import Registry

log = logging.getLogger("fsrvpd")

LOG_FILE = "log.fsrvpd"


def main(argv: Optional[Sequence[str]] = None, parts: Optional[Parts] = None) -> int:
    """Exit status: 0 after an orderly end, 1 when it cannot run."""
    arguments = parse_arguments(argv)
    try:
        run(arguments, parts or Parts())
    except FsrvpdError as error:
        print(f"fsrvpd: {error}", file=sys.stderr)
        return 1
    return 0


def parse_arguments(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fsrvpd",
        description="File Server Remote VSS agent (MS-FSRVP) beside Samba.",
        epilog="Its options live in smb.conf.",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "-F", "--foreground", action="store_true", help="stay in the foreground, log to stderr"
    )
    how.add_argument("-D", "--daemon", action="store_true", help="go to the background (default)")
    add_samba_arguments(parser)
    return parser.parse_args(argv)


def run(arguments: argparse.Namespace, parts: Parts) -> None:
    """Run until a signal says otherwise. Raises: FsrvpdError when it cannot begin."""
    with contextlib.closing(parts.registry(arguments)) as registry:
        configuration = registry.configuration()
        options.read(options.parametric(configuration.options), configuration.netbios_name)
    if not arguments.foreground:
        go_to_background()  # before there are threads, children or locks
    set_up_log(arguments, configuration)
    with contextlib.closing(parts.registry(arguments)) as registry:
        serve(registry, parts)


def set_up_log(arguments: argparse.Namespace, configuration: SambaConfiguration) -> None:
    """As Samba's daemons: -d over `log level`, `log.fsrvpd` beside `log file`."""
    level = arguments.debuglevel
    if level is None:
        level = logs.first_level(configuration.log_level)
    path = None
    if not arguments.foreground:
        path = os.path.join(os.path.dirname(configuration.log_file), LOG_FILE)
    logs.set_up(level, path)


def serve(registry: Registry, parts: Parts) -> None:
    configuration = registry.configuration()
    settings = options.read(options.parametric(configuration.options), configuration.netbios_name)
    for complaint in options.unknown(options.parametric(configuration.options)):
        log.error("smb.conf: %s", complaint)
    daemon = Daemon(registry, configuration, settings, parts)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.loop.stop())
    log.log(
        logs.NOTICE,
        "event=started fsrvpd %s (%s) beside Samba %s, dialect %s, pipe %s",
        __version__,
        core.describe(),
        configuration.samba_version,
        settings.agent.dialect.name,
        daemon.server.path,
    )
    notify("READY=1")
    try:
        daemon.run()
    finally:
        notify("STOPPING=1")
        daemon.close()
        log.log(logs.NOTICE, "event=ended")
