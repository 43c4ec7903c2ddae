"""`WritableTree`: what `restore` writes to a share. When a connection breaks, the file that was
being written is written from its beginning: to write it twice changes nothing."""

from __future__ import annotations

from collections import deque
from typing import Callable, Deque, Iterable, List, NamedTuple, Sequence, Tuple

from fsrvpd.requestor.files import descriptor as security
from fsrvpd.requestor.files import messages, statuses
from fsrvpd.requestor.files import write_messages as writes
from fsrvpd.requestor.files.channel import WINDOW, Channel, Sent
from fsrvpd.requestor.files.link import Connect, Link, Refused, good
from fsrvpd.requestor.files.messages import DIRECTORY_FILE, NON_DIRECTORY_FILE, RELATED, Request
from fsrvpd.requestor.files.records import REPARSE_POINT, SPARSE
from fsrvpd.requestor.files.write_messages import (
    DACL,
    GROUP,
    OPEN_IF,
    OVERWRITE_IF,
    OWNER,
    SACL,
)

NORMAL = 0x80  # FILE_ATTRIBUTE_NORMAL: none of the others
# Those that a client may set: MS-FSCC 2.6. Sparse and compressed have requests of their own.
SETTABLE = 0x1 | 0x2 | 0x4 | 0x20 | 0x100 | 0x1000 | 0x2000
_INVALID_OWNER = 0xC000005A
_NOT_PERMITTED = (statuses.ACCESS_DENIED, statuses.PRIVILEGE_NOT_HELD, _INVALID_OWNER)
_PARTS = ((OWNER, "its owner"), (GROUP, "its group"), (SACL, "its audit rules"))
Pieces = Callable[[], Iterable[Tuple[int, bytes]]]


class Facts(NamedTuple):
    """What is written after the content, since writing changes it. Times are FILETIMEs."""

    created: int
    accessed: int
    modified: int
    attributes: int
    descriptor: bytes  # b"": none


class WritableTree:
    r"""Paths are relative to `prefix`, with `\` between components. Raises: FileFailure."""

    def __init__(
        self, connect: Connect, share: str, prefix: str = "", *, give_up: float = 60.0
    ) -> None:
        self._link = Link(connect, share, give_up=give_up)
        self._prefix = prefix

    def close(self) -> None:
        self._link.close()

    def make_top(self) -> None:
        """The directory `prefix`, and those above it."""
        whole, self._prefix = self._prefix, ""
        components = whole.split("\\") if whole else []
        try:
            for number in range(len(components)):
                self._make("\\".join(components[: number + 1]))
        finally:
            self._prefix = whole

    def make_directory(self, path: str) -> None:
        """One that is there already is as good, unless it is a junction: who may write to the share
        may have made it, and it may lead to where they may not."""
        if path:
            self._link.run(
                lambda: self._unc(path),
                lambda channel: _refuse_link(channel, self._name(channel, path)),
            )
        self._make(path)

    def _make(self, path: str) -> None:
        def make(channel: Channel) -> None:
            name = self._name(channel, path)
            access = messages.READ_ATTRIBUTES
            opened = writes.create(name, access, disposition=OPEN_IF, options=DIRECTORY_FILE)
            _all_good(channel, opened, messages.close(RELATED))

        self._link.run(lambda: self._unc(path), make)

    def write(
        self, path: str, size: int, pieces: Pieces, *, stream: str = "", sparse: bool = False
    ) -> None:
        """A file, which loses the streams that it had, or a stream, in place of what was there.
        `pieces` are offsets and bytes, and are asked for again after a connection broke; between
        them are holes. Raises also what `pieces` does."""

        def work(channel: Channel) -> None:
            name = self._name(channel, path)
            file_id = _created(channel, f"{name}:{stream}" if stream else name)
            try:
                if sparse:
                    _all_good(channel, writes.set_sparse(file_id))
                _write(channel, file_id, pieces())
                _all_good(channel, writes.set_size(file_id, size))
            except (Refused, OSError):
                channel.ask(messages.close(file_id))
                raise
            _all_good(channel, messages.close(file_id))

        self._link.run(lambda: self._unc(path), work)

    def set_facts(self, path: str, facts: Facts, *, is_directory: bool) -> Sequence[str]:
        """Times, attributes and the security descriptor. Returns what the account may not set."""
        return self._link.run(
            lambda: self._unc(path),
            lambda channel: _set_facts(channel, self._name(channel, path), facts, is_directory),
        )

    def _name(self, channel: Channel, path: str) -> str:
        return channel.name(self._whole(path))

    def _unc(self, path: str) -> str:
        return self._link.unc(self._whole(path))

    def _whole(self, path: str) -> str:
        return "\\".join(part for part in (self._prefix, path) if part)


