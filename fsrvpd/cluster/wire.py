"""The messages of agents to each other, as bytes.

A message begins with its kind and with the version of who sent it. `Here` and `LastWords` have the
same first fields in all versions: new ones are added at the end, where an older agent does not
look. Calls and answers are understood by agents of the same version alone.

Only root can write to ctdbd's socket. Everything is distrusted all the same: a message may come
from another version, or be damaged, and whoever reads it serves clients. Little-endian; numbers
are aligned as in NDR.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Union

from fsrvpd.cluster.events import LastWords
from fsrvpd.cluster.members import Here
from fsrvpd.core.messages import Opnum
from fsrvpd.errors import FsrvpdError
from fsrvpd.ndr_reader import NdrReader
from fsrvpd.protocol.ports import Caller

VERSION = 1
LARGEST = 1 << 20  # bytes of one message
_MAGIC = 0x56525346  # "FSRV"
_HERE, _LAST_WORDS, _CALL, _ANSWER, _MOUNTS, _MOUNTED = range(1, 7)
_LONGEST_NONCE = 64  # characters
_LONGEST_TEXT = 4096  # bytes
_MOST_NAMES = 4096
_MOST_SIDS = 8192  # of a caller; Windows has no more than 1024 in a token
_LARGEST_STUB = 1 << 16
_MOST_NODES = 4096
_LONGEST_AGE = 24 * 3600 * 1000  # ms


class RequestId(NamedTuple):
    """Of a call that a door passes on."""

    nonce: str  # of the door's process
    number: int


class ForwardedCall(NamedTuple):
    """From a door to the leader. The stub is in NDR, little-endian."""

    leader: str  # the nonce of whom it is meant for
    door: int  # its node
    request: RequestId
    age: int  # ms since the client sent it
    caller: Caller
    opnum: Opnum
    stub: bytes


class ForwardedAnswer(NamedTuple):
    """From the leader to a door."""

    request: RequestId
    stub: bytes
    reason: str = ""  # of a refusal, for the door's log


class MountRequest(NamedTuple):
    """From the leader to another node; `mounts.read_order` reads the order."""

    leader: int  # its node
    request: RequestId  # with the nonce of the leader's process
    order: str


class MountAnswer(NamedTuple):
    """`failure` is empty when everything was done."""

    node: int
    request: RequestId
    failure: str = ""


Message = Union[Here, LastWords, ForwardedCall, ForwardedAnswer, MountRequest, MountAnswer]


class WireError(FsrvpdError):
    """It is no message of an agent."""


class OtherVersion(WireError):
    """It is one of an agent of another version."""


def encode(message: Message) -> bytes:
    """Raises: WireError if it is too large to be sent."""
    out = _Writer()
    if isinstance(message, Here):
        _write_here(out, message)
    elif isinstance(message, LastWords):
        out.head(_LAST_WORDS)
        out.number(message.pnn)
        out.text(message.nonce)
    elif isinstance(message, ForwardedCall):
        _write_call(out, message)
    elif isinstance(message, MountRequest):
        out.head(_MOUNTS)
        out.number(message.leader)
        out.request(message.request)
        out.blob(message.order.encode(errors="surrogateescape"))
    elif isinstance(message, MountAnswer):
        out.head(_MOUNTED)
        out.number(message.node)
        out.request(message.request)
        out.text(message.failure)
    else:
        out.head(_ANSWER)
        out.request(message.request)
        out.blob(message.stub)
        out.text(message.reason[:_LONGEST_TEXT])
    if len(out.data) > LARGEST:
        raise WireError(f"a message of {len(out.data)} bytes is too large")
    return bytes(out.data)


def decode(data: bytes) -> Message:
    """Raises: WireError, OtherVersion."""
    if len(data) > LARGEST:
        raise WireError(f"a message of {len(data)} bytes")
    reader = _Reader(data, 0, WireError)
    if reader.u32() != _MAGIC:
        raise WireError("not a message of fsrvpd")
    kind, version = reader.u32(), reader.u32()
    if kind == _HERE:
        return _read_here(reader, version)
    if kind == _LAST_WORDS:
        return LastWords(reader.node(), reader.nonce())
    if version != VERSION:
        raise OtherVersion(f"a message of version {version}, this is {VERSION}")
    if kind == _CALL:
        return _read_call(reader)
    if kind == _ANSWER:
        return ForwardedAnswer(reader.request(), reader.stub(), reader.text())
    if kind == _MOUNTS:
        return MountRequest(reader.node(), reader.request(), reader.long_text())
    if kind == _MOUNTED:
        return MountAnswer(reader.node(), reader.request(), reader.text())
    raise WireError(f"a message of kind {kind}")


def _write_here(out: _Writer, here: Here) -> None:
    out.head(_HERE, here.wire)
    out.number(here.pnn)
    out.text(here.nonce)
    out.large_number(here.term)
    out.large_number(max(round(here.wall_clock * 1000), 0))
    out.large_number(here.free_space)
    out.text(here.options)
    out.texts(here.names)


def _read_here(reader: _Reader, version: int) -> Here:
    pnn, nonce, term = reader.node(), reader.nonce(), reader.u64()
    wall_clock, free_space, options = reader.u64() / 1000, reader.u64(), reader.text()
    names = frozenset(reader.texts(_MOST_NAMES))
    return Here(pnn, nonce, version, term, names, wall_clock, free_space, options)


def _write_call(out: _Writer, call: ForwardedCall) -> None:
    out.head(_CALL)
    out.text(call.leader)
    out.number(call.door)
    out.request(call.request)
    out.number(min(max(call.age, 0), _LONGEST_AGE))
    caller = call.caller
    for text in (caller.address, caller.account, caller.user_sid):
        out.text(text)
    out.texts(caller.sids)
    out.large_number(caller.privileges)
    out.number(caller.uid & 0xFFFFFFFF)
    out.number(caller.anonymous | caller.encrypted << 1)
    out.number(call.opnum)
    out.blob(call.stub)


def _read_call(reader: _Reader) -> ForwardedCall:
    leader, door, request, age = reader.nonce(), reader.node(), reader.request(), reader.u32()
    if age > _LONGEST_AGE:
        raise WireError(f"a call of {age} ms")
    caller = _read_caller(reader)
    opnum = reader.u32()
    if opnum not in Opnum.__members__.values():
        raise WireError(f"a call of method {opnum}")
    return ForwardedCall(leader, door, request, age, caller, Opnum(opnum), reader.stub())


def _read_caller(reader: _Reader) -> Caller:
    address, account, user_sid = reader.text(), reader.text(), reader.text()
    sids, privileges = frozenset(reader.texts(_MOST_SIDS)), reader.u64()
    uid, flags = reader.u32(), reader.u32()
    if flags > 3:
        raise WireError(f"a caller with flags {flags:#x}")
    uid = -1 if uid == 0xFFFFFFFF else uid
    return Caller(
        address, account, user_sid, sids, privileges, uid, bool(flags & 1), bool(flags & 2)
    )


class _Writer:
    def __init__(self) -> None:
        self.data = bytearray()

    def head(self, kind: int, version: int = VERSION) -> None:
        for number in (_MAGIC, kind, version):
            self.number(number)

    def number(self, number: int) -> None:
        self._add("<I", number)

    def large_number(self, number: int) -> None:
        self._add("<Q", number)

    def blob(self, data: bytes) -> None:
        self.number(len(data))
        self.data += data

    def text(self, text: str) -> None:
        self.blob(text.encode(errors="surrogateescape")[:_LONGEST_TEXT])

    def texts(self, texts: frozenset[str]) -> None:
        self.number(len(texts))
        for text in sorted(texts):
            self.text(text)

    def request(self, request: RequestId) -> None:
        self.text(request.nonce)
        self.large_number(request.number)

    def _add(self, form: str, number: int) -> None:
        self.data += bytes(-len(self.data) % struct.calcsize(form))
        self.data += struct.pack(form, number)


class _Reader(NdrReader):
    """Raises: WireError."""

    def node(self) -> int:
        pnn = self.u32()
        if pnn >= _MOST_NODES:
            raise WireError(f"a message of node {pnn}")
        return pnn

    def nonce(self) -> str:
        nonce = self.text()
        if not 0 < len(nonce) <= _LONGEST_NONCE or not nonce.isalnum():
            raise WireError(f"a message of process {nonce!r:.80}")
        return nonce

    def request(self) -> RequestId:
        return RequestId(self.nonce(), self.u64())

    def stub(self) -> bytes:
        return self._blob(_LARGEST_STUB)

    def long_text(self) -> str:
        return self._blob(LARGEST).decode(errors="surrogateescape")

    def text(self) -> str:
        return self._blob(_LONGEST_TEXT).decode(errors="surrogateescape")

    def texts(self, most: int) -> list[str]:
        count = self.count(4)
        if count > most:
            raise WireError(f"a list of {count} texts")
        return self.array(count, self.text)

    def _blob(self, longest: int) -> bytes:
        size = self.u32()
        if size > longest:
            raise WireError(f"a field of {size} bytes")
        return self.take(size)
