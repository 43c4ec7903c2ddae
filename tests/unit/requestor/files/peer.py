"""A server in a thread that answers as a test says, for what no real server does."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, Callable, Iterator, List, NamedTuple, Sequence

from smbprotocol import Dialects
from smbprotocol.connection import Ciphers, SigningAlgorithms

from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files.messages import Answer
from fsrvpd.requestor.files.protection import Protection, parts

KEY = bytes(range(16))
HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")
FILE_ID = b"f" * 16
PENDING, NO_MORE_FILES, END_OF_FILE = 0x103, 0x80000006, 0xC0000011


class Reply(NamedTuple):
    body: bytes = b""
    status: int = 0


class Asked(NamedTuple):
    command: int
    message_id: int
    body: bytes
    credit_request: int
    charge: int


Handler = Callable[[Asked], Reply]


def answer(body: bytes, status: int = 0) -> Answer:
    return Answer(status, memoryview(bytearray(m.HEADER_SIZE) + body))


def opened(size: int, attributes: int = 0x20, modified: int = 3) -> Reply:
    body = struct.pack("<HBBI", 89, 0, 0, 1)
    body += struct.pack("<6QII16sII", 1, 2, modified, 4, size, size, attributes, 0, FILE_ID, 0, 0)
    return Reply(body)


def queried(data: bytes, status: int = 0) -> Reply:
    return Reply(struct.pack("<HHI", 9, m.HEADER_SIZE + 8, len(data)) + data, status)


def read(data: bytes) -> Reply:
    return Reply(struct.pack("<HBBIII", 17, m.HEADER_SIZE + 16, 0, len(data), 0, 0) + data)


def controlled(data: bytes, status: int = 0) -> Reply:
    place = m.HEADER_SIZE + 48
    head = struct.pack("<HHI16s6I", 49, 0, 0, FILE_ID, 0, 0, place, len(data), 0, 0)
    return Reply(head + data, status)


def entry(
    name: str, size: int = 0, attributes: int = 0x20, tag: int = 0, file_id: int = 9
) -> bytes:
    data = name.encode("utf-16-le", "surrogatepass")
    head = (0, 0, 1, 2, 3, 4, size, size, attributes, len(data), tag, 0, file_id)
    return struct.pack("<II6QIIIIQ", *head) + data


def listed(*entries: bytes) -> bytes:
    padded = [each + bytes(-len(each) % 8) for each in entries]
    chained = [struct.pack("<I", len(each)) + each[4:] for each in padded[:-1]]
    return b"".join((*chained, *padded[-1:]))


PEERS: List[Peer] = []  # of the test that runs: conftest.py ends them


class Peer:
    """One connection. `handle` answers each request; `send` may say anything besides."""

    def __init__(self, handle: Handler, *, encrypted: bool = False, signing: Any = None) -> None:
        self.handle = handle
        ours, self._socket = socket.socketpair()
        self.asked: List[Asked] = []
        self.connection = SimpleNamespace(
            dialect=Dialects.SMB_3_1_1,
            signing_algorithm_id=signing or SigningAlgorithms.AES_GMAC,
            cipher_id=Ciphers.AES_128_GCM,
            supports_multi_credit=True,
            max_read_size=1 << 23,
            max_transact_size=1 << 23,
            sequence_window={"low": 0, "high": 1},
            transport=SimpleNamespace(_sock=ours, close=ours.close),
        )
        self._logged_in = SimpleNamespace(
            session_id=5,
            encrypt_data=encrypted,
            signing_key=KEY,
            encryption_key=KEY,
            decryption_key=KEY,
        )
        self.protection = Protection(self.connection, self._logged_in, seals=encrypted)
        self.granted = 512
        self.closed = False
        self._ours = ours
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        PEERS.append(self)

    def session(self) -> Any:
        """In place of an SmbSession."""
        tree = SimpleNamespace(
            tree_connect_id=3, encrypt_data=False, is_dfs_share=False, share_name=r"\\nas\data"
        )
        return SimpleNamespace(
            host="nas",
            session=self._logged_in,
            connection=self.connection,
            tree=lambda share: tree,
            close=self._close,
        )

    def send(self, data: bytes) -> None:
        self._socket.sendall(len(data).to_bytes(4, "big") + data)

    def packed(self, asked: Asked, reply: Reply, *, following: int = 0, sign: bool = True) -> bytes:
        granted, self.granted = self.granted + asked.charge, 0
        head = (b"\xfeSMB", 64, 1, reply.status, asked.command, granted, 1, following)
        part = bytearray(HEADER.pack(*head, asked.message_id, 0, 3, 5, b"") + reply.body)
        if following:
            part += bytes(following - len(part))
        if sign:
            part[48:64] = self.protection._sign(asked.message_id, True, part)
        return bytes(part)

    def hang_up(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        self._close()
        self._thread.join(60)
        self._socket.close()
        self._ours.close()

    def _close(self) -> None:
        self.closed = True
        self.hang_up()

    def _serve(self) -> None:
        with suppress(OSError):
            for data in iter(self._message, b""):
                self._answer(data)

    def _message(self) -> bytes:
        size = self._exactly(4)
        return self._exactly(int.from_bytes(size, "big")) if size else b""

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = self._socket.recv(length - len(data))
            if not more:
                return b""
            data += more
        return data

    def _answer(self, data: bytes) -> None:
        if self.protection.seals:
            data = bytes(self.protection.opened(bytearray(data)))
        asked = [self._parsed(part) for part in parts(memoryview(data))]
        self.asked += asked
        replies = [
            Reply(struct.pack("<HH", 4, 0)) if each.command == m.ECHO else self.handle(each)
            for each in asked
        ]
        made = b""
        for number, (each, reply) in enumerate(zip(asked, replies)):
            size = 64 + len(reply.body)
            is_last = number == len(asked) - 1
            made += self.packed(
                each,
                reply,
                following=0 if is_last else size + -size % 8,
                sign=not self.protection.seals,
            )
        self.send(self.protection.seal(made) if self.protection.seals else made)

    def _parsed(self, part: memoryview) -> Asked:
        fields = HEADER.unpack_from(part)
        return Asked(fields[4], fields[8], bytes(part[64:]), fields[5], fields[2])


def by_command(**replies: Reply) -> Handler:
    """The same reply to each request of a command, which has its name in `messages`."""
    by_number = {getattr(m, name.upper()): reply for name, reply in replies.items()}
    by_number.setdefault(m.READ, Reply(bytes(9), END_OF_FILE))
    by_number.setdefault(m.CLOSE, Reply(bytes(60)))
    by_number.setdefault(m.QUERY_INFO, queried(struct.pack("<Q", 9)))
    return lambda asked: by_number[asked.command]


def by_command_and(ioctl: Handler, **replies: Reply) -> Handler:
    rest = by_command(**replies)
    return lambda asked: ioctl(asked) if asked.command == m.IOCTL else rest(asked)


def connect(peers: Sequence[Peer]) -> Callable[[], Any]:
    """What makes a session of each peer in turn."""
    left: Iterator[Peer] = iter(peers)
    return lambda: next(left).session()


def one_of(replies: Sequence[Reply]) -> Handler:
    """One reply after the other, then the last for ever."""
    left = iter(replies)
    return lambda asked: next(left, replies[-1])
