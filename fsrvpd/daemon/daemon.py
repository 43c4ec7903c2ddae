"""Composes the daemon, applies a new configuration, and ends everything in order."""

from __future__ import annotations

import os
from collections.abc import Set
from functools import partial
from typing import Callable, NamedTuple, Optional

from fsrvpd.config.daemon_options import DaemonSettings
from fsrvpd.config.load import Configuration, read_globals
from fsrvpd.daemon import descriptors
from fsrvpd.daemon.agent_service import AgentService, OfCluster
from fsrvpd.daemon.components import Components
from fsrvpd.daemon.control.admin_actions import AdminActions, LogLevel
from fsrvpd.daemon.control.handlers import Handlers
from fsrvpd.daemon.control.smbcontrol import SmbcontrolService
from fsrvpd.daemon.control.socket_server import ControlSocket
from fsrvpd.daemon.control.status_message import StatusMessage
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.metrics import Metrics
from fsrvpd.daemon.pipe.authentication import Authenticator
from fsrvpd.daemon.pipe.server import PipeServer
from fsrvpd.daemon.process import PidFile
from fsrvpd.daemon.reload import Change, apply_all_or_nothing
from fsrvpd.daemon.status.names import ShareNames
from fsrvpd.daemon.status.shares import ShareStates
from fsrvpd.protocol.actions import CallHandler
from fsrvpd.protocol.exports import Export
from fsrvpd.samba_command_line import control_socket, state_folder
from fsrvpd.shares.resolver import ShareResolver
from fsrvpd.shares.server_names import own_names
from samba_hooks.messaging import MessageBus
from samba_hooks.registry.open_registry import Registry

PID_FILE = "fsrvpd.pid"


class Door(NamedTuple):
    """What a node of a cluster has, whichever agent leads, and gives to its own."""

    loop: EventLoop
    pid_file: PidFile
    resolver: ShareResolver
    authenticator: Authenticator
    server: PipeServer
    names: Callable[[], Set[str]]  # of all nodes
    cluster: OfCluster


class Daemon:
    """One agent with one configuration. Raises: FsrvpdError when it cannot start.

    Removal of what the last run left unfinished starts before the pipe is served.
    """

    begins_anew = False  # the process, when the loop has ended

    def __init__(
        self,
        registry: Registry,
        configuration: Configuration,
        level: LogLevel,
        components: Components,
        door: Optional[Door] = None,
    ) -> None:
        self._registry = registry
        self._door = door
        if door is None:
            self._pid_file = make_pid_file(configuration)
            self.loop = EventLoop()
            self._resolver = ShareResolver(registry, own_names_of(configuration))
        else:
            self._pid_file, self.loop, self._resolver = door.pid_file, door.loop, door.resolver
        cluster = None if door is None else door.cluster
        self._agent = AgentService(
            self.loop, registry, configuration, components, self._resolver, cluster
        )
        self._serve_pipe(configuration)
        self._start_metrics(configuration.settings)
        self._serve_admins(configuration, level)

    def _serve_pipe(self, configuration: Configuration) -> None:
        if self._door is None:
            self._authenticator = make_authenticator(self.loop, configuration, self._registry)
            self.server = serve_pipe(
                self.loop, configuration, self._authenticator, self._resolver, self.driver
            )
        else:
            self._authenticator, self.server = self._door.authenticator, self._door.server

    @property
    def driver(self) -> CallHandler:
        """What answers calls."""
        return self._agent.driver

    def exports(self) -> list[Export]:
        """Where users reach the copies of exposed sets."""
        return self._agent.driver.view.exports()

    def _start_metrics(self, settings: DaemonSettings) -> None:
        self._share_names = ShareNames(self._registry)
        self._metrics = Metrics(
            self.loop,
            self._agent.driver,
            self.server,
            self._agent.history,
            self._share_names.current,
            self._agent.keeper.by_share,
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
            self._agent.volumes,
            self._agent.selection,
        )
        self._status = StatusMessage(
            self._agent.driver,
            self.server,
            self._share_states,
            self._agent.history,
            self.administration,
            samba.samba_version,
            self._agent.selection.why_none,
        )
        self._status.configure(configuration.settings.max_backup_age)
        handlers = Handlers(
            self.loop,
            self._agent.driver,
            self._agent.lookups,
            self._agent.reconciler,
            self._agent.history,
            self._agent.keeper,
            self.administration,
            self._status,
            self._agent.runner.progress_reporter.progress,
        )
        path, group = control_socket(samba.state_directory), configuration.settings.admin_group
        self._control_socket = ControlSocket(self.loop, path, handlers.by_name(), group)

    def _apply(self, configuration: Configuration) -> None:
        """Use a new configuration while running.

        Raises: ConfigError, and whatever else a preparation raises; then nothing has changed.
        """
        settings, names = configuration.settings, own_names_of(configuration, self._door)

        def commit() -> None:
            self._authenticator.configure(settings.requirement)
            self._status.configure(settings.max_backup_age)
            self._resolver.set_own_names(names)

        apply_all_or_nothing(
            [
                lambda: self._metrics.prepare(settings),
                lambda: self._control_socket.prepare(settings.admin_group),
                *self._agent.prepare(configuration),
                lambda: Change(commit),
            ]
        )

    def close(self) -> None:
        """Close sockets and pipes, let running jobs end and be recorded, and end."""
        self._control_socket.close()
        self._agent.close_socket()
        self._smbcontrol.close()
        self.server.close()
        self._agent.wait_for_jobs()
        for part in (
            self._authenticator,
            self._metrics,
            self._share_names,
            self._share_states,
            self._agent,
            self.loop,
        ):
            part.close()
        self._pid_file.remove()


def make_pid_file(configuration: Configuration) -> PidFile:
    """Raises: ConfigError."""
    return PidFile(os.path.join(configuration.samba.pid_directory, PID_FILE))


def make_authenticator(
    loop: EventLoop, configuration: Configuration, registry: Registry
) -> Authenticator:
    """Raises: AuthenticationError."""
    samba, settings = configuration.samba, configuration.settings
    folder = state_folder(samba.state_directory)
    authenticator = Authenticator(loop, samba, registry.tools(), folder, settings.requirement)
    if settings.serve_pipe:
        authenticator.verifications.open()
    return authenticator


def serve_pipe(
    loop: EventLoop,
    configuration: Configuration,
    authenticator: Authenticator,
    resolver: ShareResolver,
    handler: CallHandler,
) -> PipeServer:
    """Raises: FsrvpdError."""
    return PipeServer(
        loop,
        configuration.samba.ncalrpc_dir,
        authenticator,
        resolver,
        handler,
        configuration.settings.serve_pipe,
        descriptors.pipes(descriptors.raise_limit()),
    )


def own_names_of(configuration: Configuration, door: Optional[Door] = None) -> set[str]:
    """What a UNC name may call this server."""
    samba, settings = configuration.samba, configuration.settings
    of_samba = (samba.netbios_name, *samba.netbios_aliases, *samba.dns_names)
    names = own_names((*of_samba, *settings.host_names), samba.realm)
    return names if door is None else names | door.names()
