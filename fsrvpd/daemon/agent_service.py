"""The agent with all that it works on: the store, jobs, shares, reconciliation and retention."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from typing import Callable, Mapping, NamedTuple, Optional, Protocol

from fsrvpd.config.load import Configuration
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.core.messages import new_guid
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.agent.jobs import JobRunner
from fsrvpd.daemon.agent.share_lookups import ShareLookups
from fsrvpd.daemon.components import Components
from fsrvpd.daemon.control.shell_snap import ShellSnapHandlers, ShellSnapService
from fsrvpd.daemon.control.socket_server import ControlSocket
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.history.recorder import History
from fsrvpd.daemon.log.events import report
from fsrvpd.daemon.reconciliation.inventory import InventoryScanner
from fsrvpd.daemon.reconciliation.reconciler import ReconcileOptions, Reconciler
from fsrvpd.daemon.reload import Change, Prepare
from fsrvpd.daemon.retention.keeper import Holds, Keeper
from fsrvpd.daemon.retention.storage import KeptStorage
from fsrvpd.exports.mounts import Exports, OpenShare, ShareOf
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.ports import StateStore
from fsrvpd.protocol.server.agent import Agent
from fsrvpd.providers import discovery
from fsrvpd.samba_command_line import snap_socket, state_folder
from fsrvpd.shares.resolver import ShareResolver
from fsrvpd.shares.volumes import Volumes
from samba_hooks.registry.open_registry import Registry

log = logging.getLogger("fsrvpd")

STATE_FILE = "state.sqlite3"
HISTORY_FILE = "history.sqlite3"
JOBS_TIMEOUT = 10.0  # s that running jobs have to end when the daemon does


class AgentStore(StateStore, Protocol):
    """What the service needs of a store beside the sets."""

    id: str

    def kept(self) -> Mapping[str, bool]:
        """What `keep` recorded. Raises: StoreError."""

    def keep(self, changes: Mapping[str, Optional[bool]]) -> None:
        """Record copies, by id, that an admin keeps, with whether he holds them; None forgets
        one. Raises: StoreError."""


class OfCluster(NamedTuple):
    """What an agent that leads a cluster has from the cluster."""

    store: AgentStore
    life: str
    exports: Callable[[OpenShare, ShareOf], Exports]


class AgentService:
    """Removal of what the last run left unfinished has started when it is made.

    Raises: FsrvpdError when it cannot start.
    """

    def __init__(
        self,
        loop: EventLoop,
        registry: Registry,
        configuration: Configuration,
        components: Components,
        resolver: ShareResolver,
        cluster: Optional[OfCluster] = None,
    ) -> None:
        self._loop = loop
        self._registry = registry
        self._components = components
        self._resolver = resolver
        self._folder = state_folder(configuration.samba.state_directory)
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        path = os.path.join(self._folder, STATE_FILE)
        self._store: AgentStore = components.store(path) if cluster is None else cluster.store
        self._cluster = cluster
        self._mounts = LiveMounts()
        self.selection = components.selection(self._mounts, registry, self._folder)
        if self.selection.why_none:
            report(log, "capabilities-missing", self.selection.why_none)
        self.volumes = Volumes(self.selection, self._mounts)
        self._start_agent(configuration)
        self._serve_snap(configuration)
        self._start_reconciler(configuration.samba.clustering)

    def _start_agent(self, configuration: Configuration) -> None:
        settings, components = configuration.settings, self._components
        exports = components.exports if self._cluster is None else self._cluster.exports
        self._exports = exports(self._open_share, self._registry.share)
        self.runner = JobRunner(
            self.selection, self._registry, self._exports, settings.min_free_space
        )
        self.lookups = ShareLookups(self._loop, self._resolver, self.volumes)
        self.lookups.watch(self._mounts)
        of_this_boot = settings.agent._replace(
            boot_id=components.boot_id(),
            life="" if self._cluster is None else self._cluster.life,
            state_id=self._store.id,
        )
        agent = Agent(of_this_boot, new_guid, time.time, self._resolver.own_names)
        self.driver = AgentDriver(self._loop, agent, self._store, self.runner, self.lookups)
        history = components.history(os.path.join(self._folder, HISTORY_FILE))
        self.history = History(self._loop, self.driver, history)
        self.driver.restore()

    def _serve_snap(self, configuration: Configuration) -> None:
        """Serve `fsrvp-snap` on a separate socket."""
        view = self.driver.view
        self._snap_service = ShellSnapService(
            self._registry,
            self.volumes,
            self.selection,
            self.runner,
            self._exports,
            lambda: view.settings,
            time.time,
        )
        self._snap_handlers = ShellSnapHandlers(self._loop, self._snap_service)
        path = snap_socket(configuration.samba.pid_directory)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        group = configuration.settings.snapshot_group
        self._snap_socket = ControlSocket(self._loop, path, self._snap_handlers.by_name(), group)

    def _start_reconciler(self, clustering: bool) -> None:
        self._holds = Holds(self._store.kept(), self._store.keep)
        scanner = InventoryScanner(
            self.selection,
            self._registry,
            self.volumes,
            lambda: discovery.mount_points(self._mounts),
            discovery.volumes_with_snapshots,
            self._exports,
            lambda root: clustering or discovery.is_shared(self._mounts, root),
            lambda: self._holds.kept,
        )
        self.reconciler = Reconciler(
            self._loop,
            self.driver,
            scanner,
            self.runner.delete,
            self._exports,
            self._registry,
            self._store.id,
            self._snap_service.fresh,
        )
        self.reconciler.reconcile(ReconcileOptions(), lambda _: None)
        self.keeper = Keeper(
            self._loop,
            self.driver,
            self.reconciler,
            KeptStorage(self.selection, self._exports),
            self._registry.share,
            self._holds,
            self._store.id,
        )

    def _open_share(self, export: Export) -> int:
        provider = self.selection.provider(export.snapshot.provider)
        return provider.open_share(export.snapshot, export.path)

    def prepare(self, configuration: Configuration) -> list[Prepare]:
        """The steps of a new configuration."""
        settings = configuration.settings

        def commit() -> None:
            self.driver.configure(settings.agent)
            self.runner.configure(settings.min_free_space)
            self.reconciler.remove_expired()
            self.keeper.run()

        return [
            lambda: self._snap_socket.prepare(settings.snapshot_group),
            lambda: Change(commit),
        ]

    def close_socket(self) -> None:
        """Take no more requests of `fsrvp-snap`."""
        self._snap_socket.close()
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(self._snap_socket.path))

    def wait_for_jobs(self) -> None:
        """Let running jobs end, and be recorded."""
        running = self.driver.wait_for_jobs(JOBS_TIMEOUT)
        if running:
            log.error(
                "shutting down with %d jobs still running after %g s (a volume is not"
                " responding?); leftovers are cleaned up at the next start",
                running,
                JOBS_TIMEOUT,
            )

    def close(self) -> None:
        for part in (
            self.runner,
            self.lookups,
            self._snap_handlers,
            self.keeper,
            self.reconciler,
            self.history,
            self._store,
        ):
            part.close()
