"""A connection to ctdbd, the daemon that keeps the databases of a cluster of Samba servers.

Controls ask a node's ctdbd, messages reach programs on other nodes that listen on their number
(srvid). A persistent transaction is one control: all of its records are written on all active
nodes, or none. ctdbd refuses a record whose sequence number (RSN) is not higher than the one
that it has, so a writer who rewrites one record each time is fenced by whoever else rewrites it.

There is no stable library for this. Constants and layouts are those of ctdb/protocol/protocol.h, an
enumeration that is only appended to; little-endian, as ctdbd writes on the machines that it
supports. Run with ctdbd 4.17.
"""

from __future__ import annotations

import errno
import itertools
import socket
import struct
from enum import IntEnum
from typing import Callable, Mapping, NamedTuple

from fsrvpd.errors import FsrvpdError

_MAGIC, _VERSION = 0x43544442, 1
_MESSAGE, _CONTROL, _REPLY = 5, 7, 8
_HEADER = struct.Struct("<8I")  # length, magic, version, generation, operation, to, from, request
_ASKED = struct.Struct("<IIQIII")  # opcode, padding, srvid, client, flags, length of data
_ANSWERED = struct.Struct("<iII")  # status, length of data, length of error
_TOLD = struct.Struct("<QI")  # srvid, length of data
_RECORD = struct.Struct("<IIII")  # length of all, unused, length of key, length of data
_LTDB = struct.Struct("<QIII4x")  # RSN, node, unused, flags: before the data of each record
_NODE = struct.Struct("<II")  # number, flags; an address follows
_ALIGNMENT = 8
_MOST = 64 << 20  # bytes of one packet; ctdbd sends none that is larger to a client
_CHUNK = 1 << 16

CURRENT_NODE = 0xF0000001
BROADCAST_CONNECTED = 0xF0000004
SEQUENCE_NUMBER = b"__db_sequence_number__\0"  # of a persistent database, a record itself


class Opcode(IntEnum):
    """What controls ask for."""

    GETDBPATH = 4
    GET_RECMODE = 15
    REGISTER_SRVID = 23
    GET_PNN = 35
    DB_ATTACH_PERSISTENT = 61
    GET_NODEMAP = 91
    GET_RECLOCK_FILE = 99
    REGISTER_NOTIFY = 114
    TRANS3_COMMIT = 119


class NodeFlags(IntEnum):
    """Why a node does not take part, or serves no public address."""

    DISCONNECTED = 1
    UNHEALTHY = 2
    DISABLED = 4
    BANNED = 8
    DELETED = 16
    STOPPED = 32


class Answer(NamedTuple):
    """`status` 0 is success; `error` says why not."""

    status: int
    data: bytes
    error: str


class Record(NamedTuple):
    """A record to write, with a sequence number higher than the one that it has."""

    rsn: int
    value: bytes


class CtdbLost(FsrvpdError):
    """ctdbd is not running on this node, or has closed the connection."""


Done = Callable[[Answer], None]
# With srvid and data. Who sent it is not told: ctdbd names the node that delivers.
OnMessage = Callable[[int, bytes], None]


