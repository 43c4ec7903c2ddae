"""Everything that runs, and the order in which it begins and ends."""

from __future__ import annotations

import contextlib
import logging
import os
import time
import uuid

from fsrvpd.command_line import control_socket, snap_socket, state_folder
from fsrvpd.configuration import Configuration
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.core.messages import Guid
from fsrvpd.daemon.administration import Administration, LogLevel
from fsrvpd.daemon.bus import BusService
from fsrvpd.daemon.control import ControlSocket
from fsrvpd.daemon.handlers import Handlers
from fsrvpd.daemon.housekeeping import Housekeeping, Wish
from fsrvpd.daemon.jobs import JobRunner
from fsrvpd.daemon.logins import Logins
from fsrvpd.daemon.lookups import Lookups
from fsrvpd.daemon.loop import Loop
from fsrvpd.daemon.metrics import Metrics
from fsrvpd.daemon.parts import Parts
from fsrvpd.daemon.process import PidFile
from fsrvpd.daemon.server import PipeServer
from fsrvpd.daemon.service import Service
from fsrvpd.daemon.shares import ShareFinder
from fsrvpd.daemon.shell_snap import ShellSnap, Snapper
from fsrvpd.daemon.survey import Surveyor
from fsrvpd.protocol.actions import Job, Outcome
from fsrvpd.protocol.agent import Agent
from fsrvpd.providers import mounted
from fsrvpd.volumes import Volumes
from samba_hooks.messaging import MessageBus
from samba_hooks.open_registry import Registry

log = logging.getLogger("fsrvpd")

STATE_FILE = "state.sqlite3"
PID_FILE = "fsrvpd.pid"
JOBS_END = 10.0  # s that running jobs have when the daemon ends


def _own_names(configuration: Configuration) -> tuple[str, ...]:
    samba, settings = configuration.samba, configuration.settings
    return (samba.netbios_name, *samba.netbios_aliases, *settings.host_names)


def new_guid() -> Guid:
    return uuid.uuid4().bytes_le


class Daemon:
    """One agent on one configuration. Raises: FsrvpdError when it cannot begin.

    What the last life left unfinished begins to be undone before the pipe is served.
    """

    def __init__(
        self, registry: Registry, configuration: Configuration, level: LogLevel, parts: Parts
    ) -> None:
        samba, settings = configuration.samba, configuration.settings
        folder = state_folder(samba.state_directory)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.pid_file = PidFile(os.path.join(samba.pid_directory, PID_FILE))
        self.loop = Loop()
        self.store = parts.store(os.path.join(folder, STATE_FILE))
        self._running_jobs = 0
        mounts = LiveMounts()
        selection = parts.selection(mounts, registry, folder)
        volumes = Volumes(selection, mounts)
        self.runner = JobRunner(selection, registry, self._job_done)
        self.runner.min_free_space = settings.min_free_space
        names = _own_names(configuration)
        self.finder = ShareFinder(registry, volumes, names, samba.realm)
        self.lookups = Lookups(self.loop, self.finder)
        of_this_boot = settings.agent._replace(boot_id=parts.boot_id(), state_id=self.store.id)
        agent = Agent(of_this_boot, new_guid, parts.wall_clock, self.finder.own_names)
        self.service = Service(agent, self.store, self._submit)
        self.service.restore()
        self.service.flush()
        self.logins = Logins(self.loop, samba, registry.tools(), folder)
        self.server = PipeServer(
            self.loop,
            self.service,
            self.finder,
            self.lookups,
            samba.ncalrpc_dir,
            self.logins,
            settings.requirement,
            settings.serve_pipe,
        )
        self.housekeeping = Housekeeping(
            self.loop,
            self.service,
            Surveyor(selection, registry, volumes, lambda: mounted.roots(mounts)),
            selection,
            registry,
            self.store.id,
        )
        self.housekeeping.compare(Wish(), lambda _: None)
        self.metrics = Metrics(self.loop, self.service, self.server)
        self.metrics.configure(settings)
        self.administration = Administration(self.loop, registry, samba, level, self.apply)
        bus = MessageBus(samba.private_dir, samba.lock_directory)
        self.bus = BusService(self.loop, bus, self.administration)
        handlers = Handlers(
            self.loop,
            self.service,
            self.server,
            self.lookups,
            self.housekeeping,
            self.administration,
            samba.samba_version,
            self.runner.watch.progress,
        )
        path = control_socket(samba.state_directory)
        self.control = ControlSocket(self.loop, path, handlers.by_name(), settings.admin_group)
        snapper = Snapper(
            registry,
            volumes,
            selection,
            self.runner,
            lambda: agent.settings,
            parts.wall_clock,
        )
        self.housekeeping.fresh = snapper.fresh
        self.shell_snap = ShellSnap(self.loop, snapper)
        path = snap_socket(samba.pid_directory)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        messages = self.shell_snap.by_name()
        self.snap_control = ControlSocket(self.loop, path, messages, settings.snapshot_group)

    def apply(self, configuration: Configuration) -> None:
        """Put it in force while running. What can fail comes first: all or nothing.

        Raises: ConfigError.
        """
        settings = configuration.settings
        self.metrics.configure(settings)
        self.control.admit(settings.admin_group)
        self.snap_control.admit(settings.snapshot_group)
        self.service.configure(settings.agent)
        self.server.requirement = settings.requirement
        self.runner.min_free_space = settings.min_free_space
        self.finder.rename(_own_names(configuration), configuration.samba.realm)
        self.housekeeping.look_at_ages()

    def run(self) -> None:
        """Serve until the loop is stopped."""
        self.loop.run(self._after_each_turn, self._when_due)

    def close(self) -> None:
        """Hang up, let running jobs end and be written down, and go."""
        self.control.close()
        self.snap_control.close()
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(self.snap_control.path))
        self.bus.close()
        self.server.close()
        limit = time.monotonic() + JOBS_END
        while self._running_jobs and time.monotonic() < limit:
            self.loop.turn(0.1)
            self.service.flush()
        if self._running_jobs:
            log.error(
                "%d jobs did not end within %g s, most likely for a volume that does not"
                " answer; the next start undoes what they leave",
                self._running_jobs,
                JOBS_END,
            )
        self.runner.close()
        self.lookups.close()
        self.shell_snap.close()
        self.housekeeping.close()
        self.logins.close()
        self.metrics.close()
        self.store.close()
        self.loop.close()
        self.pid_file.remove()

    def _after_each_turn(self) -> None:
        """Answers, and nothing else: whoever waits for one need not wait for the upkeep."""
        self.service.flush()
        due = self.service.deadline()
        if due is not None:
            self.loop.turn_by(due)

    def _when_due(self) -> None:
        """What time demands of anybody, and when it will do so again."""
        self.housekeeping.expire_when_due()
        self.server.drop_the_slow()
        self.logins.expire()
        self.lookups.expire()
        self.service.flush()
        self.metrics.write_if_due()
        parts = (self.service, self.server, self.logins, self.lookups, self.housekeeping)
        for part in (*parts, self.metrics):
            due = part.deadline()
            if due is not None:
                self.loop.turn_by(due)

    def _submit(self, job: Job) -> None:
        self._running_jobs += 1
        self.runner.submit(job)

    def _job_done(self, job: Job, outcome: Outcome) -> None:
        """Called in a worker's thread; the rest happens in the loop's."""
        self.loop.ring(lambda: self._take_outcome(job, outcome))

    def _take_outcome(self, job: Job, outcome: Outcome) -> None:
        self._running_jobs -= 1
        self.service.finished(job, outcome)
