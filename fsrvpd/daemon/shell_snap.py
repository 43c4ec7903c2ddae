"""What `fsrvp-snap` asks for: snapshots under Samba's own agent, through vfs_shell_snap.

Samba's agent keeps the sets; we take, find and delete single snapshots. No set of ours knows
them, hence the set in their mark is none, and they are kept. Whoever asks is a user with
whom a backup program has logged in: nothing is done for a path that is not that of a share
which has the module, nothing is deleted that was not taken here, and the limits on sets and
on free space hold.

A path arrives as the words that a shell made of it (see shell_words), or whole from an
admin who quoted it. Among the paths that can be meant the one is sought that arrives like
that; when two do, neither is taken.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Callable, Iterable, Iterator, List, Sequence, TypeVar

from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.control import Conversation, Handler
from fsrvpd.daemon.events import report
from fsrvpd.daemon.jobs import JobRunner
from fsrvpd.daemon.loop import Loop
from fsrvpd.daemon.shell_words import words_of
from fsrvpd.daemon.survey import Places, Registry
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.model import NO_SET
from fsrvpd.protocol.ports import Found, Share, SharePlace, Snapshot, SnapshotRequest
from fsrvpd.protocol.settings import AgentSettings
from fsrvpd.providers.selection import Selection

log = logging.getLogger("fsrvpd.snap")

MODULE = "shell_snap"
WORKERS = 8
ABOUT_TO_BE_SHARED = 3600.0  # s; Samba's agent gives an unfinished set up after 1800
T = TypeVar("T")


class Snapper:
    """Takes and deletes; every method blocks and raises FsrvpdError."""

    def __init__(
        self,
        registry: Registry,
        places: Places,
        selection: Selection,
        runner: JobRunner,
        settings: Callable[[], AgentSettings],
        wall_clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._places = places
        self._selection = selection
        self._require_room = runner.require_room
        self._settings = settings
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._under_way = 0
        self._taken_at: dict[str, float] = {}  # on time.monotonic, by the id of the copy

    def check(self, words: Sequence[str]) -> str:
        """The share's path, of which snapshots can be taken."""
        return self._place(words).share.path

    def create(self, words: Sequence[str]) -> str:
        """Take one; the share's directory in it."""
        place = self._place(words)
        copy_id = format_guid(uuid.uuid4().bytes_le)
        server, moment = self._settings().owner_machine_name, self._wall_clock()
        request = SnapshotRequest(NO_SET, copy_id, place, False, moment, server, keep=True)
        with self._admitted(place):
            self._taken_at[copy_id] = time.monotonic()
            provider = self._selection.provider(place.provider)
            planned = provider.plan(request)
            if "\n" in planned.share_path:
                raise FsrvpdError(f"{planned.share_path!r} has two lines, Samba reads one")
            provider.prepare(request)
            provider.create(request, planned)
        return planned.share_path

    def fresh(self) -> frozenset[str]:
        """The ids of those that Samba's agent, within its timers, may be about to share."""
        since = time.monotonic() - ABOUT_TO_BE_SHARED
        for copy_id, moment in list(self._taken_at.items()):
            if moment < since:
                self._taken_at.pop(copy_id, None)
        return frozenset(self._taken_at)

    def delete(self, words: Sequence[str]) -> str:
        """Delete the one of which the share's path and its own, in this order, are these."""
        snapshots = {
            found.snapshot
            for place in self._all_places()
            for found in self._taken(place)
            if _arrive(words, place.share.path, found.snapshot.share_path)
        }
        snapshot = _only(snapshots, words, "a share's path and a snapshot of it taken here")
        self._selection.provider(snapshot.provider).delete(snapshot)
        return snapshot.share_path

    @contextmanager
    def _admitted(self, place: SharePlace) -> Iterator[None]:
        with self._lock:
            standing = sum(1 for _ in self._all_taken()) + self._under_way
            if standing >= self._settings().max_sets:
                raise FsrvpdError(
                    f"{place.share.path}: {standing} snapshots stand for Samba's own agent, and"
                    " fsrvpd:max sets allows no more; `fsrvpctl fsrvpd list-snapshots` shows"
                    " them, `fsrvpctl fsrvpd prune` removes those that nobody uses"
                )
            self._under_way += 1
        try:
            self._require_room(place.volume_root)
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def _place(self, words: Sequence[str]) -> SharePlace:
        shares = {share.path: share for share in self._shares()}
        paths = [path for path in shares if _arrive(words, path)]
        path = _only(paths, words, f"the path of a share with vfs objects = {MODULE}")
        return self._places.place(shares[path])

    def _all_places(self) -> Iterator[SharePlace]:
        for share in self._shares():
            try:
                yield self._places.place(share)
            except FsrvpdError as error:
                log.debug("share %s has no place: %s", share.name, error)

    def _all_taken(self) -> Iterable[Snapshot]:
        return {found.snapshot for place in self._all_places() for found in self._taken(place)}

    def _taken(self, place: SharePlace) -> List[Found]:
        found = self._selection.provider(place.provider).find([place.volume_root])
        return [each for each in found if each.shadow_copy_set_id == NO_SET]

    def _shares(self) -> Iterator[Share]:
        """Those for which the admin has switched this on."""
        for name in self._registry.share_names():
            share = self._registry.share(name)
            if share is not None and MODULE in share.vfs_objects:
                yield share


class ShellSnap:
    """Its handlers are called in the loop's thread; the work is done in others."""

    def __init__(self, loop: Loop, snapper: Snapper) -> None:
        self._loop = loop
        self._snapper = snapper
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="snap")

    def by_name(self) -> dict[str, Handler]:
        works = (self._snapper.check, self._snapper.create, self._snapper.delete)
        return {work.__name__: self._handler(work) for work in works}

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _handler(self, work: Callable[[Sequence[str]], str]) -> Handler:
        def handle(parameters: Sequence[str], conversation: Conversation) -> None:
            self._pool.submit(lambda: self._attempt(work, parameters, conversation))

        return handle

    def _attempt(
        self,
        work: Callable[[Sequence[str]], str],
        words: Sequence[str],
        conversation: Conversation,
    ) -> None:
        path, failure = "", ""
        try:
            path = work(words)
            report(log, "snap", path, message=work.__name__, uid=conversation.uid)
        except FsrvpdError as error:
            failure = str(error)
            report(log, "snap-refused", failure, message=work.__name__, uid=conversation.uid)
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
            log.exception("fsrvp-snap failed unexpectedly; please report this")
        self._loop.ring(lambda: _answer(conversation, path, failure))


def _arrive(words: Sequence[str], *paths: str) -> bool:
    """Whether these paths arrive as these words: through Samba and a shell, or whole."""
    return list(words) in (list(paths), words_of(" ".join(paths)))


def _answer(conversation: Conversation, path: str, failure: str) -> None:
    if failure:
        conversation.fail(failure)
    else:
        conversation.finish({"path": path})


def _only(found: Iterable[T], words: Sequence[str], what: str) -> T:
    listed = list(found)
    if len(listed) == 1:
        return listed[0]
    if listed:
        raise FsrvpdError(f"{' '.join(words)}: more than one path reads like that; rename one")
    raise FsrvpdError(f"{' '.join(words)}: is not {what}")
