"""What retention asks of storage, and the deletion of one copy. In threads; storage that hangs
is waited for some time, and holds up its own copies alone."""

from __future__ import annotations

import os
from collections import defaultdict
from concurrent.futures import Future
from functools import partial
from typing import Any, Callable, Mapping, Optional, Sequence, Union

from fsrvpd.daemon.bounded_calls import BoundedCalls, Call
from fsrvpd.daemon.retention.kept_copies import KeptCopy
from fsrvpd.errors import FsrvpdError, StorageError
from fsrvpd.exports.mounts import Exports
from fsrvpd.protocol.ports import FreesVolume, KnowsSizes, Snapshot
from fsrvpd.providers.selection import Selection

SILENCE = 10.0  # s for storage to answer a question
DELETION_SILENCE = 300.0  # s, to delete one copy; a reflink clone may hold a million files
IN_USE = "a client, or a process of the server, has a file in it open"
NO_ANSWER = "its storage does not answer"
STILL = "it is still being deleted"


class KeptStorage:
    """Methods block, and are for one thread."""

    def __init__(self, selection: Selection, exports: Exports) -> None:
        self._provider = selection.provider
        self._exports = exports
        self._calls = BoundedCalls("retention")
        self._silent: set[str] = set()  # names of volumes, in this run

    def close(self) -> None:
        self._calls.close()

    def exists(self, copy: KeptCopy) -> Optional[bool]:
        """None when its storage does not say."""
        snapshot = copy.found.snapshot
        found = self._ask(copy, lambda: self._provider(snapshot.provider).exists(snapshot))
        return found if isinstance(found, bool) else None

    def with_sizes(self, copies: Sequence[KeptCopy]) -> list[KeptCopy]:
        """The copies with the bytes that their deletion frees, where somebody counts them. This
        begins a run: storage that was silent is asked again."""
        self._silent.clear()
        volumes: dict[tuple[str, str], list[KeptCopy]] = defaultdict(list)
        for copy in copies:
            volumes[copy.found.snapshot.provider, copy.found.snapshot.volume_name].append(copy)
        sizes: dict[Snapshot, int] = {}
        for of_volume in volumes.values():
            sizes.update(self._sizes(of_volume))
        return [copy._replace(size=sizes.get(copy.found.snapshot)) for copy in copies]

    def _sizes(self, copies: Sequence[KeptCopy]) -> Mapping[Snapshot, int]:
        def sizes() -> Mapping[Snapshot, int]:
            provider = self._provider(copies[0].found.snapshot.provider)
            snapshots = [copy.found.snapshot for copy in copies if copy.found.readable]
            return provider.sizes(snapshots) if isinstance(provider, KnowsSizes) else {}

        found = self._ask(copies[0], sizes)
        return found if isinstance(found, dict) else {}

    def frees_volume(self, copy: KeptCopy) -> bool:
        """Whether the volume of a copy's share has more free space when the copy is gone."""
        try:
            provider = self._provider(copy.found.snapshot.provider)
        except StorageError:
            return False
        return isinstance(provider, FreesVolume) and provider.frees_volume

    def free_space(self, copy: KeptCopy) -> Optional[int]:
        """In bytes, of the volume of a copy's share; None when that is not known."""
        directory = copy.export.directory if copy.export is not None else ""
        found = self._ask(copy, lambda: _free_space(directory))
        return found if isinstance(found, int) else None

    def delete(self, copy: KeptCopy, late: Callable[[str], None]) -> str:
        """Why the copy is still there, "" when it is gone. After STILL the deletion goes on, and
        `late` is called with the same when it ends, in another thread."""
        ended: Future[str] = Future()

        def work() -> str:
            ended.set_running_or_notify_cancel()
            ended.set_result(str(_attempt(lambda: self._delete(copy))))
            return ended.result()

        answer = self._ask(copy, work, DELETION_SILENCE)
        if answer is not None:
            return str(answer)
        if not (ended.running() or ended.done()):
            ended.cancel()
            return NO_ANSWER
        ended.add_done_callback(lambda future: late(future.result()))
        return STILL

    def _delete(self, copy: KeptCopy) -> str:
        """Nobody reaches it any more when it is deleted."""
        snapshot = copy.found.snapshot
        if not self._exports.remove_unused(snapshot):
            self._restore(copy)
            return IN_USE
        try:
            self._provider(snapshot.provider).delete(snapshot)
        except FsrvpdError:
            self._restore(copy)
            raise
        return ""

    def _restore(self, copy: KeptCopy) -> None:
        if copy.export is not None:
            self._exports.make(copy.export)

    def _ask(
        self, copy: KeptCopy, function: Callable[[], Any], silence: Optional[float] = None
    ) -> Union[Any, FsrvpdError, None]:
        """What the storage of a copy answers, be it an error; None when it does not. Then it is
        not asked again in this run: each question would wait as long."""
        volume = copy.found.snapshot.volume_name
        if volume in self._silent:
            return None
        call = Call(volume, partial(_attempt, function))
        answers = self._calls.results({copy.copy_id: call}, silence or SILENCE)
        if copy.copy_id not in answers:
            self._silent.add(volume)
        return answers.get(copy.copy_id)


def _attempt(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except FsrvpdError as error:
        return error


def _free_space(directory: str) -> int:
    """Raises: StorageError."""
    try:
        volume = os.statvfs(directory)
    except OSError as error:
        raise StorageError(directory, os.strerror(error.errno or 0)) from error
    return volume.f_bavail * volume.f_frsize
