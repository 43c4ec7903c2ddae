"""Puts the fragments of a request or a response together. Spec: C706 12.6.3.1, 12.6.4.9."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

from fsrvpd.core.pdu import Flag, Pdu
from fsrvpd.rpc.faults import ProtocolError

if TYPE_CHECKING:
    from fsrvpd.rpc.security.channels import Security

# Bytes: a request of MS-FSRVP takes less than 4 KiB with its verification trailer. What is longer
# up to here has a bad argument, which its result says; what is longer still is not read.
MAX_STUB = 16 * 1024
MAX_FRAGMENTS = 4096

_FIRST, _LAST = Flag.FIRST_FRAGMENT, Flag.LAST_FRAGMENT
WHOLE = _FIRST | _LAST  # the flags of a message in a single fragment, which needs none of this


class MessageTooLarge(Exception):
    """The message has more bytes or fragments than are accepted."""


class WholeMessage(NamedTuple):
    """The header of its first fragment, how its fragments were protected, and its stub."""

    header: Pdu
    security: Optional[Security]
    stub: bytes


class Reassembly:
    """At most one message of an association is incomplete at a time."""

    def __init__(self) -> None:
        self.incomplete: Optional[WholeMessage] = None  # its first fragment: more are to come
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, header: Pdu, security: Optional[Security], part: bytes) -> Optional[WholeMessage]:
        """Take a fragment. Returns the message when it was the last one.

        Raises: ProtocolError, MessageTooLarge.
        """
        if header.flags & _FIRST:
            self._begin(WholeMessage(header, security, part))
            return None
        first = self.incomplete
        if first is None:
            raise ProtocolError("a fragment of a message that has not begun")
        if first.security != security or not _is_same_message(first.header, header):
            raise ProtocolError("a fragment of another message")
        self._parts.append(part)
        self._size += len(part)
        if len(self._parts) > MAX_FRAGMENTS or self._size > MAX_STUB:
            raise MessageTooLarge("a message larger than is accepted")
        if not header.flags & _LAST:
            return None
        stub = b"".join(self._parts)
        self.discard()
        return first._replace(stub=stub)

    def orphaned(self, call_id: int) -> None:
        """The client will not send the rest of this request."""
        if self.incomplete is not None and self.incomplete.header.call_id == call_id:
            self.discard()

    def discard(self) -> None:
        self.incomplete, self._parts, self._size = None, [], 0

    def _begin(self, first: WholeMessage) -> None:
        if self.incomplete is not None:
            raise ProtocolError("a message inside the fragments of another")
        self.incomplete, self._parts, self._size = first, [first.stub], len(first.stub)


def _is_same_message(first: Pdu, later: Pdu) -> bool:
    return (first.call_id, first.context_id, first.opnum, first.big_endian) == (
        later.call_id,
        later.context_id,
        later.opnum,
        later.big_endian,
    )
