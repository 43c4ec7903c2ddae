"""`copy --verify`: what is on the disk here is compared with the share once more, byte by byte."""

from __future__ import annotations

import os

from fsrvpd.requestor.copying.local_directory import LocalDirectory
from fsrvpd.requestor.copying.part_files import pieces
from fsrvpd.requestor.copying.share import Share
from fsrvpd.requestor.copying.shortfalls import Shortfalls
from fsrvpd.requestor.copying.side_file import TOP, Known, SideFile
from fsrvpd.requestor.copying.sparse import local_pieces
from fsrvpd.requestor.copying.totals import Totals
from fsrvpd.requestor.copying.traversal import give_up_if_gone, joined
from fsrvpd.requestor.files.records import FileFailure

DIFFERS = "the copy differs from the share; the next run copies it again"


class Verification:
    """After a mirror has been made, of all that was copied, in this run or before."""

    def __init__(
        self, share: Share, side: SideFile, shortfalls: Shortfalls, totals: Totals
    ) -> None:
        self._share, self._side, self._shortfalls = share, side, shortfalls
        self._totals = totals

    def run(self, top: LocalDirectory) -> None:
        """Raises: FileFailure if the server is gone."""
        self._directory(TOP, "", top)
        self._side.commit()

    def _directory(self, id: int, path: str, folder: LocalDirectory) -> None:
        for known in self._side.children(id):
            below = joined(path, known.entry.name)
            if not known.entry.is_directory:
                self._file(known, below, folder)
                continue
            try:
                inner = folder.directory(known.entry.name)
            except OSError as error:
                self._shortfalls.add(below, f"it cannot be verified: {error.strerror}")
                continue
            try:
                self._directory(known.id, below, inner)
            finally:
                inner.close()

    def _file(self, known: Known, path: str, folder: LocalDirectory) -> None:
        try:
            if not self._is_same(known, path, folder):
                self._shortfalls.add(path, DIFFERS)
                self._side.doubt(known.id)
        except FileFailure as failure:
            give_up_if_gone(self._share, failure)
            self._shortfalls.add(path, f"it cannot be verified: {failure.cause}")
        except OSError as error:
            self._shortfalls.add(path, f"it cannot be verified: {error.strerror}")
            self._side.doubt(known.id)

    def _is_same(self, known: Known, path: str, folder: LocalDirectory) -> bool:
        """Raises: FileFailure, OSError."""
        size = known.entry.size
        with folder.opened(known.entry.name, os.O_RDONLY) as fd, self._share.open(path) as source:
            if os.fstat(fd).st_size != size or source.entry.size != size:
                return False
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # what counts is on the disk
            at = 0
            for begin, data in pieces(source):
                if not _has_zeros(fd, at, begin) or os.pread(fd, len(data), begin) != data:
                    return False
                at = begin + len(data)
                self._totals.verified(len(data))
            return _has_zeros(fd, at, size)


def _has_zeros(fd: int, begin: int, end: int) -> bool:
    return all(not any(data) for _, data in local_pieces(fd, end, begin))