def _all_good(channel: Channel, *requests: Request) -> List[messages.Answer]:
    """Raises: Refused."""
    return [good(answer) for answer in channel.ask(*requests)]


def _refuse_link(channel: Channel, name: str) -> None:
    """Raises: Refused."""
    opening = messages.create(name, messages.READ_ATTRIBUTES, messages.REPARSE_POINT)
    opened, _ = channel.ask(opening, messages.close(RELATED))
    if opened.status == 0 and messages.created(opened).attributes & REPARSE_POINT:
        raise Refused(statuses.STOPPED_ON_SYMLINK)


def _created(channel: Channel, name: str) -> bytes:
    """Open a file anew. Raises: Refused."""
    options = NON_DIRECTORY_FILE
    opening = writes.create(name, writes.WRITE_DATA, disposition=OVERWRITE_IF, options=options)
    (answer,) = channel.ask(opening)
    if answer.status == statuses.ACCESS_DENIED:
        _make_ordinary(channel, name)
        (answer,) = channel.ask(opening)
    return messages.created(good(answer)).file_id


def _make_ordinary(channel: Channel, name: str) -> None:
    """A file that is read-only, hidden or of the system is not overwritten otherwise."""
    opening = writes.create(name, writes.WRITE_ATTRIBUTES)
    channel.ask(opening, writes.set_basic(RELATED, NORMAL), messages.close(RELATED))


def _write(channel: Channel, file_id: bytes, pieces: Iterable[Tuple[int, bytes]]) -> None:
    """Raises: Refused."""
    sent: Deque[Sent] = deque()
    try:
        for offset, data in pieces:
            for begin in range(0, len(data), channel.chunk):
                piece = data[begin : begin + channel.chunk]
                sent.append(channel.send(writes.write(file_id, offset + begin, piece)))
                if len(sent) > WINDOW:
                    good(channel.wait(sent.popleft())[0])
    finally:
        answers = [answer for each in sent for answer in channel.wait(each)]
    for answer in answers:
        good(answer)


def _set_facts(channel: Channel, name: str, facts: Facts, is_directory: bool) -> List[str]:
    """Each in an open of its own: the right to one is not the right to the other. The descriptor is
    the first: it may take the right to the others away, but who has them open keeps them."""
    kind = DIRECTORY_FILE if is_directory else NON_DIRECTORY_FILE
    attributes = facts.attributes & SETTABLE or NORMAL
    opening = writes.create(name, writes.WRITE_ATTRIBUTES, options=kind)
    opened = messages.created(_all_good(channel, opening)[0]).file_id
    try:
        missing = _set_security(channel, name, facts.descriptor, kind) if facts.descriptor else []
        times = (facts.created, facts.accessed, facts.modified)
        _all_good(channel, writes.set_basic(opened, attributes, *times))
        if facts.attributes & SPARSE:  # Samba forgets it when attributes are set
            _all_good(channel, writes.set_sparse(opened))
    finally:
        channel.ask(messages.close(opened))
    return missing


def _set_security(channel: Channel, name: str, descriptor: bytes, kind: int) -> List[str]:
    """As much of it as the account may. Raises: Refused."""
    data, parts = security.to_write(descriptor), security.parts_of(descriptor)
    for attempt in dict.fromkeys((parts, parts & ~SACL, parts & DACL)):
        status = _try_security(channel, name, data, attempt, kind)
        if not status:
            return [what for part, what in _PARTS if parts & part & ~attempt]
        if status not in _NOT_PERMITTED:
            raise Refused(status)
    return ["its security descriptor"]


def _try_security(channel: Channel, name: str, data: bytes, parts: int, kind: int) -> int:
    """The status."""
    access = writes.WRITE_DAC if parts & DACL else 0
    access |= writes.WRITE_OWNER if parts & (OWNER | GROUP) else 0
    access |= messages.SYSTEM_SECURITY if parts & SACL else 0
    opening = writes.create(name, access, options=kind)
    setting = writes.set_security(RELATED, parts, data)
    opened, written, _ = channel.ask(opening, setting, messages.close(RELATED))
    return opened.status or written.status
