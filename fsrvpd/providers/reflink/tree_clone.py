"""Clones a directory tree: every file shares its blocks with the original (FICLONE).

The original is in use meanwhile and its users are not trusted. Every name is looked up once,
in a directory that is open, no symbolic link is followed, and everything else is done by the
descriptor: what is cloned goes where it was when it was opened. What vanishes is left out, as
if it had been removed earlier. Each file is consistent in itself; the tree is not.

A directory's permissions are read when everything in it has been cloned, so that what was
written after they were tightened is not open in the copy. A directory that was moved away
while it was cloned remains closed: what protected it at its new place is not in its copy.

Directories are cloned side by side, each depth first; the plain files in them by the C core,
many at a call; anything else is handled one by one.

A run may record what it clones; a later one then clones again only what changed since.
"""

from __future__ import annotations

import os
import stat
import threading
from contextlib import ExitStack, suppress
from typing import AbstractSet, Callable, List, Optional

from fsrvpd.core.clones import Identity, Listing, Status, describe, identity_of, read_status
from fsrvpd.core.descriptors import DIRECTORY_FLAGS, closing_fd
from fsrvpd.errors import StorageError
from fsrvpd.providers.os_errors import as_storage_error, storage_error
from fsrvpd.providers.reflink import earlier_clone
from fsrvpd.providers.reflink.clone_record import CloneRecord, DirectoryRecord
from fsrvpd.providers.reflink.directory import CHANGED, ORIGINAL_FLAGS, Directory, Place
from fsrvpd.providers.reflink.file_clone import (
    FileClone,
    Links,
    OpenFile,
    copy_attributes,
    open_file,
)
from fsrvpd.providers.reflink.file_filter import FileFilter
from fsrvpd.providers.reflink.leases import LeaseBreaks
from fsrvpd.providers.reflink.remarks import Remarks
from fsrvpd.providers.reflink.time_budget import TimeBudget
from fsrvpd.providers.reflink.worker_pool import WorkerPool

OPEN_MAX = 16  # directories that each thread keeps open on its way down, with their copies
LEASED = (
    "a process that has this file open does not release its lease; /proc/locks (LEASE) shows its"
    " id: close the file there, or raise fsrvp:clone time limit"
)
PassesOver = Callable[[str], bool]  # of a path below the share
MOVED = "was moved away while it was cloned; only root can enter its copy"


def nothing(path: str) -> bool:
    """A `PassesOver`."""
    return False


