"""Runs the agent's jobs in worker threads, with the providers and the registry.

A job succeeds as a whole or undoes what it did, as far as storage and registry allow. Its
outcome is reported exactly once, whatever happens.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from functools import partial
from typing import Callable, NamedTuple, Optional, Sequence, TypeVar, Union

from fsrvpd.daemon.agent import whole_snapshots
from fsrvpd.daemon.agent.progress import ProgressReporter
from fsrvpd.daemon.log.events import report
from fsrvpd.daemon.storage_limit import StorageLimit
from fsrvpd.daemon.worker_threads import WorkerThreads
from fsrvpd.errors import FsrvpdError, PeerError, StorageError, TookTooLong
from fsrvpd.exports.mounts import Exports
from fsrvpd.protocol.actions import (
    Commit,
    Conclude,
    Expose,
    Failed,
    Job,
    Outcome,
    Prepare,
    RecreateShares,
    Remove,
    Seal,
    Succeeded,
)
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.hresult import HResult, hresult_of
from fsrvpd.protocol.ports import (
    GroupSnapshots,
    ReplacesWhenSealed,
    ShareRegistry,
    Snapshot,
    SnapshotRequest,
)
from fsrvpd.providers.selection import Selection

log = logging.getLogger("fsrvpd.jobs")
R = TypeVar("R")
T = TypeVar("T")
THREADS = 256
THREADS_AT_START = 4  # what the daemon can do when the system allows it no more threads
MOST_OF_STORAGE = 16  # threads that jobs may hold which need the same: volumes, Samba's shares
REGISTRY = "Samba's registry"


class _Taken(NamedTuple):
    request: SnapshotRequest
    snapshot: Snapshot
    taken_at: float  # s, of time.monotonic


class JobRunner:
    """Runs jobs in parallel, each in a thread. `min_free_space`: in MB (10^6 bytes) of a
    volume, 0 for no limit; see `require_free_space`."""

    def __init__(
        self,
        selection: Selection,
        registry: ShareRegistry,
        exports: Exports,
        min_free_space: int = 0,
    ) -> None:
        self.progress_reporter = ProgressReporter(selection.provider)
        self._min_free_space = min_free_space
        self._provider = selection.provider
        self._registry = registry
        self._exports = exports
        self._threads = WorkerThreads("job", THREADS, THREADS_AT_START)
        self._limit = StorageLimit(self._threads, MOST_OF_STORAGE)
        self._methods: dict[type, Callable[..., Succeeded]] = {
            Prepare: self._prepare,
            Commit: self._commit,
            Expose: self._expose,
            RecreateShares: self._expose,
            Seal: self._seal,
            Remove: self._remove,
            Conclude: self._conclude,
        }

    def configure(self, min_free_space: int) -> None:
        self._min_free_space = min_free_space

    def submit(self, job: Job, done: Callable[[Outcome], None]) -> None:
        """Start a job, or let it wait while its storage holds too many threads; `done` is called
        once, in the thread that runs it."""
        self._threads.submit(lambda: self._limit.run(_storages(job), lambda: done(self.run(job))))

    def run(self, job: Job) -> Outcome:
        """Run a job in this thread."""
        try:
            return self._methods[type(job)](job)
        except FsrvpdError as error:
            return Failed(hresult_of(error), str(error))
        except Exception as error:
            log.exception("%s failed unexpectedly; please report this", type(job).__name__)
            return Failed(HResult.FSRVP_E_WAIT_FAILED, f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Take no more jobs. Running ones are not waited for."""
        self._threads.close()

    def _prepare(self, job: Prepare) -> Succeeded:
        with self.progress_reporter.reporting(job.requests):
            results = self._in_parallel(self._prepare_one, job.requests)
        for failure in _failures(results):
            _report_slowness(failure, job)
            raise failure
        return Succeeded()

    def _prepare_one(self, request: SnapshotRequest) -> None:
        self.require_free_space(request.location.volume_root)
        self._provider(request.location.provider).prepare(request)

    def _commit(self, job: Commit) -> Succeeded:
        began = time.monotonic()
        with self.progress_reporter.reporting(job.requests):
            results = self._in_parallel(self._take, self._groups(job.requests))
        taken = [one for each in results if not isinstance(each, FsrvpdError) for one in each]
        for failure in _failures(results):
            for one in taken:
                self._attempt_delete(one.snapshot)
            _report_slowness(failure, job)
            raise failure
        times = [one.taken_at for one in taken]
        snapshot_skew = max(times) - min(times)
        log.info(
            "commit set=%s snapshots=%d ms=%.1f snapshot_skew_ms=%.1f",
            job.requests[0].shadow_copy_set_id,
            len(taken),
            (time.monotonic() - began) * 1000,
            snapshot_skew * 1000,
        )
        snapshots = {one.request.shadow_copy_id: one.snapshot for one in taken}
        ordered = tuple(snapshots[request.shadow_copy_id] for request in job.requests)
        is_found = all(map(self._records_itself, job.requests))
        return Succeeded(ordered, snapshot_skew, is_found)

    def _conclude(self, job: Conclude) -> Succeeded:
        found = [self._find_complete(request, job.same_boot) for request in job.requests]
        snapshots = tuple(snapshot for snapshot in found if snapshot is not None)
        shares = frozenset(name for name in job.names if self._registry.share(name) is not None)
        return Succeeded(snapshots, shares=shares)

    def _find_complete(self, request: SnapshotRequest, same_boot: bool) -> Optional[Snapshot]:
        """The only snapshot of a copy, if it is complete. Raises: StorageError if its volume is
        not there, so that nobody knows."""
        if not self._records_itself(request):
            return None
        provider, location = self._provider(request.location.provider), request.location
        name, _ = provider.locate(location.volume_root)
        if name != location.volume_name:
            why = f"expected volume {location.volume_name} here, found {name}; mount it"
            raise StorageError(location.volume_root, why)
        found = self._find_unrecorded([request])
        if same_boot and not whole_snapshots.is_whole(provider, request):
            return None
        return found[0] if len(found) == 1 and provider.exists(found[0]) else None

    def _records_itself(self, request: SnapshotRequest) -> bool:
        return self._provider(request.location.provider).records_itself

    def _groups(self, requests: Sequence[SnapshotRequest]) -> list[list[SnapshotRequest]]:
        """The requests that one provider takes at the same moment; any other request alone."""
        if len(requests) == 1:
            return [list(requests)]
        groups: dict[str, list[SnapshotRequest]] = {}
        for request in requests:
            name = request.location.provider
            together = isinstance(self._provider(name), GroupSnapshots)
            groups.setdefault(name if together else request.shadow_copy_id, []).append(request)
        return list(groups.values())

    def _take(self, requests: list[SnapshotRequest]) -> list[_Taken]:
        """Take the snapshots of one group."""
        for request in requests:
            self.require_free_space(request.location.volume_root)
        provider = self._provider(requests[0].location.provider)
        taken = whole_snapshots.take(provider, requests)
        taken_at = time.monotonic()
        return [_Taken(*each, taken_at) for each in zip(requests, taken)]

    def require_free_space(self, root: str) -> None:
        """Raises: StorageError with ENOSPC, which becomes VSS_E_INSUFFICIENT_STORAGE."""
        limit = self._min_free_space
        if not limit:
            return
        try:
            volume = os.statvfs(root)
        except OSError as error:
            number = error.errno or 0
            raise StorageError(root, os.strerror(number), error_number=number) from error
        free = volume.f_bavail * volume.f_frsize // 1_000_000
        if free < limit:
            why = f"{free} MB are free, and fsrvpd:min free space = {limit}"
            raise StorageError(root, why, error_number=errno.ENOSPC)

    def _expose(self, job: Union[Expose, RecreateShares]) -> Succeeded:
        # The shares last: one that exists leads somewhere.
        try:
            for export in job.exports:
                self._exports.make(export)
            if job.shares:
                self._registry.expose(job.shares)
        except FsrvpdError:
            if isinstance(job, Expose):
                self._undo(job.exports)
            raise
        return Succeeded()

    def _undo(self, exports: Sequence[Export]) -> None:
        for export in exports:
            try:
                self._exports.remove(export)
            except FsrvpdError as error:
                log.error("%s is left mounted: %s", export.mount_point, error)

    def _seal(self, job: Seal) -> Succeeded:
        # The share first: that disconnects the writers.
        self._registry.seal(job.names)
        self._exports.end_writing(job.exports)
        for snapshot in job.snapshots:
            self._provider(snapshot.provider).seal(snapshot)
        for export in job.exports:
            self._exports.make(export, again=True)
        for snapshot in job.snapshots:
            self._discard_unsealed(snapshot)
        # Who has connected again meanwhile has what was mounted before.
        self._registry.disconnect(job.names)
        return Succeeded()

    def _discard_unsealed(self, snapshot: Snapshot) -> None:
        """The copy is sealed without that: a user who fills what it was disturbs nobody."""
        provider = self._provider(snapshot.provider)
        if isinstance(provider, ReplacesWhenSealed):
            try:
                provider.discard_unsealed(snapshot)
            except StorageError as error:
                log.warning("what was writable is deleted only with its copy: %s", error)

    def _remove(self, job: Remove) -> Succeeded:
        # Shares first: none may lead to a snapshot that is being deleted.
        if job.names:
            self._registry.unexpose(job.names)
        for export in job.exports:
            self._exports.remove(export)
        snapshots = job.snapshots + self._find_unrecorded(job.unknown)
        for failure in _failures([self._attempt_delete(each) for each in snapshots]):
            raise failure
        return Succeeded()

    def _attempt_delete(self, snapshot: Snapshot) -> Optional[FsrvpdError]:
        try:
            self.delete(snapshot)
        except FsrvpdError as error:
            return error
        return None

    def delete(self, snapshot: Snapshot) -> None:
        """Delete a snapshot and its exports, which would keep storage busy. Raises: FsrvpdError."""
        self._exports.remove_snapshot(snapshot)
        self._provider(snapshot.provider).delete(snapshot)

    def _find_unrecorded(self, requests: list[SnapshotRequest]) -> list[Snapshot]:
        """Snapshots of an interrupted commit whose locations were not recorded."""
        unrecorded: list[Snapshot] = []
        for request in requests:
            found = self._provider(request.location.provider).find([request.location.volume_root])
            wanted = request.shadow_copy_id
            unrecorded += [each.snapshot for each in found if each.shadow_copy_id == wanted]
        return unrecorded

    def _in_parallel(
        self, function: Callable[[R], T], requests: Sequence[R]
    ) -> list[Union[T, FsrvpdError]]:
        """Call `function` for all requests at once. Results or errors, in order."""
        return self._threads.map(partial(_attempt, function), requests)


