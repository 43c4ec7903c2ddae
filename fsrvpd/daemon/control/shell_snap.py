"""Serves `fsrvp-snap`: snapshots for Samba's own agent, which calls it through vfs_shell_snap.

Samba's agent keeps the sets; fsrvpd creates, finds and deletes single snapshots. They belong
to no set of fsrvpd, so their marker names no set, and they are kept. The client is a user with
whom a backup program has logged in. It can name only shares that use the module and delete
only snapshots that were created here, and the limits on sets and on free space apply.

A path arrives as the words into which a shell has split it (see shell_words), or whole from an
admin who quoted it. It is matched against the paths of all such shares; when two match, the
request is refused.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from functools import partial
from typing import Callable, Iterable, Iterator, List, Protocol, Sequence, TypeVar

from fsrvpd.core.messages import format_guid, new_guid
from fsrvpd.daemon.agent import whole_snapshots
from fsrvpd.daemon.agent.jobs import JobRunner
from fsrvpd.daemon.control.shell_words import words_of
from fsrvpd.daemon.control.socket_server import ControlRequest, Handler
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.log.events import report
from fsrvpd.daemon.reconciliation.inventory import Locator, Registry
from fsrvpd.daemon.storage_limit import StorageLimit
from fsrvpd.daemon.worker_threads import WorkerThreads
from fsrvpd.errors import FsrvpdError
from fsrvpd.exports.mounts import Exports
from fsrvpd.protocol.exports import Export, below
from fsrvpd.protocol.model import NO_SET
from fsrvpd.protocol.ports import FoundSnapshot, Share, ShareLocation, Snapshot, SnapshotRequest
from fsrvpd.protocol.settings import AgentSettings
from fsrvpd.providers.selection import Selection

log = logging.getLogger("fsrvpd.shell_snap")

MODULE = "shell_snap"
THREADS = 64
MOST_OF_STORAGE = 4  # threads that the shares of one file system may hold
MAX_OF_USER = 16  # requests; those that cannot run yet wait
FRESH = 3600.0  # s; Samba's agent abandons an unfinished set after 1800
T = TypeVar("T")


class Volumes(Locator, Protocol):
    """Where shares lie, and the name of what may hang, which asks no storage."""

    def storage_of(self, share: Share) -> str: ...


class ShellSnapService:
    """Creates and deletes snapshots. Methods may be called from any thread, block, and raise
    FsrvpdError."""

    def __init__(
        self,
        registry: Registry,
        locator: Volumes,
        selection: Selection,
        runner: JobRunner,
        exports: Exports,
        settings: Callable[[], AgentSettings],
        wall_clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._locator = locator
        self._selection = selection
        self._require_free_space = runner.require_free_space
        self._delete_snapshot = runner.delete
        self._exports = exports
        self._settings = settings
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._running = 0
        self._created_at: dict[str, float] = {}  # on time.monotonic, by the id of the copy

    def storages(self, words: Sequence[str]) -> set[str]:
        """What a request may have to wait for. Asks no storage."""
        return {self._locator.storage_of(share) for share in self._shares_named(words)}

    def check(self, words: Sequence[str]) -> str:
        """The path of a share of which snapshots can be created."""
        return self._location(words).share.path

    def create(self, words: Sequence[str]) -> str:
        """Create a snapshot. Returns where users reach the share's directory in it."""
        location = self._location(words)
        copy_id = format_guid(new_guid())
        server, moment = self._settings().owner_machine_name, self._wall_clock()
        request = SnapshotRequest(NO_SET, copy_id, location, False, moment, server, keep=True)
        with self._limited(location):
            self._created_at[copy_id] = time.monotonic()
            provider = self._selection.provider(location.provider)
            provider.prepare(request)
            [planned] = whole_snapshots.take(provider, [request])
            export = _export_of(location, planned)
            try:
                self._exports.make(export)
            except FsrvpdError:
                self._delete_snapshot(planned)
                raise
        return export.mount_point

    def fresh(self) -> frozenset[str]:
        """Ids of copies that Samba's agent, within its timers, may not have shared yet."""
        since = time.monotonic() - FRESH
        for copy_id, moment in list(self._created_at.items()):
            if moment < since:
                self._created_at.pop(copy_id, None)
        return frozenset(self._created_at)

    def delete(self, words: Sequence[str]) -> str:
        """Delete a snapshot, given its share's path and its own. Returns the latter."""
        snapshots = {
            (found.snapshot, _export_of(location, found.snapshot).mount_point)
            for location in map(self._locator.locate, self._shares_named(words))
            for found in self._find(location)
            if _matches(
                words, location.share.path, _export_of(location, found.snapshot).mount_point
            )
        }
        snapshot, path = _exactly_one(
            snapshots, words, "a share's path and a snapshot of it that was created here"
        )
        self._delete_snapshot(snapshot)
        return path

    @contextmanager
    def _limited(self, location: ShareLocation) -> Iterator[None]:
        """Hold a place among the snapshots of a volume. No other volume is asked: it may hang."""
        with self._lock:
            self._running += 1
            running = self._running
        try:
            existing = len({found.snapshot for found in self._find(location)})
            if existing + running > self._settings().max_sets:
                raise FsrvpdError(
                    f"{location.share.path}: its volume has {existing} snapshots for Samba's own"
                    " agent, and fsrvpd:max sets allows no more; `fsrvpctl fsrvpd list-snapshots`"
                    " lists them, `fsrvpctl fsrvpd prune` removes those that nobody uses"
                )
            self._require_free_space(location.volume_root)
            yield
        finally:
            with self._lock:
                self._running -= 1

    def _location(self, words: Sequence[str]) -> ShareLocation:
        shares = {share.path: share for share in self._shares()}
        paths = [path for path in shares if _matches(words, path)]
        path = _exactly_one(paths, words, f"the path of a share with vfs objects = {MODULE}")
        return self._locator.locate(shares[path])

    def _find(self, location: ShareLocation) -> List[FoundSnapshot]:
        found = self._selection.provider(location.provider).find([location.volume_root])
        return [each for each in found if each.shadow_copy_set_id == NO_SET]

    def _shares_named(self, words: Sequence[str]) -> List[Share]:
        """Those whose path the words are, or begin with."""
        return [share for share in self._shares() if _begin_with(words, share.path)]

    def _shares(self) -> Iterator[Share]:
        """The shares that use the module."""
        return (share for share in self._registry.shares() if MODULE in share.vfs_objects)


