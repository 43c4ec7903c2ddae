"""What is said on ctdbd's socket, as bytes.

Constants and layouts are those of ctdb/protocol/protocol.h, an enumeration that is only appended
to; little-endian, as ctdbd writes on the machines that it supports. Run with ctdbd 4.17. Whatever
is read here is distrusted: what ctdbd never sends raises CtdbLost, and the connection is closed.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Mapping, NamedTuple, Optional

from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.cluster import Record

_MAGIC, _VERSION = 0x43544442, 1
MESSAGE, CONTROL, REPLY = 5, 7, 8
_HEADER = struct.Struct("<8I")  # length, magic, version, generation, operation, to, from, request
_ASKED = struct.Struct("<IIQIII")  # opcode, padding, srvid, client, flags, length of data
_ANSWERED = struct.Struct("<iII")  # status, length of data, length of error
_TOLD = struct.Struct("<QI")  # srvid, length of data
_RECORD = struct.Struct("<IIII")  # length of all, unused, length of key, length of data
LTDB = struct.Struct("<QIII4x")  # RSN, node, unused, flags: before the data of each record
_NODE = struct.Struct("<II")  # number, flags; an address follows
_ALIGNMENT = 8
LARGEST = 64 << 20  # bytes of one packet; ctdbd sends none that is larger to a client
_MOST_NODES = 4096  # CTDB's own limit is that of its table of connections, far below

CURRENT_NODE = 0xF0000001
BROADCAST_ALL = 0xF0000002
BROADCAST_ACTIVE = 0xF0000003
BROADCAST_CONNECTED = 0xF0000004
RECOVERED = 0xF2 << 56  # ctdbd's own message to its clients at the end of each recovery


class Opcode(IntEnum):
    """What controls ask for."""

    GETDBPATH = 4
    GET_RECMODE = 15
    REGISTER_SRVID = 23
    DEREGISTER_SRVID = 24
    GET_PNN = 35
    DB_ATTACH_PERSISTENT = 61
    GET_NODEMAP = 91
    GET_RECLOCK_FILE = 99
    REGISTER_NOTIFY = 114
    DEREGISTER_NOTIFY = 115
    TRANS3_COMMIT = 119
    GET_DB_SEQNUM = 120
    DB_ATTACH_REPLICATED = 150


class NodeFlags(IntEnum):
    """Why a node does not take part, or serves no public address."""

    DISCONNECTED = 1
    UNHEALTHY = 2
    DISABLED = 4
    BANNED = 8
    DELETED = 16
    STOPPED = 32


INACTIVE = (
    NodeFlags.DISCONNECTED | NodeFlags.BANNED | NodeFlags.DELETED | NodeFlags.STOPPED
)  # takes no part in transactions


class Answer(NamedTuple):
    """`status` 0 is success, other than of GET_PNN and GET_RECMODE; `error` says why not."""

    status: int
    data: bytes
    error: str


class Told(NamedTuple):
    """A message. Who sent it is not told: ctdbd names the node that delivers."""

    srvid: int
    data: bytes


class Packet(NamedTuple):
    """One packet as it came, without what is in each header."""

    operation: int
    number: int  # of the request that it answers
    body: bytes


class CtdbLost(FsrvpdError):
    """ctdbd is not running on this node, has closed the connection, or sends what it never does."""


def packet(operation: int, node: int, number: int, body: bytes) -> bytes:
    padding = b"\0" * (-(_HEADER.size + len(body)) % _ALIGNMENT)
    size = _HEADER.size + len(body) + len(padding)
    head = _HEADER.pack(size, _MAGIC, _VERSION, 0, operation, node, 0, number)
    return head + body + padding


def request(opcode: Opcode, srvid: int, data: bytes) -> bytes:
    """The body of a control."""
    return _ASKED.pack(opcode, 0, srvid, 0, 0, len(data)) + data


def words(srvid: int, data: bytes) -> bytes:
    """The body of a message, and the data of REGISTER_NOTIFY."""
    return _TOLD.pack(srvid, len(data)) + data


def transaction(database: int, node: int, records: Mapping[bytes, Record]) -> bytes:
    """The data of TRANS3_COMMIT."""
    parts = [struct.pack("<II", database, len(records))]
    for key, record in records.items():
        data = LTDB.pack(record.rsn, node, 0, 0) + record.value
        size = _RECORD.size + len(key) + len(data)
        parts += [_RECORD.pack(size, 0, len(key), len(data)), key, data]
    return b"".join(parts)


def take(received: bytearray) -> Optional[Packet]:
    """Remove the first packet, if it is whole. Raises: CtdbLost."""
    if len(received) < _HEADER.size:
        return None
    size, magic, version, _, operation, _, _, number = _HEADER.unpack_from(received)
    if (magic, version) != (_MAGIC, _VERSION):
        raise CtdbLost("ctdbd speaks another version of its protocol")
    if not _HEADER.size <= size <= LARGEST:
        raise CtdbLost(f"ctdbd sends a packet of {size} bytes")
    if len(received) < size:
        return None
    body = bytes(received[_HEADER.size : size])
    del received[:size]
    return Packet(operation, number, body)


def answer(body: bytes) -> Answer:
    """Of a packet REPLY. Raises: CtdbLost."""
    if len(body) < _ANSWERED.size:
        raise CtdbLost("ctdbd sent an answer that is too short")
    status, data_size, error_size = _ANSWERED.unpack_from(body)
    if _ANSWERED.size + data_size + error_size > len(body):
        raise CtdbLost("ctdbd sent an answer that is shorter than it says")
    rest = body[_ANSWERED.size :]
    error = rest[data_size : data_size + error_size].split(b"\0")[0]
    return Answer(status, rest[:data_size], _printable(error))


def told(body: bytes) -> Told:
    """Of a packet MESSAGE. Raises: CtdbLost."""
    if len(body) < _TOLD.size:
        raise CtdbLost("ctdbd sent a message that is too short")
    srvid, size = _TOLD.unpack_from(body)
    if _TOLD.size + size > len(body):
        raise CtdbLost("ctdbd sent a message that is shorter than it says")
    return Told(srvid, body[_TOLD.size : _TOLD.size + size])


def pnn(found: Answer) -> int:
    """Of an answer to GET_PNN: this node's number. Raises: CtdbLost."""
    if not 0 <= found.status < _MOST_NODES:
        raise CtdbLost(f"ctdbd does not say which node this is: {found.error or found.status}")
    return found.status


