"""Composes the daemon, applies a new configuration, and ends everything in order."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from functools import partial

from fsrvpd.config.daemon_options import DaemonSettings
from fsrvpd.config.load import Configuration, read_globals
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.core.messages import new_guid
from fsrvpd.daemon import descriptors
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.agent.jobs import JobRunner
from fsrvpd.daemon.agent.share_lookups import ShareLookups
from fsrvpd.daemon.components import Components
from fsrvpd.daemon.control.admin_actions import AdminActions, LogLevel
from fsrvpd.daemon.control.handlers import Handlers
from fsrvpd.daemon.control.shell_snap import ShellSnapHandlers, ShellSnapService
from fsrvpd.daemon.control.smbcontrol import SmbcontrolService
from fsrvpd.daemon.control.socket_server import ControlSocket
from fsrvpd.daemon.control.status_message import StatusMessage
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.history.recorder import History
from fsrvpd.daemon.log.events import report
from fsrvpd.daemon.metrics import Metrics
from fsrvpd.daemon.pipe.authentication import Authenticator
from fsrvpd.daemon.pipe.server import PipeServer
from fsrvpd.daemon.process import PidFile
from fsrvpd.daemon.reconciliation.inventory import InventoryScanner
from fsrvpd.daemon.reconciliation.reconciler import ReconcileOptions, Reconciler
from fsrvpd.daemon.reload import Change, apply_all_or_nothing
from fsrvpd.daemon.retention.keeper import Holds, Keeper
from fsrvpd.daemon.retention.storage import KeptStorage
from fsrvpd.daemon.status.names import ShareNames
from fsrvpd.daemon.status.shares import ShareStates
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.server.agent import Agent
from fsrvpd.providers import discovery
from fsrvpd.samba_command_line import control_socket, snap_socket, state_folder
from fsrvpd.shares.resolver import ShareResolver
from fsrvpd.shares.server_names import own_names
from fsrvpd.shares.volumes import Volumes
from samba_hooks.messaging import MessageBus
from samba_hooks.registry.open_registry import Registry

log = logging.getLogger("fsrvpd")

STATE_FILE = "state.sqlite3"
HISTORY_FILE = "history.sqlite3"
PID_FILE = "fsrvpd.pid"
JOBS_TIMEOUT = 10.0  # s that running jobs have to end when the daemon does


class Daemon:
    """One agent with one configuration. Raises: FsrvpdError when it cannot start.

    Removal of what the last run left unfinished starts before the pipe is served.
    """

    def __init__(
        self,
        registry: Registry,
        configuration: Configuration,
        level: LogLevel,
        components: Components,
    ) -> None:
        samba = configuration.samba
        self._registry = registry
        self._components = components
        self._folder = state_folder(samba.state_directory)
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        self._limit = descriptors.raise_limit()
        self._pid_file = PidFile(os.path.join(samba.pid_directory, PID_FILE))
        self.loop = EventLoop()
        self._store = components.store(os.path.join(self._folder, STATE_FILE))
        self._mounts = LiveMounts()
        self._selection = components.selection(self._mounts, registry, self._folder)
        if self._selection.why_none:
            report(log, "capabilities-missing", self._selection.why_none)
        self._volumes = Volumes(self._selection, self._mounts)
        self._start_agent(configuration)
        self._serve_pipe(configuration)
        self._serve_snap(configuration)
        self._start_reconciler(configuration.samba.clustering)
        self._start_metrics(configuration.settings)
        self._serve_admins(configuration, level)

    def _start_agent(self, configuration: Configuration) -> None:
        settings, components = configuration.settings, self._components
        self._exports = components.exports(self._open_share, self._registry.share)
        self._runner = JobRunner(
            self._selection, self._registry, self._exports, settings.min_free_space
        )
        self._resolver = ShareResolver(self._registry, _own_names(configuration))
        self._lookups = ShareLookups(self.loop, self._resolver, self._volumes)
        self._lookups.watch(self._mounts)
        of_this_boot = settings.agent._replace(
            boot_id=components.boot_id(), state_id=self._store.id
        )
        agent = Agent(of_this_boot, new_guid, time.time, self._resolver.own_names)
        self._driver = AgentDriver(self.loop, agent, self._store, self._runner, self._lookups)
        history = components.history(os.path.join(self._folder, HISTORY_FILE))
        self.history = History(self.loop, self._driver, history)
        self._driver.restore()

    def _serve_pipe(self, configuration: Configuration) -> None:
        samba, settings = configuration.samba, configuration.settings
        tools = self._registry.tools()
        self._authenticator = Authenticator(
            self.loop, samba, tools, self._folder, settings.requirement
        )
        if settings.serve_pipe:
            self._authenticator.verifications.open()
        self.server = PipeServer(
            self.loop,
            samba.ncalrpc_dir,
            self._authenticator,
            self._resolver,
            self._driver,
            settings.serve_pipe,
            descriptors.pipes(self._limit),
        )

    def _serve_snap(self, configuration: Configuration) -> None:
        """Serve `fsrvp-snap` on a separate socket."""
        view = self._driver.view
        self._snap_service = ShellSnapService(
            self._registry,
            self._volumes,
            self._selection,
            self._runner,
            self._exports,
            lambda: view.settings,
            time.time,
        )
        self._snap_handlers = ShellSnapHandlers(self.loop, self._snap_service)
        path = snap_socket(configuration.samba.pid_directory)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        group = configuration.settings.snapshot_group
        self._snap_socket = ControlSocket(self.loop, path, self._snap_handlers.by_name(), group)

    def _start_reconciler(self, clustering: bool) -> None:
        self._holds = Holds(self._store.kept(), self._store.keep)
        scanner = InventoryScanner(
            self._selection,
            self._registry,
            self._volumes,
            lambda: discovery.mount_points(self._mounts),
            discovery.volumes_with_snapshots,
            self._exports,
            lambda root: clustering or discovery.is_shared(self._mounts, root),
            lambda: self._holds.kept,
        )
        self._reconciler = Reconciler(
            self.loop,
            self._driver,
            scanner,
            self._runner.delete,
            self._exports,
            self._registry,
            self._store.id,
            self._snap_service.fresh,
        )
        self._reconciler.reconcile(ReconcileOptions(), lambda _: None)
        self._keeper = Keeper(
            self.loop,
            self._driver,
            self._reconciler,
            KeptStorage(self._selection, self._exports),
            self._registry.share,
            self._holds,
            self._store.id,
        )

    def _start_metrics(self, settings: DaemonSettings) -> None:
        self._share_names = ShareNames(self._registry)
        self._metrics = Metrics(
            self.loop,
            self._driver,
            self.server,
            self.history,
            self._share_names.current,
            self._keeper.by_share,
        )
        self._metrics.prepare(settings).commit()

    def _serve_admins(self, configuration: Configuration, level: LogLevel) -> None:
        samba = configuration.samba
        self.administration = AdminActions(self.loop, self._registry, samba, level, self._apply)
        bus = MessageBus(samba.private_dir, samba.lock_directory)
        self._smbcontrol = SmbcontrolService(self.loop, bus, self.administration)
        self._share_states = ShareStates(
            self.loop,
            partial(read_globals, self._registry),
            self._registry,
            self._volumes,
            self._selection,
        )
        self._status = StatusMessage(
            self._driver,
            self.server,
            self._share_states,
            self.history,
            self.administration,
            samba.samba_version,
            self._selection.why_none,
        )
        self._status.configure(configuration.settings.max_backup_age)
        handlers = Handlers(
            self.loop,
            self._driver,
            self._lookups,
            self._reconciler,
            self.history,
            self._keeper,
            self.administration,
            self._status,
            self._runner.progress_reporter.progress,
        )
        path, group = control_socket(samba.state_directory), configuration.settings.admin_group
        self._control_socket = ControlSocket(self.loop, path, handlers.by_name(), group)

    def _open_share(self, export: Export) -> int:
        provider = self._selection.provider(export.snapshot.provider)
        return provider.open_share(export.snapshot, export.path)

    def _apply(self, configuration: Configuration) -> None:
        """Use a new configuration while running.

        Raises: ConfigError, and whatever else a preparation raises; then nothing has changed.
        """
        settings, names = configuration.settings, _own_names(configuration)

        def commit() -> None:
            self._driver.configure(settings.agent)
            self._authenticator.configure(settings.requirement)
            self._runner.configure(settings.min_free_space)
            self._status.configure(settings.max_backup_age)
            self._resolver.set_own_names(names)
            self._reconciler.remove_expired()
            self._keeper.run()

        apply_all_or_nothing(
            [
                lambda: self._metrics.prepare(settings),
                lambda: self._control_socket.prepare(settings.admin_group),
                lambda: self._snap_socket.prepare(settings.snapshot_group),
                lambda: Change(commit),
            ]
        )

    def close(self) -> None:
        """Close sockets and pipes, let running jobs end and be recorded, and end."""
        self._control_socket.close()
        self._snap_socket.close()
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(self._snap_socket.path))
        self._smbcontrol.close()
        self.server.close()
        running = self._driver.wait_for_jobs(JOBS_TIMEOUT)
        if running:
            log.error(
                "shutting down with %d jobs still running after %g s (a volume is not"
                " responding?); leftovers are cleaned up at the next start",
                running,
                JOBS_TIMEOUT,
            )
        for part in (
            self._runner,
            self._lookups,
            self._snap_handlers,
            self._keeper,
            self._reconciler,
            self._authenticator,
            self._metrics,
            self._share_names,
            self._share_states,
            self.history,
            self._store,
            self.loop,
        ):
            part.close()
        self._pid_file.remove()


def _own_names(configuration: Configuration) -> set[str]:
    samba, settings = configuration.samba, configuration.settings
    of_samba = (samba.netbios_name, *samba.netbios_aliases, *samba.dns_names)
    names = (*of_samba, *settings.host_names)
    return own_names(names, samba.realm)
