"""Small files: each is opened, read with all that is known of it, and closed by one message, and
many messages are in flight."""

from __future__ import annotations

import errno
import itertools
from collections import deque
from contextlib import suppress
from typing import Deque, Iterable, Iterator, NamedTuple, Optional, Sequence, Tuple

from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files import streams
from fsrvpd.requestor.files.channel import Channel, Sent
from fsrvpd.requestor.files.messages import Answer, Malformed, Request
from fsrvpd.requestor.files.open_file import entry_of
from fsrvpd.requestor.files.records import Entry, FileFailure
from fsrvpd.requestor.files.streams import Stream
from fsrvpd.requestor.files.tree import FileTree

LARGEST = 256 * 1024  # bytes of a small file
IN_FLIGHT = 16
_DESCRIPTOR, _STREAMS = 4096, 4096  # bytes; one that is longer is asked for again

Wanted = Tuple[str, int]  # path and size, as the directory has it


class SmallFile(NamedTuple):
    """`entry` is None where there is a `failure`. `descriptor` and `streams` as of `FileTree`,
    b"" and () if they were not wanted."""

    path: str
    entry: Optional[Entry]
    data: bytes
    descriptor: bytes
    streams: Sequence[Stream]
    failure: Optional[FileFailure] = None


class _Asked:
    __slots__ = ("path", "sent", "size")

    def __init__(self, path: str, size: int) -> None:
        self.path, self.size = path, size
        self.sent: Optional[Sent] = None


def small_files(
    tree: FileTree, files: Iterable[Wanted], *, with_metadata: bool = False
) -> Iterator[SmallFile]:
    """In the order of `files`. What cannot be read has a `failure`; only a lost server raises
    FileFailure. So does one that turns out not to be small: many of them would fill the memory."""
    if with_metadata and tree.asks_for_sacl:
        with suppress(FileFailure):
            tree.security_descriptor("")  # learns whether that is refused
    ahead = _Ahead(tree, iter(files), with_metadata)
    while True:
        found = tree.run("", ahead.next)
        if found is None:
            return
        yield found


class _Ahead:
    def __init__(self, tree: FileTree, files: Iterator[Wanted], with_metadata: bool) -> None:
        self._tree, self._files = tree, files
        self._with_metadata = with_metadata
        self._channel: Optional[Channel] = None
        self._asked: Deque[_Asked] = deque()

    def next(self, channel: Channel) -> Optional[SmallFile]:
        """Raises: Lost."""
        if channel is not self._channel:
            for asked in self._asked:
                asked.sent = None
            self._channel = channel
        for path, size in itertools.islice(self._files, IN_FLIGHT - len(self._asked)):
            self._asked.append(_Asked(path, size))
        for asked in self._asked:
            if asked.sent is None and not self._tree.wrong(asked.path):
                asked.sent = channel.send(*self._requests(channel, asked))
        if not self._asked:
            return None
        found = self._found(channel, self._asked[0])
        self._asked.popleft()
        return found

    def _requests(self, channel: Channel, asked: _Asked) -> Sequence[Request]:
        access, parts = m.READ_DATA | m.READ_ATTRIBUTES, m.OWNER_GROUP_DACL
        if self._with_metadata:
            access |= m.READ_CONTROL
        if self._with_metadata and self._tree.asks_for_sacl:
            access, parts = access | m.SYSTEM_SECURITY, parts | m.SACL
        name = channel.name(self._tree.checked(asked.path))
        requests = [
            m.create(name, access, m.NON_DIRECTORY_FILE),
            m.query_info(m.RELATED, m.FILE_INFO, m.INTERNAL_INFO, 8),
        ]
        if self._with_metadata:
            requests += [
                m.query_info(m.RELATED, m.SECURITY_INFO, 0, _DESCRIPTOR, parts),
                m.query_info(m.RELATED, m.FILE_INFO, m.STREAM_INFO, _STREAMS),
            ]
        if 0 < asked.size <= min(LARGEST, channel.chunk):
            requests.append(m.read(m.RELATED, 0, asked.size))
        return (*requests, m.close(m.RELATED))

    def _found(self, channel: Channel, asked: _Asked) -> SmallFile:
        """What one message has brought, or several if it has not brought all."""
        if asked.sent is not None:
            answers = channel.wait(asked.sent)
            found = None
            with suppress(Malformed):  # of one file: its steps tell it
                if not any(answer.status for answer in answers):
                    found = self._from(asked, answers)
            if found is not None:
                return found
        return self._in_steps(asked.path)

    def _from(self, asked: _Asked, answers: Sequence[Answer]) -> Optional[SmallFile]:
        """None: the file has another size than the directory says."""
        opened = m.created(answers[0])
        entry = entry_of(asked.path.rpartition("\\")[2], opened, answers[1])
        descriptor = b""
        found: Sequence[Stream] = ()
        if self._with_metadata:
            descriptor = bytes(m.queried(answers[2]))
            found = streams.parsed(bytes(m.queried(answers[3])))
        data = b""
        if len(answers) > (5 if self._with_metadata else 3):
            data = bytes(m.read_data(answers[-2]))
        if len(data) != entry.size:
            return None
        return SmallFile(asked.path, entry, data, descriptor, found)

    def _in_steps(self, path: str) -> SmallFile:
        try:
            with self._tree.open(path) as file:
                if file.entry.size > LARGEST:
                    cause = f"it has {file.entry.size} bytes, and its directory says it is small"
                    raise FileFailure(self._tree.unc(path), cause, errno=errno.EFBIG)
                data = b"".join(file.chunks())
            if not self._with_metadata:
                return SmallFile(path, file.entry, data, b"", ())
            descriptor = self._tree.security_descriptor(path)
            return SmallFile(path, file.entry, data, descriptor, self._tree.streams(path))
        except FileFailure as failure:
            return SmallFile(path, None, b"", b"", (), failure)
