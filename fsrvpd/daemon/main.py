"""The command fsrvpd: reads smb.conf, starts the daemon, and ends it cleanly."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import time
from typing import Optional, Sequence, Union

from fsrvpd import __version__, core
from fsrvpd.config.load import Configuration, read_globals
from fsrvpd.daemon.cluster.node import ClusterNode
from fsrvpd.daemon.components import Components
from fsrvpd.daemon.control.admin_actions import LogLevel, log_warnings
from fsrvpd.daemon.daemon import Daemon
from fsrvpd.daemon.log import levels
from fsrvpd.daemon.log.events import report
from fsrvpd.daemon.process import (
    begin_anew,
    daemonize,
    exit_without_stuck_threads,
    has_begun_anew,
    notify,
)
from fsrvpd.errors import FsrvpdError
from fsrvpd.samba_command_line import add_samba_arguments, root_hint
from fsrvpd.terminal import indented
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.registry.open_registry import Registry
from samba_hooks.tools import SambaTools

log = logging.getLogger("fsrvpd")

LOG_FILE = "log.fsrvpd"
RETRY = 1.0  # s


def main(argv: Optional[Sequence[str]] = None, components: Optional[Components] = None) -> int:
    """Exit status: 0 after an orderly end, 1 when it cannot start."""
    arguments = parser().parse_args(argv)
    try:
        run(arguments, components or Components())
    except FsrvpdError as error:
        print(indented(f"fsrvpd: {error}{root_hint()}"), file=sys.stderr)
        return 1
    exit_without_stuck_threads()
    return 0


def parser() -> argparse.ArgumentParser:
    """The manual page is generated from it."""
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


def run(arguments: argparse.Namespace, components: Components) -> None:
    """Run until a signal. Raises: FsrvpdError when it cannot start."""
    level = LogLevel(arguments.debuglevel)
    registry, configuration = opened(arguments, components)
    with contextlib.closing(registry):
        samba = configuration.samba
        if arguments.foreground:
            levels.set_up(level.of(samba), None)
            begins_anew = serve(registry, configuration, level, components)
        else:
            path = log_file(samba, registry.tools())
    if not arguments.foreground:
        begins_anew = run_in_background(arguments, components, level, level.of(samba), path)
    if begins_anew:
        begin_anew()


def run_in_background(
    arguments: argparse.Namespace, components: Components, level: LogLevel, number: int, path: str
) -> bool:
    """Whether the process is to begin anew. Raises: FsrvpdError when it cannot start."""
    daemonize()  # before threads, children or locks exist
    levels.set_up(number, path)
    try:
        registry, configuration = opened(arguments, components)
        with contextlib.closing(registry):
            return serve(registry, configuration, level, components)
    except FsrvpdError as error:
        log.error("fsrvpd cannot start: %s", error)  # standard error leads nowhere by now
        raise


def opened(arguments: argparse.Namespace, components: Components) -> tuple[Registry, Configuration]:
    """Samba's registry and configuration. A process that has begun anew waits until they can be
    read: ctdbd keeps them, and its node may be stopped. Raises: FsrvpdError."""
    while True:
        try:
            return _opened(arguments, components)
        except FsrvpdError:
            if not has_begun_anew():
                raise
        time.sleep(RETRY)


def _opened(
    arguments: argparse.Namespace, components: Components
) -> tuple[Registry, Configuration]:
    """Raises: FsrvpdError."""
    registry = components.registry(arguments)
    try:
        return registry, read_globals(registry)
    except BaseException:
        registry.close()
        raise


def log_file(samba: SambaConfiguration, tools: SambaTools) -> str:
    """`log.fsrvpd` beside `log file`, else in the log directory that is built into Samba."""
    directory = os.path.dirname(samba.log_file) or tools.log_directory()
    return os.path.join(directory, LOG_FILE)


def serve(
    registry: Registry, configuration: Configuration, level: LogLevel, components: Components
) -> bool:
    """Whether the process is to begin anew."""
    log_warnings(configuration.problems())
    is_node = configuration.samba.clustering and configuration.settings.one_agent
    kind = ClusterNode if is_node else Daemon
    daemon: Union[ClusterNode, Daemon] = kind(registry, configuration, level, components)
    daemon.loop.enable_signal_wakeup()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.loop.stop())
    signal.signal(
        signal.SIGHUP, lambda *_: daemon.loop.call_soon_threadsafe(daemon.administration.reload)
    )
    report(
        log,
        "started",
        f"fsrvpd {__version__} ({core.describe()}) beside Samba"
        f" {configuration.samba.samba_version}, dialect"
        f" {configuration.settings.agent.dialect.name}, pipe {daemon.server.path or 'not served'}",
    )
    notify(f"READY=1\nSTATUS=Serving {daemon.server.path or 'the control socket alone'}")
    daemon.administration.check_shares(configuration)
    try:
        daemon.loop.run_forever()
    finally:
        if not daemon.begins_anew:
            notify("STOPPING=1")
            daemon.close()
            report(log, "stopped")
    return daemon.begins_anew