def is_recovering(found: Answer) -> bool:
    """Of an answer to GET_RECMODE: whether databases are about to be replaced, so that none can
    be written. Raises: CtdbLost."""
    if found.status not in (0, 1):
        raise CtdbLost(f"ctdbd does not say whether it recovers: {found.error or found.status}")
    return found.status != 0


def database_id(found: Answer) -> int:
    """Of an answer to `attach`. Raises: CtdbLost."""
    if found.status != 0 or len(found.data) != 4:
        raise CtdbLost(f"ctdbd cannot open the database: {found.error or found.status}")
    return int.from_bytes(found.data, "little")


def path(found: Answer) -> str:
    """Of an answer to GETDBPATH: the file of the node's copy. Raises: CtdbLost."""
    name = _text(found, "where a database is")
    if not name.startswith("/"):
        raise CtdbLost(f"ctdbd says that a database is at {name!r}")
    return name


def cluster_lock(found: Answer) -> str:
    """Of an answer to GET_RECLOCK_FILE: a path or the command of a helper; "" if there is none.
    Raises: CtdbLost."""
    return _text(found, "what its cluster lock is") if found.data or found.status else ""


def nodes(found: Answer) -> dict[int, int]:
    """Of an answer to GET_NODEMAP: flags (NodeFlags) by number. Raises: CtdbLost."""
    if found.status != 0 or len(found.data) < 4:
        raise CtdbLost(f"ctdbd does not say which nodes there are: {found.error or found.status}")
    (count,) = struct.unpack_from("<I", found.data)
    size, rest = divmod(len(found.data) - 4, count) if count else (_NODE.size, 0)
    if count > _MOST_NODES or size < _NODE.size or rest:
        raise CtdbLost("ctdbd sent a list of nodes that is too short")
    listed = dict(_NODE.unpack_from(found.data, 4 + size * number) for number in range(count))
    if len(listed) != count:
        raise CtdbLost("ctdbd sent a list that names a node twice")
    return listed


def _text(found: Answer, what: str) -> str:
    if found.status != 0:
        raise CtdbLost(f"ctdbd does not say {what}: {found.error or found.status}")
    return found.data.split(b"\0")[0].decode(errors="surrogateescape")


def _printable(text: bytes) -> str:
    """For a line of the log, which one answer must not make two of."""
    return "".join(
        each if each.isprintable() else "?" for each in text.decode(errors="replace").strip()
    )
