"""Metrics for Prometheus: a file for the node exporter, and HTTP on the loopback address.

Needs prometheus_client, which is imported only if an option asks for metrics. The numbers are
read in the event loop's thread, so that they are consistent; volumes and the file, which may
hang, are other threads' business.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping, Optional

from fsrvpd import __version__
from fsrvpd.config.daemon_options import DaemonSettings
from fsrvpd.daemon.agent.driver import AgentDriver, Answer
from fsrvpd.daemon.event_loop import EventLoop, TimerHandle
from fsrvpd.daemon.history.recorder import History
from fsrvpd.daemon.log import events
from fsrvpd.daemon.metrics_file import MetricsFile
from fsrvpd.daemon.metrics_server import MetricsServer
from fsrvpd.daemon.pipe.server import PipeServer
from fsrvpd.daemon.reload import Change
from fsrvpd.daemon.volume_space import VolumeSpace
from fsrvpd.errors import ConfigError
from fsrvpd.protocol.hresult import name_of

if TYPE_CHECKING:
    from prometheus_client.core import Metric

LOOPBACK = "127.0.0.1"
INTERVAL = 15.0  # s between two writes of the file
CALLS = {"call", "call-refused"}  # counted by method and result
MAX_SHARES = 1000  # that have a label
SCRAPE_TIMEOUT = 5.0  # s that a scrape waits for the event loop
LATENCIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)


class Metrics:
    """Imports, counts and serves nothing until `prepare` gets a file or a port."""

    def __init__(
        self,
        loop: EventLoop,
        driver: AgentDriver,
        server: PipeServer,
        history: History,
        share_names: Callable[[], Optional[frozenset[str]]],
        kept: Callable[[], Mapping[str, tuple[int, Optional[int]]]],
    ) -> None:
        """`kept`: by share, the number of its kept copies, and their bytes if they are known."""
        self._loop = loop
        self._driver = driver
        self._server = server
        self._history = history
        self._share_names = share_names
        self._kept = kept
        self._registry: Any = None
        self._latency: Any = None
        self._space: Optional[VolumeSpace] = None
        self._files: Optional[MetricsFile] = None
        self._timer: Optional[TimerHandle] = None
        self._port = 0
        self._http: Optional[MetricsServer] = None

    def prepare(self, settings: DaemonSettings) -> Change:
        """Raises: ConfigError when the port cannot be used; FsrvpdError when there is no thread."""
        if (settings.metrics_file or settings.metrics_port) and self._registry is None:
            self._begin()
        if settings.metrics_port == self._port:
            return Change(lambda: self._set_file(settings.metrics_file))
        server = self._listen(settings.metrics_port)

        def commit() -> None:
            self._set_file(settings.metrics_file)
            _stop(self._http)
            self._http, self._port = server, settings.metrics_port

        return Change(commit, lambda: _stop(server))

    def _set_file(self, path: str) -> None:
        if self._files is not None:
            self._files.set_path(path)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(0.0, self._on_timer) if path else None

    def _on_timer(self) -> None:
        self._timer = self._loop.call_later(INTERVAL, self._on_timer)
        if self._files is not None:
            self._files.write()

    def close(self) -> None:
        _stop(self._http)
        self._http = None
        for part in (self._files, self._space):
            if part is not None:
                part.close()

    def collect(self) -> Iterable[Metric]:
        """Called by prometheus_client, in any thread but the loop's: numbers are read there,
        volumes are asked here."""
        found: list[Metric] = []
        copies: Counter[str] = Counter()
        done = threading.Event()

        def collect() -> None:
            found.extend(self._collect())
            copies.update(self._copies_by_volume())
            done.set()

        self._loop.call_soon_threadsafe(collect)
        if not done.wait(SCRAPE_TIMEOUT):
            return []
        return [*found, *self._volumes(copies)]

    def _begin(self) -> None:
        from prometheus_client import CollectorRegistry, Histogram, generate_latest

        self._space = VolumeSpace()
        self._files = MetricsFile(lambda: generate_latest(self._registry))
        self._registry = CollectorRegistry()
        self._latency = Histogram(
            "fsrvpd_call_seconds",
            "Time from a call to its response; for CommitShadowCopySet: how long this server"
            " keeps the client's applications frozen.",
            ["method"],
            buckets=LATENCIES,
            registry=self._registry,
        )
        self._registry.register(self)
        self._driver.observe(self._observe)

    def _observe(self, answer: Answer) -> None:
        self._latency.labels(answer.call.opnum.name).observe(answer.seconds)

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering collects no numbers."""
        return []

    def _collect(self) -> list[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        view = self._driver.view
        info = GaugeMetricFamily("fsrvpd_info", "Always 1; see the labels.", labels=["version"])
        info.add_metric([__version__], 1)
        sets = GaugeMetricFamily("fsrvpd_sets", "Shadow copy sets.", labels=["status"])
        for status, number in view.count_by_status().items():
            sets.add_metric([status.value], number)
        sets.add_metric(["Removing"], len(view.removing))
        calls = CounterMetricFamily("fsrvpd_calls", "Answered calls.", labels=["method", "result"])
        for (opnum, result), number in self._driver.results.items():
            calls.add_metric([opnum.name, name_of(result)], number)
        seen = CounterMetricFamily("fsrvpd_events", "Events by name.", labels=["event"])
        for name in events.BY_NAME.keys() - CALLS:
            seen.add_metric([name], events.counts[name])
        oldest = min((each.started for each in view.sets), default=None)
        age = GaugeMetricFamily("fsrvpd_oldest_set_age_seconds", "Age of the oldest set, or 0.")
        age.add_metric([], time.time() - oldest if oldest else 0)
        pipe = GaugeMetricFamily("fsrvpd_pipe_ours", "1 while the pipe's socket belongs to fsrvpd.")
        pipe.add_metric([], self._server.owns_pipe())
        retaken = CounterMetricFamily("fsrvpd_pipe_retaken", "Times the socket was taken back.")
        retaken.add_metric([], self._server.retaken)
        return [info, sets, age, calls, seen, pipe, retaken, *self._backups(), *self._kept_copies()]

    def _kept_copies(self) -> list[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        copies = GaugeMetricFamily(
            "fsrvpd_kept_copies", "Kept copies when they were last looked at.", labels=["share"]
        )
        held = GaugeMetricFamily(
            "fsrvpd_kept_bytes",
            "What deleting each kept copy alone would free, added up, where storage counts that.",
            labels=["share"],
        )
        for share, (number, size) in sorted(self._kept().items())[:MAX_SHARES]:
            copies.add_metric([_label(share)], number)
            if size is not None:
                held.add_metric([_label(share)], size)
        return [copies, held]

    def _backups(self) -> list[Metric]:
        """Of shares that exist. Where there are too many, those that are the oldest."""
        from prometheus_client.core import GaugeMetricFamily

        names, backups = self._share_names(), self._history.backups
        found = [each for name, each in backups.items() if names is None or name in names]
        found.sort(key=lambda each: each.committed)
        times = GaugeMetricFamily(
            "fsrvpd_last_backup_timestamp_seconds",
            "The moment that the last completed backup of a share shows.",
            labels=["share"],
        )
        for backup in found[:MAX_SHARES]:
            times.add_metric([_label(backup.share)], backup.committed)
        left_out = GaugeMetricFamily(
            "fsrvpd_last_backups_left_out", "Shares whose last backup is newer than all of these."
        )
        left_out.add_metric([], max(0, len(found) - MAX_SHARES))
        return [times, left_out]

    def _copies_by_volume(self) -> Counter[str]:
        copies = (copy for each in self._driver.view.sets for copy in each.shadow_copy_list)
        return Counter(copy.location.volume_root for copy in copies if copy.snapshot is not None)

    def _volumes(self, copies: Counter[str]) -> list[Metric]:
        """The volumes that hold snapshots: what snapshots share cannot be told apart. A volume
        that does not answer has no size."""
        from prometheus_client.core import GaugeMetricFamily

        free = GaugeMetricFamily("fsrvpd_volume_free_bytes", "Free space.", labels=["volume"])
        size = GaugeMetricFamily("fsrvpd_volume_size_bytes", "Total space.", labels=["volume"])
        held = GaugeMetricFamily("fsrvpd_snapshots", "Number of snapshots.", labels=["volume"])
        for root, number in copies.items():
            held.add_metric([_label(root)], number)
        space = self._space.of(copies) if self._space is not None else {}
        for root, found in space.items():
            free.add_metric([_label(root)], found.f_bavail * found.f_frsize)
            size.add_metric([_label(root)], found.f_blocks * found.f_frsize)
        return [held, free, size]

    def _listen(self, port: int) -> Optional[MetricsServer]:
        if not port:
            return None
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        try:
            return MetricsServer(
                (LOOPBACK, port), CONTENT_TYPE_LATEST, lambda: generate_latest(self._registry)
            )
        except (OSError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"smb.conf: fsrvpd:metrics port = {port}: cannot be used: {why}"
            ) from error


def _label(path: str) -> str:
    """A path may hold bytes that are not UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()


def _stop(server: Optional[MetricsServer]) -> None:
    if server is not None:
        server.stop()
