"""Files on their way into a mirror. Each is complete before it gets its name; one that is cut off
is gone on with by the next run, unless it is another file by then."""

from __future__ import annotations

import hashlib
import os
from typing import Iterator, Tuple

from fsrvpd.requestor.copying.local_directory import LocalDirectory
from fsrvpd.requestor.copying.share import unix_ns
from fsrvpd.requestor.copying.side_file import SideFile
from fsrvpd.requestor.copying.sparse import write_all, write_sparsely
from fsrvpd.requestor.copying.totals import Totals
from fsrvpd.requestor.files.open_file import OpenFile
from fsrvpd.requestor.files.records import Entry

CHECKPOINT = 256 << 20  # bytes: what is done again after a crash, at most
_SMALL = "small"  # the name of those that are not gone on with


class PartFiles:
    """`folder` is on the file system of the mirror."""

    def __init__(self, folder: LocalDirectory, side: SideFile, totals: Totals) -> None:
        self._folder, self._side, self._totals = folder, side, totals

    def fetch(self, path: str, entry: Entry, source: OpenFile) -> str:
        """The name of the part, which is the whole file then. Raises: FileFailure, OSError; what
        has come stays for the next run, unless the disk is full."""
        name = _name_of(path)
        done = self._side.part_done(name, entry)
        with self._folder.opened(name, os.O_RDWR | os.O_CREAT) as fd:
            done = min(done, os.fstat(fd).st_size)
            os.ftruncate(fd, done)  # what follows may not have reached the disk
            os.ftruncate(fd, entry.size)
            self._totals.skipped(done)
            at = kept = done
            try:
                for begin, data in pieces(source, done):
                    write_sparsely(fd, data, begin)
                    self._totals.skipped(begin - at)
                    self._totals.arrived(len(data))
                    at = begin + len(data)
                    if at - kept >= CHECKPOINT:
                        self._side.set_part(name, entry, at)
                        self._side.commit()
                        kept = at
            except OSError:
                raise  # the side file may have no room either
            except BaseException:
                self._side.set_part(name, entry, at)
                raise
            self._totals.skipped(entry.size - at)
            _set_time(fd, entry)
        return name

    def write(self, entry: Entry, content: bytes) -> str:
        """The same for a file that is here already. Raises: OSError."""
        with self._folder.opened(_SMALL, os.O_RDWR | os.O_CREAT | os.O_TRUNC) as fd:
            write_all(fd, content, 0)
            _set_time(fd, entry)
        self._totals.arrived(len(content))
        return _SMALL

    def place(self, name: str, target: LocalDirectory, new_name: str) -> None:
        """Give a part the name that its file has in the mirror. Raises: OSError."""
        target.move_here(self._folder, name, new_name)
        if name != _SMALL:
            self._side.forget_part(name)

    def drop(self, path: str) -> None:
        """What has come of a file takes room that others need. Raises: OSError."""
        name = _name_of(path)
        self._folder.remove(name)
        self._folder.remove(_SMALL)
        self._side.forget_part(name)

    def tidy(self) -> None:
        """Remove what no run will go on with. Raises: OSError."""
        for name in list(self._folder.names()):
            self._folder.remove(name)
        for name in list(self._side.part_names()):
            self._side.forget_part(name)


def pieces(source: OpenFile, begin: int = 0) -> Iterator[Tuple[int, bytes]]:
    """What a file has from there on, without holes: offsets and bytes. Raises: FileFailure."""
    for offset, length in source.data_ranges():
        at, end = max(offset, begin), offset + length
        if at < end:
            for data in source.chunks(at, end - at):
                yield at, data
                at += len(data)


def _name_of(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:32]


def _set_time(fd: int, entry: Entry) -> None:
    os.utime(fd, ns=(unix_ns(entry.accessed), unix_ns(entry.modified)))
