"""Reports the progress of snapshots that take time, while they are taken."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import Callable, Iterator, Optional, Sequence

from fsrvpd.daemon.log.events import report
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.ports import Progress, Provider, ReportsProgress, SnapshotRequest

log = logging.getLogger("fsrvpd.jobs")

INTERVAL = 5.0  # s between two reports


class ProgressReporter:
    """`provider` returns a provider by name, or raises FsrvpdError."""

    def __init__(self, provider: Callable[[str], Provider], interval: float = INTERVAL) -> None:
        self._provider = provider
        self._interval = interval
        self._reporting: dict[str, Optional[ReportsProgress]] = {}  # providers by name

    def progress(self, provider: str, shadow_copy_id: str) -> Optional[Progress]:
        """The progress of a snapshot, None unless it is being taken."""
        found = self._with_progress(provider)
        return found.progress(shadow_copy_id) if found else None

    @contextmanager
    def reporting(self, requests: Sequence[SnapshotRequest]) -> Iterator[None]:
        """While the block runs, log an event for each snapshot at every interval."""
        slow = [each for each in requests if self._with_progress(each.location.provider)]
        if not slow:  # to make a thread takes 20 us, even if it is not started
            yield
            return
        done = threading.Event()
        reporter = threading.Thread(target=self._report, args=(slow, done), name="progress")
        if not _started(reporter):
            yield
            return
        try:
            yield
        finally:
            done.set()
            reporter.join()

    def _report(self, requests: Sequence[SnapshotRequest], done: threading.Event) -> None:
        while not done.wait(self._interval):
            for request in requests:
                self._report_one(request)

    def _report_one(self, request: SnapshotRequest) -> None:
        now = self.progress(request.location.provider, request.shadow_copy_id)
        if now is not None:
            report(
                log,
                "snapshot-progress",
                set=request.shadow_copy_set_id,
                share=request.location.share.name,
                files=now.files,
                seconds=round(now.seconds),
            )

    def _with_progress(self, name: str) -> Optional[ReportsProgress]:
        if name not in self._reporting:
            try:
                provider = self._provider(name)
            except FsrvpdError:
                return None
            # Remembered: to ask a provider what it can do takes 10 us.
            self._reporting[name] = provider if isinstance(provider, ReportsProgress) else None
        return self._reporting[name]


def _started(thread: threading.Thread) -> bool:
    """Whether the system had a thread to spare. The snapshot is taken in any case."""
    try:
        thread.start()
    except RuntimeError as error:
        log.warning("no thread to report progress: %s", error)
        return False
    return True