class ShellSnapHandlers:
    """Handlers for the messages of `fsrvp-snap`, called in the loop's thread; they do their work
    in other threads."""

    def __init__(self, loop: EventLoop, service: ShellSnapService) -> None:
        self._loop = loop
        self._service = service
        self._threads = WorkerThreads("fsrvp-snap", THREADS)
        self._limit = StorageLimit(self._threads, MOST_OF_STORAGE)
        self._unfinished: Counter[int] = Counter()  # requests, by uid, disconnected or not

    def by_name(self) -> dict[str, Handler]:
        methods = (self._service.check, self._service.create, self._service.delete)
        return {method.__name__: self._handler(method) for method in methods}

    def close(self) -> None:
        self._threads.close()

    def _handler(self, method: Callable[[Sequence[str]], str]) -> Handler:
        def handle(parameters: Sequence[str], request: ControlRequest) -> None:
            if self._unfinished[request.uid] >= MAX_OF_USER:
                raise FsrvpdError(f"user {request.uid} has {MAX_OF_USER} requests that still run")
            run = partial(self._run, method, parameters, request)
            self._threads.submit(lambda: self._begin(parameters, run))
            self._unfinished[request.uid] += 1

        return handle

    def _begin(self, words: Sequence[str], run: Callable[[], None]) -> None:
        """Run a request when its storage leaves it a thread."""
        storages: set[str] = set()
        with suppress(Exception):  # the request fails likewise, and its client learns why
            storages = self._service.storages(words)
        self._limit.run(storages, run)

    def _run(
        self,
        method: Callable[[Sequence[str]], str],
        words: Sequence[str],
        request: ControlRequest,
    ) -> None:
        path, failure = "", ""
        try:
            if not request.open:  # nobody would learn the path
                raise FsrvpdError(f"{' '.join(words)}: the client disconnected")
            path = method(words)
            report(log, "shell-snap", path, message=method.__name__, uid=request.uid)
        except FsrvpdError as error:
            failure = str(error)
            report(log, "shell-snap-refused", failure, message=method.__name__, uid=request.uid)
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
            log.exception("fsrvp-snap failed unexpectedly; please report this")
        self._loop.call_soon_threadsafe(lambda: self._reply(request, path, failure))

    def _reply(self, request: ControlRequest, path: str, failure: str) -> None:
        self._unfinished[request.uid] -= 1
        if failure:
            request.fail(failure)
        else:
            request.finish({"path": path})


def _export_of(location: ShareLocation, snapshot: Snapshot) -> Export:
    path = below(location.directory, location.volume_root)
    return Export(
        location.share.name,
        location.directory,
        path,
        snapshot,
        identity=location.identity,
        handle=location.handle,
    )


def _matches(words: Sequence[str], *paths: str) -> bool:
    """Whether these paths become these words: through Samba and a shell, or whole."""
    return list(words) in (list(paths), words_of(" ".join(paths)))


def _begin_with(words: Sequence[str], path: str) -> bool:
    """Whether the words may begin with a path: through Samba and a shell, or whole."""
    split = words_of(path)
    return split is None or list(words[:1]) == [path] or list(words[: len(split)]) == split


def _exactly_one(found: Iterable[T], words: Sequence[str], what: str) -> T:
    listed = list(found)
    if len(listed) == 1:
        return listed[0]
    if listed:
        raise FsrvpdError(f"{' '.join(words)}: more than one path matches; rename one")
    raise FsrvpdError(f"{' '.join(words)}: is not {what}")
