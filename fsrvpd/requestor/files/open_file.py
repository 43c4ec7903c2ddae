"""`OpenFile`: a file of a share, open for reading; what is read goes on over a new connection."""

from __future__ import annotations

import errno
import struct
import threading
from collections import deque
from contextlib import suppress
from typing import Callable, Deque, Iterator, NamedTuple, Optional, Sequence, Tuple

from fsrvpd.requestor.closing import Closing
from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files import statuses
from fsrvpd.requestor.files.channel import WINDOW, Channel, Lost, Sent
from fsrvpd.requestor.files.link import Link, good
from fsrvpd.requestor.files.messages import Created, Malformed
from fsrvpd.requestor.files.records import DIRECTORY, Entry, FileFailure, file_id_of

_RANGE = struct.Struct("<qq")
_RANGES_AT_ONCE = 4096
_MOST_RANGES = 1 << 20
_HEAD = 65536  # bytes that are read when a file is opened: one credit pays for them
_NOT_YET = Entry("", False, *(0,) * 9)


class _Asked(NamedTuple):
    offset: int
    length: int
    sent: Sent


class OpenFile(Closing):
    """Threads may share one. Made by `FileTree.open`."""

    def __init__(self, link: Link, path: str, unc: Callable[[], str], name: str) -> None:
        """`path` is opened, with a stream; `name` is the entry's. Raises: FileFailure."""
        self._link, self._path, self._unc = link, path, unc
        self._lock = threading.Lock()
        self._channel: Optional[Channel] = None  # over which `_file_id` is good
        self._file_id = b""
        self._name = name
        self._closed = False
        self._whole: Optional[bytes] = None  # of a small file
        self.entry: Entry = _NOT_YET
        link.run(unc, self.file_id)

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes, fewer at the end only. Raises: FileFailure."""
        length = max(0, min(length, self.entry.size - offset))
        return b"".join(self.chunks(offset, length))

    def chunks(self, offset: int = 0, length: Optional[int] = None) -> Iterator[bytes]:
        """What is at `offset`, in pieces of at most 1 MiB, read ahead. Raises: FileFailure, also
        where the server has less than it said."""
        end = self.entry.size
        if length is not None:
            end = min(end, offset + length)
        if self._whole is not None and not self._closed:
            if offset < end:
                yield self._whole[offset:end]
            return
        ahead = _ReadAhead(self, offset, end)
        while ahead.at < end:
            yield self._link.run(self._unc, ahead.next)

    def data_ranges(self) -> Sequence[Tuple[int, int]]:
        """(offset, length) of what is no hole. A server tells holes of files only that have
        FILE_ATTRIBUTE_SPARSE_FILE: of others it is one range of all. Raises: FileFailure."""
        size = self.entry.size
        if not self.entry.is_sparse or not size:
            return [(0, size)] if size else []
        return self._link.run(self._unc, self._ranges)

    def close(self) -> None:
        """Raises nothing; may be called twice. Does not wait for the server."""
        with self._lock:
            channel, self._channel, self._closed = self._channel, None, True
        if channel is not None:
            with suppress(Lost):
                channel.send(m.close(self._file_id))

    def file_id(self, channel: Channel) -> bytes:
        """Open it again, if it is not over this channel. Raises: Refused, Lost, FileFailure."""
        with self._lock:
            if self._closed:
                raise FileFailure(self._unc(), "it was closed", errno=errno.EBADF)
            if self._channel is not channel:
                self._open(channel)
            return self._file_id

    def _open(self, channel: Channel) -> None:
        name = channel.name(self._path)
        opened, with_id, head = channel.ask(
            m.create(name, m.READ_DATA | m.READ_ATTRIBUTES, m.NON_DIRECTORY_FILE),
            m.query_info(m.RELATED, m.FILE_INFO, m.INTERNAL_INFO, 8),
            m.read(m.RELATED, 0, _HEAD),
        )
        found = m.created(good(opened))
        entry = entry_of(self._name, found, with_id)
        if self.entry is not _NOT_YET and _content(entry) != _content(self.entry):
            channel.send(m.close(found.file_id))
            raise FileFailure(
                self._unc(), "it changed while it was read", "read it again", errno=errno.ESTALE
            )
        if entry.size <= _HEAD and head.status == 0:
            data = m.read_data(head)
            self._whole = bytes(data) if len(data) == entry.size else None
        self._channel, self._file_id, self.entry = channel, found.file_id, entry

    def _ranges(self, channel: Channel) -> Sequence[Tuple[int, int]]:
        found: list[Tuple[int, int]] = []
        at, size, file_id = 0, self.entry.size, self.file_id(channel)
        while at < size and len(found) < _MOST_RANGES:
            wanted = _RANGE.pack(at, size - at)
            room = _RANGES_AT_ONCE * _RANGE.size
            [answer] = channel.ask(m.ioctl(file_id, m.QUERY_ALLOCATED_RANGES, wanted, room))
            if answer.status in statuses.NOT_SUPPORTED:
                return [(0, size)]
            data = m.control_data(good(answer, statuses.BUFFER_OVERFLOW))
            if len(data) % _RANGE.size:
                raise Malformed("ranges that are cut short")
            for offset, length in _RANGE.iter_unpack(data):
                if offset < at or length <= 0 or offset >= size:
                    raise Malformed("ranges that cannot be")
                at = min(offset + length, size)
                found.append((offset, at - offset))
            if answer.status == 0:
                return found
            if not data:
                break
        raise Malformed("ranges without an end")


class _ReadAhead:
    """Reads of one file in their order, as many in flight as the window has."""

    def __init__(self, file: OpenFile, at: int, end: int) -> None:
        self.at = at  # what comes next
        self._file, self._end = file, end
        self._channel: Optional[Channel] = None
        self._asked: Deque[_Asked] = deque()
        self._ask_at = at

    def next(self, channel: Channel) -> bytes:
        """Raises: Refused, Lost, Malformed, FileFailure."""
        file_id = self._file.file_id(channel)
        if self._channel is not channel:
            self._asked.clear()  # the channel drops answers that nobody waits for
            self._channel, self._ask_at = channel, self.at
        while self._ask_at < self._end and len(self._asked) < WINDOW:
            length = min(channel.chunk, self._end - self._ask_at)
            sent = channel.send(m.read(file_id, self._ask_at, length))
            self._asked.append(_Asked(self._ask_at, length, sent))
            self._ask_at += length
        asked = self._asked.popleft()
        [answer] = channel.wait(asked.sent)
        good(answer, statuses.END_OF_FILE)
        data = m.read_data(answer) if answer.status == 0 else answer.data[:0]
        if not data or len(data) > asked.length:
            raise Malformed(f"{len(data)} bytes in place of {asked.length} at {asked.offset}")
        self.at += len(data)
        if len(data) < asked.length:
            self._channel = None  # ask again for the rest
        return bytes(data)


def _content(entry: Entry) -> Tuple[int, int, int]:
    """What is the same as long as the file is."""
    return entry.size, entry.modified, entry.file_id


def entry_of(name: str, found: Created, with_id: m.Answer, tag: int = 0) -> Entry:
    """`with_id`: the answer that has the FileId, or an error if the server has none."""
    file_id = 0
    if with_id.status == 0:
        data = m.queried(with_id)
        file_id = file_id_of(int.from_bytes(data[:8], "little")) if len(data) >= 8 else 0
    is_directory = bool(found.attributes & DIRECTORY)
    return Entry(
        name,
        is_directory,
        0 if is_directory else found.size,
        found.allocated,
        *found.times,
        found.attributes,
        file_id,
        tag,
    )
