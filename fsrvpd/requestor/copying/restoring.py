"""`restore`: what a mirror has, back to a share, with everything that the side file knows.

The facts of a directory come after what is in it: writing changes its times, and its permissions
may forbid it.
"""

from __future__ import annotations

import os
from typing import Iterator, Protocol, Sequence, Tuple

from fsrvpd.requestor.copying.local_directory import LocalDirectory
from fsrvpd.requestor.copying.shortfalls import Shortfalls
from fsrvpd.requestor.copying.side_file import IN_DOUBT, TOP, Known, SideFile
from fsrvpd.requestor.copying.sparse import local_pieces
from fsrvpd.requestor.copying.totals import Totals
from fsrvpd.requestor.copying.traversal import joined
from fsrvpd.requestor.files.records import FileFailure
from fsrvpd.requestor.files.writing import Facts, Pieces


class Target(Protocol):
    """A `WritableTree`."""

    def make_directory(self, path: str) -> None: ...

    def write(
        self, path: str, size: int, pieces: Pieces, *, stream: str = "", sparse: bool = False
    ) -> None: ...

    def set_facts(self, path: str, facts: Facts, *, is_directory: bool) -> Sequence[str]: ...


class Restoration:
    def __init__(
        self, side: SideFile, target: Target, shortfalls: Shortfalls, totals: Totals
    ) -> None:
        self._side, self._target, self._shortfalls = side, target, shortfalls
        self._totals = totals

    def run(self, top: LocalDirectory) -> None:
        """Raises: FileFailure if the server is gone, RequestorError for the side file."""
        known = self._side.top()
        if known is not None:
            self._fill("", known, top)

    def _fill(self, path: str, known: Known, folder: LocalDirectory) -> None:
        """What is in a directory that is there, and then its facts."""
        for each in self._side.children(known.id):
            below = joined(path, each.entry.name)
            try:
                if each.entry.is_directory:
                    self._directory(below, each, folder)
                else:
                    self._file(below, each, folder)
            except FileFailure as failure:
                self._lacks(below, failure)
            except OSError as error:
                self._shortfalls.add(below, f"it cannot be read here: {error.strerror}")
        self._facts(path, known)

    def _directory(self, path: str, known: Known, folder: LocalDirectory) -> None:
        inner = folder.directory(known.entry.name)
        try:
            self._target.make_directory(path)
            self._fill(path, known, inner)
        finally:
            inner.close()
        self._totals.directories += 1

    def _file(self, path: str, known: Known, folder: LocalDirectory) -> None:
        with folder.opened(known.entry.name, os.O_RDONLY) as fd:
            size = os.fstat(fd).st_size
            sparse = known.entry.is_sparse
            self._target.write(path, size, lambda: local_pieces(fd, size), sparse=sparse)
        if known.entry.size == IN_DOUBT:
            self._shortfalls.add(path, "it differed from the share when it was verified")
        elif size != known.entry.size:
            cause = f"it has {size} bytes here, and had {known.entry.size} when it was copied"
            self._shortfalls.add(path, cause)
        self._totals.arrived(size)
        self._facts(path, known)
        self._totals.copied()

    def _facts(self, path: str, known: Known) -> None:
        """Streams first: to write one changes the times of its file."""
        entry = known.entry
        if not known.has_facts:
            self._shortfalls.add(path, "its permissions or streams were not copied")
        for name, size in self._side.streams(known.id):
            try:
                self._target.write(path, size, self._stream(known.id, name), stream=name)
            except FileFailure as failure:
                self._lacks(f"{path}:{name}", failure)
        times = (entry.created, entry.accessed, entry.modified)
        facts = Facts(*times, entry.attributes, self._side.descriptor(known.id))
        try:
            missing = self._target.set_facts(path, facts, is_directory=entry.is_directory)
        except FileFailure as failure:
            self._lacks(path, failure)
            return
        for what in missing:
            self._shortfalls.add(path, f"{what} was not restored: access is denied")

    def _stream(self, id: int, name: str) -> Pieces:
        return lambda: self._side.stream(id, name)

    def _lacks(self, path: str, failure: FileFailure) -> None:
        """Raises: FileFailure if the server takes nothing at all."""
        try:
            self._target.make_directory("")
        except FileFailure:
            raise failure from None
        self._shortfalls.add(path, failure.cause)


def restored(side: SideFile) -> Iterator[Tuple[str, Known]]:
    """What a restore writes, for a dry run."""
    waiting = [("", TOP)]
    while waiting:
        path, id = waiting.pop()
        for known in side.children(id):
            below = joined(path, known.entry.name)
            yield below, known
            if known.entry.is_directory:
                waiting.append((below, known.id))
