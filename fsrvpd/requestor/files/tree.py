"""`FileTree`: what is below a directory of a share, to be read."""

from __future__ import annotations

import errno
import struct
from typing import Callable, Iterator, Optional, Sequence

from fsrvpd.requestor.closing import Closing
from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files import statuses
from fsrvpd.requestor.files.channel import Channel
from fsrvpd.requestor.files.link import Connect, Link, Refused, Result, good
from fsrvpd.requestor.files.listing import Resumed
from fsrvpd.requestor.files.messages import Answer, Malformed
from fsrvpd.requestor.files.open_file import OpenFile, entry_of
from fsrvpd.requestor.files.records import REPARSE_POINT, Entry, FileFailure
from fsrvpd.requestor.files.streams import Stream, parsed

GIVE_UP = 60.0  # seconds
_LONGEST = m.LONGEST_PATH - 1024  # UTF-16 units, with a prefix, a server and a share before it
_ENOUGH = 65536  # bytes: what one credit pays for
_NOT_WITH_SACL = frozenset({statuses.ACCESS_DENIED, statuses.PRIVILEGE_NOT_HELD})


class FileTree(Closing):
    r"""Threads may share one. It connects again by itself, since a shadow copy cannot change, and
    gives up after `give_up` seconds without the server.

    A context manager that closes it. Paths are relative to `prefix`, with `\` between components;
    "" is the root. Each method raises FileFailure.
    """

    def __init__(
        self, connect: Connect, share: str, prefix: str = "", *, give_up: float = GIVE_UP
    ) -> None:
        """Nothing is contacted yet. `connect` makes a session that nobody else uses."""
        self._link = Link(connect, share, give_up=give_up)
        self._prefix = prefix
        self.asks_for_sacl = True  # until it was refused

    @property
    def reconnections(self) -> int:
        """How often a connection broke."""
        return self._link.reconnections

    @property
    def messages_sent(self) -> int:
        """Over the connection that there is."""
        return self._link.channel().messages_sent

    def unc(self, path: str = "") -> str:
        return self._link.unc(self._whole(path))

    def entry(self, path: str) -> Entry:
        whole = self.checked(path)
        return self.run(path, lambda channel: _entry(channel, whole))

    def entries(self, path: str) -> Iterator[Entry]:
        """What is in a directory, without `.` and `..`. Names are hostile: `records.unsafe`."""
        listing = Resumed(self.checked(path))
        while True:
            batch = self.run(path, listing.next)
            if not batch:
                return
            yield from batch

    def open(self, path: str, stream: str = "") -> OpenFile:
        """For reading. A symbolic link is not followed: ELOOP."""
        whole = self.checked(path) + (f":{stream}" if stream else "")
        name = path.rpartition("\\")[2]
        return OpenFile(self._link, whole, lambda: self._link.unc(whole), name)

    def streams(self, path: str) -> Sequence[Stream]:
        """Name and size, without the unnamed one."""
        whole = self.checked(path)
        return self.run(path, lambda channel: parsed(_streams(channel, whole)))

    def security_descriptor(self, path: str) -> bytes:
        """Self-relative: owner, group and DACL, and the SACL where the account may read it."""
        whole = self.checked(path)
        return self.run(path, lambda channel: self._descriptor(channel, whole))

    def close(self) -> None:
        """Raises nothing; may be called twice."""
        self._link.close()

    def _whole(self, path: str) -> str:
        return "\\".join(part for part in (self._prefix, path) if part)

    @staticmethod
    def wrong(path: str) -> bool:
        """Whether a path would lead elsewhere, or to nothing that a request has room for."""
        if len(path.encode("utf-16-le", "surrogatepass")) > 2 * _LONGEST:
            return True
        parts = path.split("\\") if path else []
        return any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts)

    def checked(self, path: str) -> str:
        """The path from the share's root. A name that came from the server must not lead
        elsewhere. Raises: FileFailure."""
        if self.wrong(path):
            raise FileFailure(self.unc(path), "it is no path of a share", errno=errno.EINVAL)
        return self._whole(path)

    def run(self, path: str, work: Callable[[Channel], Result]) -> Result:
        """Do `work` over the tree's connection; again over a new one, if one breaks.

        Raises: FileFailure, with the name of `path`.
        """
        return self._link.run(lambda: self.unc(path), work)

    def _descriptor(self, channel: Channel, whole: str) -> bytes:
        if self.asks_for_sacl:
            access = m.READ_CONTROL | m.SYSTEM_SECURITY
            try:
                return _queried(
                    channel, whole, access, m.SECURITY_INFO, 0, m.OWNER_GROUP_DACL | m.SACL
                )
            except Refused as error:
                if error.status not in _NOT_WITH_SACL:
                    raise
        found = _queried(channel, whole, m.READ_CONTROL, m.SECURITY_INFO, 0, m.OWNER_GROUP_DACL)
        self.asks_for_sacl = False
        return found


def _entry(channel: Channel, whole: str) -> Entry:
    opened, with_id, _ = channel.ask(
        m.create(channel.name(whole), m.READ_ATTRIBUTES, m.REPARSE_POINT),
        m.query_info(m.RELATED, m.FILE_INFO, m.INTERNAL_INFO, 8),
        m.close(m.RELATED),
    )
    found = m.created(good(opened))
    tag = 0
    if found.attributes & REPARSE_POINT:
        data = _queried(channel, whole, m.READ_ATTRIBUTES, m.FILE_INFO, m.TAG_INFO)
        tag = struct.unpack_from("<4xI", data.ljust(8, b"\0"))[0]
    return entry_of(whole.rpartition("\\")[2], found, with_id, tag)


def _streams(channel: Channel, whole: str) -> bytes:
    return _queried(channel, whole, m.READ_ATTRIBUTES, m.FILE_INFO, m.STREAM_INFO)


def _queried(
    channel: Channel, whole: str, access: int, kind: int, info_class: int, parts: int = 0
) -> bytes:
    """What QUERY_INFO says of a file, which is opened and closed in the same message."""
    answer: Optional[Answer] = None
    for size in (_ENOUGH, channel.listing):
        opened, answer, _ = channel.ask(
            m.create(channel.name(whole), access, m.REPARSE_POINT),
            m.query_info(m.RELATED, kind, info_class, size, parts),
            m.close(m.RELATED),
        )
        good(opened)
        if answer.status not in statuses.TOO_SMALL:
            break
    if answer is None or answer.status in statuses.TOO_SMALL:
        raise Malformed("more of it than it takes itself")
    return bytes(m.queried(good(answer)))