class CtdbConnection:
    """Belongs to one thread. Only the constructor waits; answers and messages come in `receive`,
    which an event loop calls when `fileno` is readable. A request whose answer never comes is
    dropped with `close`."""

    def __init__(self, path: str, on_message: OnMessage) -> None:
        """Raises: CtdbLost."""
        self._on_message = on_message
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Done] = {}
        self._received = bytearray()
        self._unsent = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise CtdbLost(f"{path}: {error.strerror}; is ctdbd running?") from error
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def wants_to_send(self) -> bool:
        """Whether `send` is to be called when the socket is writable."""
        return bool(self._unsent)

    def close(self) -> None:
        """Whoever waits for an answer gets none."""
        self._waiting.clear()
        self._socket.close()

    def control(self, opcode: Opcode, done: Done, data: bytes = b"", *, srvid: int = 0) -> None:
        """Ask this node's ctdbd. Raises: CtdbLost."""
        number = next(self._numbers) & 0xFFFFFFFF
        self._waiting[number] = done
        body = _ASKED.pack(opcode, 0, srvid, 0, 0, len(data)) + data
        self._queue(_CONTROL, CURRENT_NODE, number, body)

    def message(self, node: int, srvid: int, data: bytes) -> None:
        """Tell every program that listens on `srvid` on a node, or on all. Raises: CtdbLost."""
        self._queue(_MESSAGE, node, 0, _TOLD.pack(srvid, len(data)) + data)

    def listen(self, srvid: int, done: Done) -> None:
        """Have messages with this number passed on."""
        self.control(Opcode.REGISTER_SRVID, done, srvid=srvid)

    def leave_words(self, srvid: int, data: bytes, done: Done) -> None:
        """Have ctdbd send a message to all nodes when this program's connection ends."""
        self.control(Opcode.REGISTER_NOTIFY, done, _TOLD.pack(srvid, len(data)) + data)

    def attach(self, name: str, done: Done) -> None:
        """Make or open a persistent database; its id is in the answer, see `database_id`."""
        self.control(Opcode.DB_ATTACH_PERSISTENT, done, name.encode() + b"\0")

    def commit(self, database: int, node: int, records: Mapping[bytes, Record], done: Done) -> None:
        """Write all records on all active nodes, or none. `node` is this node's number; one of the
        records is SEQUENCE_NUMBER. A status that is not 0 does not say that nothing was written:
        a recovery may have completed it."""
        self.control(Opcode.TRANS3_COMMIT, done, transaction(database, node, records))

    def send(self) -> None:
        """Send what waits to be sent. Raises: CtdbLost."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                return
            except OSError as error:
                raise CtdbLost(f"ctdbd: {error.strerror}") from error
            del self._unsent[:sent]

    def receive(self) -> None:
        """Read what has come, and call whom it concerns. Raises: CtdbLost."""
        while True:
            try:
                chunk = self._socket.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError as error:
                raise CtdbLost(f"ctdbd: {error.strerror}") from error
            if not chunk:
                raise CtdbLost(f"ctdbd: {errno.errorcode[errno.EPIPE]}, it has ended")
            self._received += chunk
            while self._take_packet():
                pass

    def _queue(self, operation: int, node: int, number: int, body: bytes) -> None:
        padding = b"\0" * (-(_HEADER.size + len(body)) % _ALIGNMENT)
        size = _HEADER.size + len(body) + len(padding)
        head = _HEADER.pack(size, _MAGIC, _VERSION, 0, operation, node, 0, number)
        self._unsent += head + body + padding
        self.send()

    def _take_packet(self) -> bool:
        """Whether there was a whole one. Raises: CtdbLost."""
        if len(self._received) < _HEADER.size:
            return False
        size, magic, version, _, operation, _, _, number = _HEADER.unpack_from(self._received)
        if (magic, version) != (_MAGIC, _VERSION) or not _HEADER.size <= size <= _MOST:
            raise CtdbLost("ctdbd speaks another version of its protocol")
        if len(self._received) < size:
            return False
        body = bytes(self._received[_HEADER.size : size])
        del self._received[:size]
        try:
            self._handle(operation, number, body)
        except struct.error as error:
            raise CtdbLost(f"ctdbd sent a packet that is too short: {error}") from error
        return True

    def _handle(self, operation: int, number: int, body: bytes) -> None:
        if operation == _REPLY:
            done = self._waiting.pop(number, None)
            if done is not None:
                done(_answer(body))
        elif operation == _MESSAGE:
            srvid, size = _TOLD.unpack_from(body)
            self._on_message(srvid, body[_TOLD.size : _TOLD.size + size])


def transaction(database: int, node: int, records: Mapping[bytes, Record]) -> bytes:
    """The data of TRANS3_COMMIT."""
    parts = [struct.pack("<II", database, len(records))]
    for key, record in records.items():
        data = _LTDB.pack(record.rsn, node, 0, 0) + record.value
        size = _RECORD.size + len(key) + len(data)
        parts += [_RECORD.pack(size, 0, len(key), len(data)), key, data]
    return b"".join(parts)


def database_id(answer: Answer) -> int:
    """Of an answer to `attach`. Raises: CtdbLost."""
    if answer.status != 0 or len(answer.data) != 4:
        raise CtdbLost(f"ctdbd cannot open the database: {answer.error or answer.status}")
    return int.from_bytes(answer.data, "little")


def nodes(answer: Answer) -> dict[int, int]:
    """Of an answer to GET_NODEMAP: flags (NodeFlags) by number. Raises: CtdbLost."""
    if answer.status != 0 or len(answer.data) < 4:
        raise CtdbLost(f"ctdbd does not say which nodes there are: {answer.error}")
    (count,) = struct.unpack_from("<I", answer.data)
    size = (len(answer.data) - 4) // count if count else 0
    if size < _NODE.size and count:
        raise CtdbLost("ctdbd sent a list of nodes that is too short")
    return dict(_NODE.unpack_from(answer.data, 4 + size * number) for number in range(count))


def _answer(body: bytes) -> Answer:
    status, data_size, error_size = _ANSWERED.unpack_from(body)
    data, rest = body[_ANSWERED.size :][:data_size], body[_ANSWERED.size + data_size :]
    return Answer(status, data, rest[:error_size].rstrip(b"\0").decode(errors="replace"))
