"""`tar`: a share as a tar archive, in memory that does not grow with it."""

from __future__ import annotations

from typing import Callable, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from fsrvpd.requestor.copying import pax
from fsrvpd.requestor.copying.share import Share
from fsrvpd.requestor.copying.shortfalls import Shortfalls
from fsrvpd.requestor.copying.totals import Totals
from fsrvpd.requestor.copying.traversal import (
    MANGLED,
    Directory,
    End,
    File,
    give_up_if_gone,
    may_be_mangled,
    steps,
)
from fsrvpd.requestor.files import xattr_names
from fsrvpd.requestor.files.open_file import OpenFile
from fsrvpd.requestor.files.records import FileFailure
from fsrvpd.requestor.files.small import LARGEST, SmallFile, Wanted

_MOST_WAITING = 512  # steps, whose small files are read together
_END = bytes(2 * pax.BLOCK)
_RECORD = 20 * pax.BLOCK  # archives are a whole number of them
ReadSmall = Callable[[Iterable[Wanted]], Iterator[SmallFile]]
Waiting = Union[Directory, File]


class Archive:
    """`write` gets the bytes in order. `read_small` gives what small files contain, in order."""

    def __init__(
        self,
        share: Share,
        read_small: ReadSmall,
        write: Callable[[bytes], object],
        shortfalls: Shortfalls,
        totals: Totals,
    ) -> None:
        self._share, self._read_small = share, read_small
        self._sink, self._shortfalls, self._totals = write, shortfalls, totals
        self._written = 0

    def run(self) -> None:
        """Raises: FileFailure if the server is gone, OSError of `write`. The archive has no end
        then, and who reads it complains."""
        waiting: List[Waiting] = []
        for step in steps(self._share, self._shortfalls):
            if not isinstance(step, End):
                waiting.append(step)
            if len(waiting) >= _MOST_WAITING or (isinstance(step, File) and not _is_small(step)):
                self._work_off(waiting)
                waiting = []
        self._work_off(waiting)
        self._write(_END)
        self._write(bytes(-self._written % _RECORD))

    def _work_off(self, waiting: Sequence[Waiting]) -> None:
        small = [each for each in waiting if isinstance(each, File) and _is_small(each)]
        found = self._read_small([(file.path, file.entry.size) for file in small])
        for each in waiting:
            if isinstance(each, File) and may_be_mangled(each.entry.name):
                self._shortfalls.add(each.path, MANGLED)
            if isinstance(each, Directory):
                self._directory(each)
            elif _is_small(each):
                self._small(each, next(found))
            else:
                self._large(each)

    def _directory(self, directory: Directory) -> None:
        path = f"{_name(directory.path)}/" if directory.path else "./"
        facts = self._facts(directory.path, directory)
        self._write(pax.header(path, directory.entry, facts, 0))
        self._totals.directories += 1

    def _small(self, file: File, found: SmallFile) -> None:
        if found.failure is not None:
            self._large(file)  # perhaps only its facts are refused
            return
        entry = file.entry._replace(size=len(found.data))
        facts = self._facts(file.path, file, found)
        self._write(pax.header(_name(file.path), entry, facts, entry.size))
        self._content([found.data], entry.size, file.path)

    def _large(self, file: File) -> None:
        try:
            source = self._share.open(file.path)
        except FileFailure as failure:
            self._lacks(file.path, "", failure)
            return
        with source:
            self._write_large(file, source)

    def _write_large(self, file: File, source: OpenFile) -> None:
        """The open file knows its size; a directory of NTFS may have that of an older hard link's
        file. The ranges are asked for once: a server that gave others later would write headers of
        its own into the archive."""
        facts, path = self._facts(file.path, file), _name(file.path)
        entry = file.entry._replace(size=source.entry.size)
        ranges = self._ranges(entry.size, source)
        length = sum(length for _, length in ranges)
        if length == entry.size:
            self._write(pax.header(path, entry, facts, length))
        else:
            head, table = pax.sparse_header(path, entry, facts, ranges)
            self._write(head + table)
            self._totals.skipped(entry.size - length)
        chunks = (data for offset, count in ranges for data in source.chunks(offset, count))
        self._content(chunks, length, file.path)

    def _ranges(self, size: int, source: OpenFile) -> Sequence[pax.Range]:
        try:
            return source.data_ranges()
        except FileFailure as failure:
            give_up_if_gone(self._share, failure)
            return [(0, size)]

    def _content(self, chunks: Iterable[bytes], length: int, path: str) -> None:
        """The header has said how long it is: what cannot be read becomes zeros, and is told."""
        written = 0
        try:
            for data in chunks:
                self._write(data)
                self._totals.arrived(len(data))
                written += len(data)
        except FileFailure as failure:
            self._lacks(path, f"from byte {written} on it has zeros", failure)
            self._zeros(length - written)
        self._write(bytes(-length % pax.BLOCK))
        self._totals.copied()

    def _zeros(self, count: int) -> None:
        piece = bytes(1 << 20)
        while count > 0:
            self._write(piece[: min(count, len(piece))])
            count -= len(piece)

    def _facts(
        self, path: str, step: Waiting, found: Optional[SmallFile] = None
    ) -> Mapping[str, bytes]:
        descriptor, streams = b"", []
        try:
            descriptor = found.descriptor if found else self._share.security_descriptor(path)
        except FileFailure as failure:
            self._lacks(path, "its security descriptor", failure)
        try:
            for name, size in found.streams if found else self._share.streams(path):
                streams += self._stream(path, name, size)
        except FileFailure as failure:
            self._lacks(path, "its alternate streams", failure)
        return pax.xattrs(step.entry, descriptor, streams)

    def _stream(self, path: str, name: str, size: int) -> List[Tuple[str, bytes]]:
        whole = f"{path}:{name}"
        if size > xattr_names.LARGEST:
            self._shortfalls.add(whole, f"the stream is longer than {xattr_names.LARGEST} bytes")
            return []
        try:
            name.encode()
            with self._share.open(path, name) as stream:
                return [(name, stream.read(0, size))]
        except FileFailure as failure:
            self._lacks(whole, "the stream", failure)
        except UnicodeEncodeError:
            self._shortfalls.add(whole, "the name of the stream is not Unicode")
        return []

    def _lacks(self, path: str, what: str, failure: FileFailure) -> None:
        """Raises: FileFailure if the server is gone."""
        give_up_if_gone(self._share, failure)
        self._shortfalls.add(path, f"{what}: {failure.cause}" if what else failure.cause)

    def _write(self, data: bytes) -> None:
        self._sink(data)
        self._written += len(data)


def _is_small(file: File) -> bool:
    return file.entry.size <= LARGEST


def _name(path: str) -> str:
    return path.replace("\\", "/")
