"""What `fsrvp-snap` asks for: snapshots under Samba's own agent, through vfs_shell_snap.

Samba's agent keeps the sets; we take, find and delete single snapshots. They are marked to
be kept, since no set of ours knows them, and belong to nobody but those call-outs.

Samba puts a path behind the command and hands both to a shell, after its own escaping
(observed: 4.17.9, lib/util_str.c). So a path arrives as words, its quotes gone. It is not
put together again: of the few paths that it can be, the one is sought that would have
become the same words. Nothing is done for a path that is not the path of a share.
"""

from __future__ import annotations

import logging
import shlex
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterable, List, Optional, Sequence, TypeVar

from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.control import Conversation, Handler
from fsrvpd.daemon.loop import Loop
from fsrvpd.daemon.survey import Places, Registry
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.ports import Found, SharePlace, SnapshotRequest
from fsrvpd.providers.selection import Selection

log = logging.getLogger("fsrvpd.snap")

WORKERS = 8
T = TypeVar("T")


class ShellSnap:
    """Its handlers are called in the loop's thread; the work is done in others."""

    def __init__(
        self,
        loop: Loop,
        registry: Registry,
        places: Places,
        selection: Selection,
        server: str,
        wall_clock: Callable[[], float],
    ) -> None:
        self._loop = loop
        self._registry = registry
        self._places = places
        self._selection = selection
        self._server = server
        self._wall_clock = wall_clock
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="snap")

    def by_name(self) -> dict[str, Handler]:
        return {
            "snap-check": self._handler(self.check),
            "snap-create": self._handler(self.create),
            "snap-delete": self._handler(self.delete),
        }

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def check(self, words: Sequence[str]) -> dict[str, Any]:
        """Whether snapshots of a share's path can be taken. Raises: FsrvpdError."""
        place = self._place(words)
        return {"path": place.share.path, "provider": place.provider}

    def create(self, words: Sequence[str]) -> dict[str, Any]:
        """Take one; the answer is the share's directory in it. Raises: FsrvpdError."""
        place = self._place(words)
        provider = self._selection.provider(place.provider)
        ids = format_guid(uuid.uuid4().bytes_le), format_guid(uuid.uuid4().bytes_le)
        request = SnapshotRequest(
            *ids, place, False, self._wall_clock(), server=self._server, keep=True
        )
        planned = provider.plan(request)
        if "\n" in planned.share_path:
            raise FsrvpdError(f"{planned.share_path!r} cannot be told to Samba: it has two lines")
        provider.prepare(request)
        provider.create(request, planned)
        log.info("snapshot %s taken for Samba's own agent", planned.share_path)
        return {"path": planned.share_path}

    def delete(self, words: Sequence[str]) -> dict[str, Any]:
        """Delete the one of which path and snapshot, in one, are these words.

        Raises: FsrvpdError.
        """
        pairs = [
            found
            for place in self._all_places()
            for found in self._taken(place)
            if _reads_like(words, place.share.path, found.snapshot.share_path)
        ]
        snapshots = {found.snapshot for found in pairs}
        snapshot = _only(snapshots, words, "a share's path and a snapshot of it taken here")
        self._selection.provider(snapshot.provider).delete(snapshot)
        log.info("snapshot %s deleted for Samba's own agent", snapshot.share_path)
        return {"path": snapshot.share_path}

    def _place(self, words: Sequence[str]) -> SharePlace:
        paths = {share.path: share for share in self._shares() if _reads_like(words, share.path)}
        path = _only(set(paths), words, "a share's path")
        return self._places.place(paths[path])

    def _all_places(self) -> Iterable[SharePlace]:
        for share in self._shares():
            try:
                yield self._places.place(share)
            except FsrvpdError as error:
                log.debug("share %s has no place: %s", share.name, error)

    def _taken(self, place: SharePlace) -> List[Found]:
        found = self._selection.provider(place.provider).find([place.volume_root])
        return [each for each in found if each.keep]

    def _shares(self) -> Iterable[Any]:
        for name in self._registry.share_names():
            share = self._registry.share(name)
            if share is not None:
                yield share

    def _handler(self, work: Callable[[Sequence[str]], Any]) -> Handler:
        def handle(parameters: Sequence[str], conversation: Conversation) -> None:
            def answer(result: Any, error: Optional[str]) -> None:
                if error is None:
                    conversation.finish(result)
                else:
                    conversation.fail(error)

            def attempt() -> None:
                result, failure = None, None
                try:
                    result = work(parameters)
                except FsrvpdError as error:
                    failure = str(error)
                    log.warning("fsrvp-snap: %s", error)
                except Exception as error:
                    failure = f"{type(error).__name__}: {error}"
                    log.exception("fsrvp-snap failed unexpectedly; please report this")
                self._loop.ring(lambda: answer(result, failure))

            self._pool.submit(attempt)

        return handle


def _reads_like(words: Sequence[str], *paths: str) -> bool:
    """Whether the words are what becomes of the paths on their way through Samba's escaping
    and the shell. With an odd quote in one the shell would not even start."""
    try:
        return list(words) == [word for path in paths for word in shlex.split(path)]
    except ValueError:
        return False


def _only(found: Iterable[T], words: Sequence[str], what: str) -> T:
    listed = list(found)
    if len(listed) == 1:
        return listed[0]
    if listed:
        raise FsrvpdError(f"{' '.join(words)}: more than one path reads like that; rename one")
    raise FsrvpdError(f"{' '.join(words)}: is not {what}")
