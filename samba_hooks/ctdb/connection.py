"""A connection to ctdbd, the daemon that keeps the databases of a cluster of Samba servers.

Controls ask a node's ctdbd, messages reach programs on other nodes that listen on their number
(srvid). A persistent transaction is one control: all of its records are written on all active
nodes, or none. ctdbd refuses a record whose sequence number (RSN) is not higher than the one
that it has, so a writer who rewrites one record each time is fenced by whoever else rewrites it.
"""

from __future__ import annotations

import itertools
import os
import socket
from typing import Callable, Mapping

from fsrvpd.protocol.cluster import Record
from samba_hooks.ctdb import packets
from samba_hooks.ctdb.packets import (
    CONTROL,
    CURRENT_NODE,
    MESSAGE,
    REPLY,
    Answer,
    CtdbLost,
    Opcode,
)

SOCKET = "/run/ctdb/ctdbd.socket"
_CHUNK = 1 << 16
_MOST_CHUNKS = 64  # in one call of `receive`: others are to be served, too
# Bytes that may wait. ctdbd that takes nothing for so long is as good as gone.
_MOST_UNSENT = packets.LARGEST + (1 << 20)

Done = Callable[[Answer], None]
OnMessage = Callable[[int, bytes], None]  # with srvid and data


class CtdbConnection:
    """Belongs to one thread, and never waits: answers and messages come in `ready`, which an event
    loop calls when `fileno` is readable, or writable while `wants_to_send`. A request whose answer
    never comes is dropped with `close`."""

    def __init__(
        self, path: str, on_message: OnMessage, on_unsent: Callable[[], None] = lambda: None
    ) -> None:
        """`on_unsent` is called when the socket is full, so that something waits to be sent.
        Raises: CtdbLost."""
        self._on_message = on_message
        self._on_unsent = on_unsent
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Done] = {}
        self._received = bytearray()
        self._unsent = bytearray()
        self._is_closed = False
        kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_UNIX, kind)
        try:
            # Succeeds at once, or fails where a ctdbd that is stopped has too many waiting.
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise CtdbLost(f"{path}: {_reason(error)}; is ctdbd running?") from error

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def wants_to_send(self) -> bool:
        """Whether `ready` is to be called when the socket is writable."""
        return bool(self._unsent)

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        """Whoever waits for an answer gets none."""
        self._is_closed = True
        self._waiting.clear()
        self._received.clear()
        self._unsent.clear()
        self._socket.close()

    def control(self, opcode: Opcode, done: Done, data: bytes = b"", *, srvid: int = 0) -> None:
        """Ask this node's ctdbd. Raises: CtdbLost."""
        number = next(self._numbers) & 0xFFFFFFFF
        self._waiting[number] = done
        self._queue(CONTROL, CURRENT_NODE, number, packets.request(opcode, srvid, data))

    def message(self, node: int, srvid: int, data: bytes) -> None:
        """Tell every program that listens on `srvid` on a node, or on all. Raises: CtdbLost."""
        self._queue(MESSAGE, node, 0, packets.words(srvid, data))

    def listen(self, srvid: int, done: Done) -> None:
        """Have messages with this number passed on."""
        self.control(Opcode.REGISTER_SRVID, done, srvid=srvid)

    def leave_words(self, srvid: int, data: bytes, done: Done) -> None:
        """Have ctdbd send a message to all nodes when this program's connection ends. Only one for
        each number: other words are refused until `forget_words`."""
        self.control(Opcode.REGISTER_NOTIFY, done, packets.words(srvid, data))

    def forget_words(self, srvid: int, done: Done) -> None:
        """End without them."""
        self.control(Opcode.DEREGISTER_NOTIFY, done, srvid.to_bytes(8, "little"))

    def attach(self, name: str, done: Done) -> None:
        """Make or open a persistent database; its id is in the answer, see `database_id`."""
        self.control(Opcode.DB_ATTACH_PERSISTENT, done, name.encode() + b"\0")

    def attach_replicated(self, name: str, done: Done) -> None:
        """Make or open a database that is written like a persistent one, and is empty again when
        all nodes have been down."""
        self.control(Opcode.DB_ATTACH_REPLICATED, done, name.encode() + b"\0")

    def database_path(self, database: int, done: Done) -> None:
        """Ask for the file of this node's copy; see `path`."""
        self.control(Opcode.GETDBPATH, done, database.to_bytes(4, "little"))

    def commit(self, database: int, node: int, records: Mapping[bytes, Record], done: Done) -> None:
        """Write all records on all active nodes, or none. `node` is this node's number; one of the
        records is SEQUENCE_NUMBER. A status that is not 0 does not say that nothing was written:
        a recovery may have completed it."""
        self.control(Opcode.TRANS3_COMMIT, done, packets.transaction(database, node, records))

    def ready(self) -> None:
        """Send what waits, read what has come. Raises: CtdbLost."""
        self.send()
        self.receive()

    def send(self) -> None:
        """Send what waits to be sent. Raises: CtdbLost."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                return
            except OSError as error:
                raise CtdbLost(f"ctdbd: {_reason(error)}") from error
            del self._unsent[:sent]

    def receive(self) -> None:
        """Read what has come, and call whom it concerns. Raises: CtdbLost."""
        for _ in range(_MOST_CHUNKS):
            try:
                chunk = self._socket.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError as error:
                raise CtdbLost(f"ctdbd: {_reason(error)}") from error
            if not chunk:
                raise CtdbLost("ctdbd has ended")
            self._received += chunk
            self._take_packets()
            if self._is_closed:  # by one of those whom it concerned
                return

    def _queue(self, operation: int, node: int, number: int, body: bytes) -> None:
        if self._is_closed:
            raise CtdbLost("the connection to ctdbd is closed")
        had_unsent = bool(self._unsent)
        self._unsent += packets.packet(operation, node, number, body)
        self.send()
        if len(self._unsent) > _MOST_UNSENT:
            raise CtdbLost("ctdbd takes nothing more")
        if self._unsent and not had_unsent:
            self._on_unsent()

    def _take_packets(self) -> None:
        while not self._is_closed:
            found = packets.take(self._received)
            if found is None:
                return
            if found.operation == REPLY:
                answer = packets.answer(found.body)
                done = self._waiting.pop(found.number, None)
                if done is not None:
                    done(answer)
            elif found.operation == MESSAGE:
                self._on_message(*packets.told(found.body))


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
