"""The jobs of the agent, carried out in worker threads by providers and registry.

Every job is all or nothing as far as the world allows; its end, whatever it is, is
reported exactly once.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, NamedTuple, Optional, Sequence, TypeVar, Union

from fsrvpd.daemon.events import report
from fsrvpd.daemon.progress import Watch
from fsrvpd.errors import FsrvpdError, StorageError, TookTooLong
from fsrvpd.protocol.actions import (
    Commit,
    Expose,
    Failed,
    Job,
    Outcome,
    Prepare,
    Remove,
    Republish,
    Seal,
    Succeeded,
)
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.outcome import hresult_of
from fsrvpd.protocol.ports import ShareRegistry, Snapshot, SnapshotRequest, TakesTogether
from fsrvpd.providers.selection import Selection

log = logging.getLogger("fsrvpd.jobs")
R = TypeVar("R")
T = TypeVar("T")
WORKERS = 256  # made when needed; a job that hangs on its storage holds one of them


class _Taken(NamedTuple):
    request: SnapshotRequest
    snapshot: Snapshot
    moment: float  # of time.monotonic


class JobRunner:
    """Runs jobs side by side; `done` is called from the worker's thread."""

    def __init__(
        self,
        selection: Selection,
        registry: ShareRegistry,
        done: Callable[[Job, Outcome], None],
    ) -> None:
        self.min_free_space = 0  # megabytes of a volume; see `require_room`
        self._provider = selection.provider
        self.watch = Watch(selection.provider)
        self._registry = registry
        self._done = done
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="job")
        self._methods: dict[type, Callable[..., Succeeded]] = {
            Prepare: self._prepare,
            Commit: self._commit,
            Expose: self._expose,
            Republish: self._expose,
            Seal: self._seal,
            Remove: self._remove,
        }

    def submit(self, job: Job) -> None:
        self._pool.submit(lambda: self._done(job, self.run(job)))

    def run(self, job: Job) -> Outcome:
        """Carry a job out in this thread."""
        try:
            return self._methods[type(job)](job)
        except FsrvpdError as error:
            return Failed(hresult_of(error), str(error))
        except Exception as error:
            log.exception("%s failed unexpectedly; please report this", type(job).__name__)
            return Failed(HResult.FSRVP_E_WAIT_FAILED, f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Take no more jobs; those that run are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, job: Prepare) -> Succeeded:
        for failure in _failures(_side_by_side(self._prepare_one, job.requests)):
            raise failure
        return Succeeded()

    def _prepare_one(self, request: SnapshotRequest) -> None:
        self.require_room(request.place.volume_root)
        self._provider(request.place.provider).prepare(request)

    def _commit(self, job: Commit) -> Succeeded:
        began = time.monotonic()
        with self.watch.reporting(job.requests):
            results = _side_by_side(self._take, self._groups(job.requests))
        taken = [one for each in results if not isinstance(each, FsrvpdError) for one in each]
        for failure in _failures(results):
            for one in taken:
                self._attempt_delete(one.snapshot)
            if isinstance(failure, TookTooLong):
                key = job.requests[0].shadow_copy_set_id
                report(log, "commit-too-slow", str(failure), set=key)
            raise failure
        moments = [one.moment for one in taken]
        spread = max(moments) - min(moments)
        log.info(
            "commit set=%s snapshots=%d ms=%.1f spread_ms=%.1f",
            job.requests[0].shadow_copy_set_id,
            len(taken),
            (time.monotonic() - began) * 1000,
            spread * 1000,
        )
        snapshots = {one.request.shadow_copy_id: one.snapshot for one in taken}
        ordered = tuple(snapshots[request.shadow_copy_id] for request in job.requests)
        return Succeeded(ordered, spread)

    def _groups(self, requests: Sequence[SnapshotRequest]) -> list[list[SnapshotRequest]]:
        """Those that one provider takes at one moment, and each other by itself."""
        groups: dict[str, list[SnapshotRequest]] = {}
        for request in requests:
            name = request.place.provider
            together = isinstance(self._provider(name), TakesTogether)
            groups.setdefault(name if together else request.shadow_copy_id, []).append(request)
        return list(groups.values())

    def _take(self, requests: list[SnapshotRequest]) -> list[_Taken]:
        """Take the snapshots of one group; with them the moment at which that was done."""
        for request in requests:
            self.require_room(request.place.volume_root)
        provider = self._provider(requests[0].place.provider)
        planned = [provider.plan(request) for request in requests]
        if len(requests) > 1 and isinstance(provider, TakesTogether):
            provider.create_together(list(zip(requests, planned)))
        else:
            provider.create(requests[0], planned[0])
        moment = time.monotonic()
        return [_Taken(*each, moment) for each in zip(requests, planned)]

    def require_room(self, root: str) -> None:
        """Raises: StorageError with ENOSPC, which becomes VSS_E_INSUFFICIENT_STORAGE."""
        if not self.min_free_space:
            return
        try:
            volume = os.statvfs(root)
        except OSError as error:
            number = error.errno or 0
            raise StorageError(root, os.strerror(number), error_number=number) from error
        free = volume.f_bavail * volume.f_frsize // 1_000_000
        if free < self.min_free_space:
            why = f"{free} MB are free, and fsrvpd:min free space = {self.min_free_space}"
            raise StorageError(root, why, error_number=errno.ENOSPC)

    def _expose(self, job: Union[Expose, Republish]) -> Succeeded:
        self._registry.expose(job.shares)
        return Succeeded()

    def _seal(self, job: Seal) -> Succeeded:
        # First the share, which disconnects the writers, then what they wrote to.
        self._registry.seal(job.names)
        for snapshot in job.snapshots:
            self._provider(snapshot.provider).seal(snapshot)
        return Succeeded()

    def _remove(self, job: Remove) -> Succeeded:
        # A snapshot must not go while a share still leads to it.
        if job.names:
            self._registry.unexpose(job.names)
        snapshots = job.snapshots + self._lost(job.unknown)
        for failure in _failures([self._attempt_delete(each) for each in snapshots]):
            raise failure
        return Succeeded()

    def _attempt_delete(self, snapshot: Snapshot) -> Optional[FsrvpdError]:
        try:
            self._provider(snapshot.provider).delete(snapshot)
        except FsrvpdError as error:
            return error
        return None

    def _lost(self, requests: list[SnapshotRequest]) -> list[Snapshot]:
        """Snapshots that an interrupted commit may have left without our knowing where."""
        lost: list[Snapshot] = []
        for request in requests:
            found = self._provider(request.place.provider).find([request.place.volume_root])
            wanted = request.shadow_copy_id
            lost += [each.snapshot for each in found if each.shadow_copy_id == wanted]
        return lost


def _side_by_side(work: Callable[[R], T], requests: Sequence[R]) -> list[Union[T, FsrvpdError]]:
    """Work on all requests at once; results, or the failures in their places, in order."""

    def attempt(request: R) -> Union[T, FsrvpdError]:
        try:
            return work(request)
        except FsrvpdError as error:
            return error

    if len(requests) == 1:
        return [attempt(requests[0])]
    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(attempt, requests))


def _failures(results: Sequence[object]) -> list[FsrvpdError]:
    return [each for each in results if isinstance(each, FsrvpdError)]
