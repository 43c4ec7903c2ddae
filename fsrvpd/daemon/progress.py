"""Snapshots that do not come at once: how far they are, told while they are taken."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import Callable, Iterator, Optional, Sequence

from fsrvpd.daemon.events import report
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.ports import Progress, Provider, SnapshotRequest, TakesTime

log = logging.getLogger("fsrvpd.jobs")

INTERVAL = 5.0  # s between two reports


class Watch:
    """`provider` finds one by its name; it may raise FsrvpdError."""

    def __init__(self, provider: Callable[[str], Provider], interval: float = INTERVAL) -> None:
        self._provider = provider
        self._interval = interval

    def progress(self, provider: str, shadow_copy_id: str) -> Optional[Progress]:
        """Of a snapshot that is being taken, None when that is not so."""
        taking = self._taking_time(provider)
        return taking.progress(shadow_copy_id) if taking else None

    @contextmanager
    def reporting(self, requests: Sequence[SnapshotRequest]) -> Iterator[None]:
        """An event now and then for each of them that is under way."""
        slow = [each for each in requests if self._taking_time(each.place.provider)]
        if not slow:
            yield
            return
        done = threading.Event()
        reporter = threading.Thread(target=self._report, args=(slow, done), name="progress")
        reporter.start()
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
        now = self.progress(request.place.provider, request.shadow_copy_id)
        if now is not None:
            report(
                log,
                "commit-progress",
                set=request.shadow_copy_set_id,
                share=request.place.share.name,
                files=now.files,
                seconds=round(now.seconds),
            )

    def _taking_time(self, name: str) -> Optional[TakesTime]:
        try:
            provider = self._provider(name)
        except FsrvpdError:
            return None
        return provider if isinstance(provider, TakesTime) else None
