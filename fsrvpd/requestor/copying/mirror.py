"""`copy`: a directory here becomes what the share is, and only what has changed is read.

What could not be read stays as it was copied before; what is no longer on the share is removed.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Callable, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Union

from fsrvpd.requestor.copying.comparison import Change, change, ids_last, same_facts
from fsrvpd.requestor.copying.facts import FactsKeeper
from fsrvpd.requestor.copying.local_directory import LocalDirectory
from fsrvpd.requestor.copying.part_files import PartFiles
from fsrvpd.requestor.copying.share import Share, unix_ns
from fsrvpd.requestor.copying.shortfalls import Shortfalls
from fsrvpd.requestor.copying.side_file import FOLDER, TOP, Known, SideFile
from fsrvpd.requestor.copying.spelling import Spellings
from fsrvpd.requestor.copying.totals import Totals
from fsrvpd.requestor.copying.traversal import (
    MANGLED,
    Directory,
    End,
    File,
    give_up_if_gone,
    joined,
    may_be_mangled,
    steps,
)
from fsrvpd.requestor.files.records import Entry, FileFailure, unsafe
from fsrvpd.requestor.files.small import LARGEST, SmallFile, Wanted

_MOST_WAITING = 512  # small files, whose reading has not begun
_MOST_OPEN = 200  # directories that wait for them
_ANOTHER_NAME = "this host keeps it by another name; nothing is removed from its directory"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
ReadSmall = Callable[[Iterable[Wanted]], Iterator[SmallFile]]


class Level(NamedTuple):
    """A directory of the mirror that is being filled."""

    id: int
    folder: LocalDirectory
    ids_last: bool  # see `change`
    spellings: Spellings


class _Small(NamedTuple):
    file: File
    known: Optional[Known]
    level: Level


class _Last(NamedTuple):
    end: End
    level: Level
    above: int  # the id of the directory that it is in


class Mirror:
    """`top` and `parts` are directories of one file system. `read_small` gives what small files
    contain, in their order."""

    def __init__(
        self,
        share: Share,
        read_small: ReadSmall,
        top: LocalDirectory,
        parts: LocalDirectory,
        side: SideFile,
        shortfalls: Shortfalls,
        totals: Totals,
    ) -> None:
        self._share, self._read_small = share, read_small
        self._top, self._side, self._shortfalls = top, side, shortfalls
        self._totals = totals
        self._parts = PartFiles(parts, side, totals)
        self._facts = FactsKeeper(share, side, shortfalls)
        self._levels: List[Level] = []
        self._waiting: List[Union[_Small, _Last]] = []
        self._is_full = False

    def run(self) -> None:
        """Raises: FileFailure if the server is gone, RequestorError for the side file. What was
        done until then is kept."""
        try:
            for step in steps(self._share, self._shortfalls):
                if isinstance(step, Directory):
                    self._begin(step)
                elif isinstance(step, File):
                    self._file(step)
                else:
                    level = self._levels.pop()
                    above = self._levels[-1].id if self._levels else TOP
                    self._waiting.append(_Last(step, level, above))
                if len(self._waiting) >= _MOST_WAITING or self._open() >= _MOST_OPEN:
                    self._work_off()
            self._work_off()
            self._parts.tidy()
        finally:
            self._close()
            self._side.commit()

    def _begin(self, step: Directory) -> None:
        if not step.path:
            self._levels.append(self._level(TOP, step, self._top.again()))
            return
        above = self._levels[-1]
        try:
            _check_name(above, step.entry.name)
            folder = above.folder.make_directory(step.entry.name)
        except OSError as error:
            step.skip()
            self._refused_here(step.path, error, self._known(above.id, step.entry))
            return
        self._levels.append(self._level(above.id, step, folder))

    def _level(self, parent: int, step: Directory, folder: LocalDirectory) -> Level:
        """A directory that is known keeps what is known of it until all that is in it is there."""
        known = self._known(parent, step.entry)
        if known is None or not known.entry.is_directory:
            id, last = self._side.put(parent, step.entry), False
        else:
            id, last = known.id, ids_last(known, step.entry)
            self._side.mark(id)
        return Level(id, folder, last, Spellings(folder))

    def _known(self, parent: int, entry: Entry) -> Optional[Known]:
        return self._side.known(parent, entry.name) if entry.name else self._side.top()

    def _file(self, file: File) -> None:
        level = self._levels[-1]
        known = self._side.known(level.id, file.entry.name)
        if may_be_mangled(file.entry.name):
            self._shortfalls.add(file.path, MANGLED)
        try:
            _check_name(level, file.entry.name)
            found = level.folder.status(file.entry.name)
        except OSError as error:
            self._refused_here(file.path, error, known)
            return
        what = change(known, file.entry, found, ids_last=level.ids_last)
        if known is not None and what in (Change.NOTHING, Change.FACTS):
            self._totals.unchanged(file.entry.size)
            if what is Change.FACTS:
                self._keep(file, level)
            self._side.mark(known.id)
        elif not self._fits(level.folder, file.entry.size):
            self._refused_here(file.path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), known)
        elif file.entry.size <= LARGEST:
            self._waiting.append(_Small(file, known, level))
        else:
            self._copy_large(file, known, level)

    def _work_off(self) -> None:
        """Read the small files that wait, and end the directories that wait for them."""
        waiting, self._waiting = self._waiting, []
        files = [each.file for each in waiting if isinstance(each, _Small)]
        wanted = [(file.path, file.entry.size) for file in files]
        found = self._read_small(wanted) if wanted else iter(())
        for number, each in enumerate(waiting):
            try:
                if isinstance(each, _Small):
                    self._store(each, next(found))
                else:
                    self._end(each)
            except BaseException:
                self._waiting = waiting[number:]  # to be closed
                raise

    def _store(self, small: _Small, found: SmallFile) -> None:
        file = small.file
        if found.failure is not None or len(found.data) != file.entry.size:
            self._copy_large(file, small.known, small.level)  # perhaps only its facts are refused
            return
        try:
            self._place(self._parts.write(file.entry, found.data), file, small.level)
        except OSError as error:
            self._refused_here(file.path, error, small.known)
            return
        self._keep(file, small.level, found)

    def _copy_large(self, file: File, known: Optional[Known], level: Level) -> None:
        try:
            with self._share.open(file.path) as source:
                # A directory of NTFS may have the size of an older name of it.
                file = file._replace(entry=file.entry._replace(size=source.entry.size))
                part = self._parts.fetch(file.path, file.entry, source)
            self._place(part, file, level)
        except FileFailure as failure:
            self._failed(file, failure, known)
        except OSError as error:
            self._refused_here(file.path, error, known)
        else:
            self._keep(file, level)

    def _place(self, part: str, file: File, level: Level) -> None:
        _check_name(level, file.entry.name)  # others have been placed since
        self._parts.place(part, level.folder, file.entry.name)
        self._totals.copied()

    def _keep(self, file: File, level: Level, found: Optional[SmallFile] = None) -> None:
        """What the side file has of a file that is complete here."""
        id = self._side.put(level.id, file.entry)
        if found is None:
            self._facts.keep(id, file.path)
        else:
            self._facts.keep(id, file.path, found.descriptor, found.streams)

    def _end(self, last: _Last) -> None:
        """All that is in a directory has been read."""
        path, entry, complete = last.end
        id, folder = last.level.id, last.level.folder
        try:
            if complete:
                self._remove_others(path, id, folder)
            if not same_facts(self._known(last.above, entry), entry):
                self._facts.keep(self._side.put(last.above, entry), path)
            os.utime(folder.fd, ns=(unix_ns(entry.accessed), unix_ns(entry.modified)))
        except OSError as error:
            self._refused_here(path, error)
        finally:
            folder.close()

    def _remove_others(self, path: str, id: int, folder: LocalDirectory) -> None:
        """What the share does not have. Raises: OSError."""
        there = frozenset(folder.names())
        gone = [name for name in there if not self._is_on_the_share(id, name)]
        if gone and self._are_others_here(path, id, folder, there):
            return
        for name in gone:
            folder.remove(name)
            self._totals.removed += 1
        self._side.forget_unmarked(id)

    def _are_others_here(
        self, path: str, id: int, folder: LocalDirectory, there: FrozenSet[str]
    ) -> bool:
        """Whether files of the share have other names here, as where all letters become small: they
        look like what the share does not have. Raises: OSError."""
        others = [
            known.entry.name
            for known in self._side.children(id)
            if known.run == self._side.run
            and known.entry.name not in there
            and folder.status(known.entry.name) is not None
        ]
        for name in others:
            self._shortfalls.add(joined(path, name), _ANOTHER_NAME)
        return bool(others)

    def _is_on_the_share(self, id: int, name: str) -> bool:
        if (id, name) == (TOP, FOLDER):
            return True
        if unsafe(name):
            return False
        known = self._side.known(id, name)
        return known is not None and known.run == self._side.run

    def _failed(self, file: File, failure: FileFailure, known: Optional[Known]) -> None:
        """The share did not give a file. Raises: FileFailure if the server is gone."""
        give_up_if_gone(self._share, failure)
        self._lacks(file.path, failure.cause, known)

    def _refused_here(self, path: str, error: OSError, known: Optional[Known] = None) -> None:
        """This host did not take a file."""
        if error.errno in _NO_ROOM:
            self._is_full = True
            with suppress(OSError):
                self._side.give_back_room()
                self._parts.drop(path)
        self._lacks(path, f"it cannot be written: {error.strerror}", known)

    def _lacks(self, path: str, cause: str, known: Optional[Known]) -> None:
        self._shortfalls.add(path, cause)
        if known is not None:
            self._side.mark(known.id)  # it is still on the share, and so what was copied stays

    def _fits(self, folder: LocalDirectory, size: int) -> bool:
        """Asked once the disk was full: nothing is read for which there is no room."""
        if not self._is_full:
            return True
        free = os.fstatvfs(folder.fd)
        return size < free.f_bavail * free.f_frsize

    def _open(self) -> int:
        return len(self._levels) + sum(isinstance(each, _Last) for each in self._waiting)

    def _close(self) -> None:
        """The directories that are still open, after a failure."""
        waiting = [each.level for each in self._waiting if isinstance(each, _Last)]
        for level in (*self._levels, *waiting):
            level.folder.close()
        self._levels, self._waiting = [], []


def _check_name(level: Level, name: str) -> None:
    """Nothing on a share may take the place of the side file, or of another file of the share.
    Raises: OSError."""
    if (level.id, name) == (TOP, FOLDER):
        raise OSError(errno.EEXIST, "the copy's own directory has this name")
    if level.spellings.is_taken(name):
        cause = "this host takes its name for that of another file, which differs in case only"
        raise OSError(errno.EEXIST, cause)
