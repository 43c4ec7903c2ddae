"""Metrics for Prometheus: a file for the node exporter, and HTTP on loopback when asked.

Written with prometheus_client, which is wanted only where one of the options is set. The
numbers are read in the loop's thread, so that none is half changed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
import time
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Iterable, Optional

from fsrvpd import __version__
from fsrvpd.core.messages import Opnum
from fsrvpd.daemon import events
from fsrvpd.daemon.loop import Loop
from fsrvpd.daemon.server import PipeServer
from fsrvpd.daemon.service import Service
from fsrvpd.errors import ConfigError
from fsrvpd.options import DaemonSettings
from fsrvpd.protocol.hresult import name_of
from fsrvpd.protocol.model import Status

if TYPE_CHECKING:
    from prometheus_client.core import Metric

log = logging.getLogger("fsrvpd.metrics")

LOOPBACK = "127.0.0.1"
INTERVAL = 15.0  # s between two writings of the file
CALLS = {"call", "call-refused"}  # counted by method and result
PATIENCE = 5.0  # s that a scrape waits for the loop
LATENCIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)


class Metrics:
    """Nothing is loaded, counted or served before `configure` is given a file or a port."""

    def __init__(self, loop: Loop, service: Service, server: PipeServer) -> None:
        self._loop = loop
        self._service = service
        self._server = server
        self._registry: Any = None
        self._latency: Any = None
        self._file = ""
        self._due: Optional[float] = None
        self._port = 0
        self._http: Optional[ThreadingHTTPServer] = None

    def configure(self, settings: DaemonSettings) -> None:
        """Raises: ConfigError when the port cannot be had; nothing is changed then."""
        if (settings.metrics_file or settings.metrics_port) and self._registry is None:
            self._begin()
        if settings.metrics_port != self._port:
            fresh = self._listen(settings.metrics_port)
            self._hang_up()
            self._http, self._port = fresh, settings.metrics_port
        if settings.metrics_file != self._file:
            self._forget_file()
        self._file = settings.metrics_file
        self._due = time.monotonic() if self._file else None
        if self._due is not None:
            self._loop.turn_by(self._due)

    def deadline(self) -> Optional[float]:
        return self._due

    def write_if_due(self) -> None:
        if self._due is not None and self._due <= time.monotonic():
            self._due = time.monotonic() + INTERVAL
            self._write()

    def close(self) -> None:
        self._hang_up()
        self._forget_file()

    def _forget_file(self) -> None:
        """What stays would be taken for the present."""
        if self._file:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._file)

    def collect(self) -> Iterable[Metric]:
        """For prometheus_client, in whatever thread asks."""
        if threading.current_thread() is threading.main_thread():
            return self._collect()
        found: list[Metric] = []
        done = threading.Event()

        def collect() -> None:
            found.extend(self._collect())
            done.set()

        self._loop.ring(collect)
        done.wait(PATIENCE)
        return found

    def _begin(self) -> None:
        from prometheus_client import CollectorRegistry, Histogram

        self._registry = CollectorRegistry()
        self._latency = Histogram(
            "fsrvpd_call_seconds",
            "From a call's arrival to its answer; of CommitShadowCopySet: how long this server"
            " keeps the client's applications frozen.",
            ["method"],
            buckets=LATENCIES,
            registry=self._registry,
        )
        self._registry.register(self)
        self._service.observe = self._observe

    def _observe(self, opnum: Opnum, seconds: float) -> None:
        self._latency.labels(opnum.name).observe(seconds)

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: registering asks for no numbers."""
        return []

    def _collect(self) -> list[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        agent, service = self._service.agent, self._service
        info = GaugeMetricFamily("fsrvpd_info", "Always 1; the labels tell.", labels=["version"])
        info.add_metric([__version__], 1)
        sets = GaugeMetricFamily("fsrvpd_sets", "Shadow copy sets.", labels=["status"])
        for status in Status:
            sets.add_metric([status.value], sum(each.status is status for each in agent.table))
        sets.add_metric(["Removing"], len(agent.leaving))
        calls = CounterMetricFamily("fsrvpd_calls", "Calls answered.", labels=["method", "result"])
        for (opnum, result), number in service.results.items():
            calls.add_metric([opnum.name, name_of(result)], number)
        seen = CounterMetricFamily("fsrvpd_events", "Events by name.", labels=["event"])
        for name in events.BY_NAME.keys() - CALLS:
            seen.add_metric([name], events.counts[name])
        oldest = min((each.started for each in agent.table), default=None)
        age = GaugeMetricFamily("fsrvpd_oldest_set_age_seconds", "Age of the oldest set, or 0.")
        age.add_metric([], time.time() - oldest if oldest else 0)
        pipe = GaugeMetricFamily("fsrvpd_pipe_ours", "1 while the pipe's socket is ours.")
        pipe.add_metric([], self._server.owns_pipe())
        retaken = CounterMetricFamily("fsrvpd_pipe_retaken", "Times the socket was taken back.")
        retaken.add_metric([], self._server.retaken)
        return [info, sets, age, calls, seen, pipe, retaken, *self._space()]

    def _space(self) -> list[Metric]:
        """Of the volumes that hold snapshots: what they share cannot be told apart."""
        from prometheus_client.core import GaugeMetricFamily

        free = GaugeMetricFamily("fsrvpd_volume_free_bytes", "Free space.", labels=["volume"])
        size = GaugeMetricFamily("fsrvpd_volume_size_bytes", "Whole space.", labels=["volume"])
        held = GaugeMetricFamily("fsrvpd_snapshots", "Snapshots held.", labels=["volume"])
        roots: dict[str, int] = {}
        for each in self._service.agent.table:
            for copy in each.shadow_copy_list:
                if copy.snapshot is not None:
                    roots[copy.place.volume_root] = roots.get(copy.place.volume_root, 0) + 1
        for root, number in roots.items():
            held.add_metric([root], number)
            with contextlib.suppress(OSError):
                found = os.statvfs(root)
                free.add_metric([root], found.f_bavail * found.f_frsize)
                size.add_metric([root], found.f_blocks * found.f_frsize)
        return [held, free, size]

    def _write(self) -> None:
        """The directory may belong to another user: no link is followed, and the file is
        whole at any moment and readable for the node exporter."""
        from prometheus_client import generate_latest

        folder, name = os.path.split(self._file)
        fresh = f".{name}.{secrets.token_hex(8)}"
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                with open(os.open(fresh, flags, 0o644, dir_fd=directory), "wb") as file:
                    os.fchmod(file.fileno(), 0o644)
                    file.write(generate_latest(self._registry))
                os.rename(fresh, name, src_dir_fd=directory, dst_dir_fd=directory)
            finally:
                os.close(directory)
        except OSError as error:
            log.error("%s: metrics cannot be written: %s", self._file, error)

    def _listen(self, port: int) -> Optional[ThreadingHTTPServer]:
        if not port:
            return None
        from prometheus_client import MetricsHandler

        handler: Any = MetricsHandler.factory(self._registry)
        try:
            server = ThreadingHTTPServer((LOOPBACK, port), handler)
        except OSError as error:
            raise ConfigError(
                f"smb.conf: fsrvpd:metrics port = {port}: cannot be had: {error.strerror}"
            ) from error
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        return server

    def _hang_up(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None