def _attempt(function: Callable[[R], T], request: R) -> Union[T, FsrvpdError]:
    """The result, or the error."""
    try:
        return function(request)
    except FsrvpdError as error:
        return error
    except Exception as error:
        log.exception("a job failed unexpectedly; please report this")
        return PeerError(HResult.FSRVP_E_WAIT_FAILED, f"{type(error).__name__}: {error}")


def _storages(job: Job) -> set[str]:
    """What a job may have to wait for: volumes by name, and Samba's registry."""
    if isinstance(job, Conclude):
        return {request.location.volume_name for request in job.requests} | {REGISTRY}
    if isinstance(job, (Prepare, Commit)):
        return {request.location.volume_name for request in job.requests}
    if isinstance(job, (Expose, RecreateShares)):
        return {export.snapshot.volume_name for export in job.exports} | {REGISTRY}
    snapshots = {snapshot.volume_name for snapshot in job.snapshots}
    if isinstance(job, Remove):
        snapshots |= {request.location.volume_name for request in job.unknown}
    return snapshots | ({REGISTRY} if job.names else set())


def _report_slowness(failure: FsrvpdError, job: Union[Prepare, Commit]) -> None:
    if isinstance(failure, TookTooLong):
        key = job.requests[0].shadow_copy_set_id
        report(log, "snapshot-too-slow", str(failure), set=key)


def _failures(results: Sequence[object]) -> list[FsrvpdError]:
    return [each for each in results if isinstance(each, FsrvpdError)]