class TreeClone:
    """For one run. `source` and `target` are open directories; `left_out` is the identity of a
    directory that is not to be cloned, `passed_over` tells of other file systems whether they are
    left out. `target` is empty, or holds what an `earlier` run has recorded; `record` is to be
    filled by this one."""

    def __init__(
        self,
        source: int,
        target: int,
        links: Links,
        left_out: Identity,
        file_filter: FileFilter,
        time_budget: TimeBudget,
        passed_over: PassesOver = nothing,
        record: Optional[CloneRecord] = None,
        earlier: Optional[CloneRecord] = None,
    ) -> None:
        self._passed_over = passed_over
        self._left_out = left_out
        self._record = record
        self._file_filter = file_filter
        self._time_budget = time_budget
        self._remarks = Remarks()
        self._files = FileClone(links, time_budget, self._remarks)
        path = os.readlink(f"/proc/self/fd/{source}")  # for messages
        self._top = Directory(source, target, read_status(source), path, None)
        self._top.record = record.top if record else None
        self._top.earlier = earlier.top if earlier else None
        self._pool = WorkerPool(self._clone_subtree)
        self._lock = threading.Lock()
        self._leased: List[Place] = []

    def run(self) -> None:
        """Raises: StorageError, with what is done so far left in `target`."""
        try:
            self._pool.run(self._top)
            self._wait_for_leases()
        finally:
            for directory in self._pool.left():
                directory.close()
            self._remarks.report()

    def _clone_subtree(self, top: Directory) -> None:
        """Depth first, without recursion: a path may be longer than Python's stack."""
        way, listing = [top], Listing()
        try:
            self._fill(top, listing)
            while way and not self._pool.failed:
                self._step(way, listing)
        except OSError as error:
            raise storage_error("clone", str(way[-1]), error) from error
        finally:
            for directory in way:
                directory.close()

    def _step(self, way: List[Directory], listing: Listing) -> None:
        """Enter one more directory, or leave the one that is finished."""
        directory = way[-1]
        if not directory.inner:
            self._leave(directory, way[-2] if len(way) > 1 else None)
            way.pop()
            return
        child = self._enter(directory, directory.inner.pop())
        if child is None or (directory.inner and self._pool.offer(child)):
            return
        way.append(child)
        if len(way) > OPEN_MAX:
            way[-OPEN_MAX - 1].close()
        self._fill(child, listing)

    def _enter(self, directory: Directory, name: str) -> Optional[Directory]:
        earlier = directory.earlier.inner.pop(name, None) if directory.earlier else None
        try:
            source = os.open(name, ORIGINAL_FLAGS, dir_fd=directory.source)
        except OSError as error:
            if error.errno not in CHANGED:
                raise
            if earlier:
                earlier_clone.discard(directory, name)
            return None
        with ExitStack() as on_failure:
            on_failure.callback(os.close, source)
            status = read_status(source)
            identity = identity_of(status)
            if identity == self._left_out:
                return None
            place = Place(directory, name)
            passed_over = self._is_foreign(status) and self._passed_over(place.below_top())
            if not passed_over:
                self._check_place(place, status)
            if earlier and (passed_over or earlier[0] != identity):
                earlier_clone.discard(directory, name)
                earlier = None
            if passed_over or (not earlier and not _made(directory, name)):
                return None
            target = os.open(name, DIRECTORY_FLAGS, dir_fd=directory.target)
            on_failure.pop_all()
        with self._lock:
            directory.unfinished += 1
        child = Directory(source, target, status, name, directory)
        child.earlier = earlier[1] if earlier else None
        if directory.record is not None:
            child.record = DirectoryRecord()
            directory.record.inner[name] = identity, child.record
        return child

    def _check_place(self, place: Place, status: Status) -> None:
        """What is mounted below a share would be missing in the copy, or be in it although it
        does not belong to the share."""
        if self._is_foreign(status):
            raise StorageError(str(place), "is on another file system than the share")

    def _is_foreign(self, status: Status) -> bool:
        return bool(status.is_mount_point or status.device != self._top.before.device)

    def _fill(self, directory: Directory, listing: Listing) -> None:
        """Clone the files of a directory, and note the directories in it."""
        kept: AbstractSet[bytes] = frozenset()
        if directory.earlier is not None:
            budget = self._time_budget
            kept, is_all = earlier_clone.unchanged(directory, directory.earlier, listing, budget)
            self._time_budget.count(len(kept), directory)
            if is_all:
                directory.inner += directory.earlier.inner
                return
            earlier_clone.discard_others(directory, directory.earlier, kept)
        while count := listing.read(directory.source):
            if self._pool.failed:
                return
            cloned = count - self._skip(listing, kept)
            others = listing.clone_plain_files(directory.source, directory.target)
            cloned -= len(others)
            self._time_budget.count(cloned, directory)
            if self._record and directory.record is not None:
                self._record.add_batch(directory.record, listing, others, cloned)
            for entry in others:
                if stat.S_ISDIR(entry.status.mode):
                    self._note(directory, entry.name)
                else:
                    self._clone_other(Place(directory, entry.name))
        if directory.earlier is not None:
            for name in directory.earlier.inner.keys() - {*directory.inner}:  # gone since
                earlier_clone.discard(directory, name)

    def _skip(self, listing: Listing, kept: AbstractSet[bytes]) -> int:
        """Leave out files that are not to be cloned, and those that are. Returns their number."""
        if self._file_filter.names is None and not kept:
            return 0
        skipped = 0
        for number, entry in enumerate(listing.entries()):
            if stat.S_ISDIR(entry.status.mode):
                continue
            if os.fsencode(entry.name) in kept or not self._file_filter.matches(entry.name):
                listing.skip(number)
                skipped += 1
        return skipped

    def _note(self, directory: Directory, name: str) -> None:
        if self._file_filter.enters(directory.level + 1):
            directory.inner.append(name)

    def _clone_other(self, place: Place) -> None:
        directory, name = place
        is_recorded = False
        try:
            with open_file(name, directory.source) as file:
                if stat.S_ISDIR(file.status.mode):
                    self._note(directory, name)
                    return
                self._check_place(place, file.status)
                made = self._files.clone(file, directory.target, name, place)
                if made and self._record and directory.record is not None:
                    self._record.add(directory.record, file.status, name)
                    is_recorded = True
        except FileNotFoundError:
            pass
        except FileExistsError:  # a directory in motion may show a name twice
            pass
        except BlockingIOError:  # the kernel has asked for a lease: see leases.py
            with self._lock:
                directory.unfinished += 1
                self._leased.append(place)
        except OSError as error:
            raise storage_error("clone", str(place), error) from error
        if directory.record is not None and not is_recorded:
            directory.record.is_complete = False

    def _leave(self, directory: Directory, outer: Optional[Directory]) -> None:
        """Nothing in the directory is left to do, but for what others work on."""
        if outer and not outer.is_open:
            outer.open_again(directory)
        with self._lock:
            directory.unfinished -= 1
            if directory.unfinished:
                directory.close()  # the last of the others opens it again
                return
        self._finish(directory)

    def _finish(self, directory: Directory) -> None:
        """Everything in an open directory is cloned; so may be everything in the outer one."""
        while True:
            try:
                self._copy_attributes(directory)
                outer = directory.parent
                if outer is None or not self._was_last(outer):
                    return
                if not outer.is_open:
                    outer.open_again(directory)
            finally:
                directory.close()
            directory = outer

    def _was_last(self, directory: Directory) -> bool:
        """Something in a directory is done. Return whether that was the last to be done."""
        with self._lock:
            directory.unfinished -= 1
            return not directory.unfinished

    def _copy_attributes(self, directory: Directory) -> None:
        if directory.was_moved():
            self._remarks.add(MOVED, directory)
            earlier_clone.reopen(directory)
            return
        earlier = directory.earlier
        if earlier is not None:
            if not directory.is_reopened and self._is_as_before(directory, earlier):
                return
            earlier_clone.reopen(directory)
            earlier_clone.drop_attributes(directory)
        copy_attributes(directory.source, directory.target, directory.before, directory)
        if self._record and directory.record is not None:
            self._record.add_attributes(directory.record, directory.before)

    def _is_as_before(self, directory: Directory, earlier: DirectoryRecord) -> bool:
        """Whether a directory is now, when all in it is done, as in the earlier run. What was
        written since may be protected by what was changed meanwhile."""
        return describe(read_status(directory.source)) == earlier.description

    def _wait_for_leases(self) -> None:
        def look() -> None:
            self._time_budget.count(0, self._leased[0], LEASED)

        if self._leased:
            LeaseBreaks(self._open_leased, self._leased).run(look)

    def _open_leased(self, place: Place) -> Callable[[bool], None]:
        """Open a file, which may take long. Returns what is then to be done with it; for False
        that is nothing, and it is closed."""
        directory, name = place
        file: Optional[OpenFile] = None
        with as_storage_error("clone", str(place)), ExitStack() as stack:
            target = stack.enter_context(closing_fd(directory.open_copy()))
            with suppress(FileNotFoundError):
                source = stack.enter_context(closing_fd(directory.open_original()))
                file = stack.enter_context(open_file(name, source, wait=True))
            opened = stack.pop_all()

        def finish(wanted: bool) -> None:
            with as_storage_error("clone", str(place)), opened:
                if wanted and file:
                    self._files.clone(file, target, name, place)
                if wanted and self._was_last(directory):
                    directory.open_from_top()
                    self._finish(directory)

        return finish


def _made(directory: Directory, name: str) -> bool:
    """Whether a directory was made in the copy: one in motion may show a name twice."""
    earlier_clone.reopen(directory)
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=directory.target)
        return True
    return False
