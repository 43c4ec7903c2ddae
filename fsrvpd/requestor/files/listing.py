"""The entries of a directory, from a server that may send anything for ever.

Spec: MS-FSCC 2.4.14 (FileIdFullDirectoryInformation).
"""

from __future__ import annotations

import itertools
import struct
from contextlib import suppress
from typing import Iterator, Optional

from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files import statuses
from fsrvpd.requestor.files.channel import Channel, Lost
from fsrvpd.requestor.files.link import good
from fsrvpd.requestor.files.messages import Answer, Malformed
from fsrvpd.requestor.files.records import DIRECTORY, REPARSE_POINT, Entry, file_id_of

MOST_ENTRIES = 1 << 23  # of one directory
_ENTRY = struct.Struct("<II6QIIIIQ")


class Listing:
    """One directory, read a batch at a time over one channel."""

    def __init__(self, channel: Channel, name: str) -> None:
        """`name` is what the server opens. Raises: Refused, Lost."""
        self._channel = channel
        size, access = channel.listing, m.READ_DATA | m.READ_ATTRIBUTES
        opened, first, second = channel.ask(
            m.create(name, access, m.DIRECTORY_FILE),
            m.query_directory(m.RELATED, size, m.RESTART_SCANS),
            m.query_directory(m.RELATED, size),
        )
        self._file_id = m.created(good(opened)).file_id
        self._answers = [first, second]
        self._last = b""
        self._count = 0
        self._is_open = True

    def batches(self) -> Iterator[list[Entry]]:
        """Raises: Refused, Lost, Malformed."""
        try:
            while True:
                answer = self._answers.pop(0) if self._answers else self._next()
                if answer.status in (statuses.NO_MORE_FILES, statuses.NO_SUCH_FILE):
                    return
                yield self._entries(good(answer))
        finally:
            self.close()

    def close(self) -> None:
        """Without waiting for the answer. Raises nothing."""
        if self._is_open:
            self._is_open = False
            with suppress(Lost):
                self._channel.send(m.close(self._file_id))

    def _next(self) -> Answer:
        return self._channel.ask(m.query_directory(self._file_id, self._channel.listing))[0]

    def _entries(self, answer: Answer) -> list[Entry]:
        data = bytes(m.queried(answer))
        if data == self._last:
            raise Malformed("the same entries again")
        self._last = data
        found = list(parsed(data))
        self._count += len(found)
        if not found or self._count > MOST_ENTRIES:
            raise Malformed("a directory without an end")
        return [entry for entry in found if entry.name not in (".", "..")]


class Resumed:
    """The entries of a directory over as many channels as it takes: the order in a shadow copy does
    not change, which is verified."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._channel: Optional[Channel] = None
        self._batches: Iterator[list[Entry]] = iter(())
        self._count = 0
        self._last = ""

    def next(self, channel: Channel) -> list[Entry]:
        """The next entries, [] at the end. Raises: Refused, Lost, Malformed."""
        if channel is not self._channel:
            self._batches = Listing(channel, channel.name(self._name)).batches()
            self._skip()
            self._channel = channel
        for batch in self._batches:
            if batch:
                self._count, self._last = self._count + len(batch), batch[-1].name
                return batch
        return []

    def _skip(self) -> None:
        """What has been returned already. Batches may have other sizes now."""
        left = self._count
        while left:
            batch = next(self._batches, None)
            if batch is None:
                raise Malformed("fewer entries than before")
            if len(batch) >= left:
                if batch[left - 1].name != self._last:
                    raise Malformed("its entries in another order than before")
                self._batches = itertools.chain([batch[left:]], self._batches)
                return
            left -= len(batch)


def parsed(data: bytes) -> Iterator[Entry]:
    """Raises: Malformed."""
    place = 0
    while True:
        if len(data) < place + _ENTRY.size:
            raise Malformed("an entry that is cut short")
        fields = _ENTRY.unpack_from(data, place)
        following, _, created, accessed, modified, changed, size, allocated = fields[:8]
        attributes, length, tag, _, file_id = fields[8:]
        begin = place + _ENTRY.size
        if begin + length > len(data) or length % 2 or max(size, allocated) >> 63:
            raise Malformed("an entry that cannot be")
        name = data[begin : begin + length].decode("utf-16-le", "surrogatepass")
        is_directory = bool(attributes & DIRECTORY)
        yield Entry(
            name,
            is_directory,
            0 if is_directory else size,
            allocated,
            *(created, accessed, modified, changed, attributes, file_id_of(file_id)),
            tag if attributes & REPARSE_POINT else 0,
        )
        if not following:
            return
        if following < _ENTRY.size + length:
            raise Malformed("entries that lie in one another")
        place += following
