"""A connection to a ctdbd that says what a test wants, byte by byte."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Iterator

import pytest

from samba_hooks import ctdb
from samba_hooks.ctdb import Answer, CtdbConnection, CtdbLost, Opcode, Record

MAGIC = 0x43544442
REPLY, MESSAGE = 8, 5


def packet(
    operation: int, body: bytes, *, number: int = 0, node: int = 0, version: int = 1
) -> bytes:
    head = struct.pack("<8I", 32 + len(body), MAGIC, version, 7, operation, 0, node, number)
    return head + body


def reply(number: int, status: int, data: bytes = b"", error: bytes = b"") -> bytes:
    body = struct.pack("<iII", status, len(data), len(error)) + data + error
    return packet(REPLY, body, number=number)


class Peer:
    """A connection, and the other end of it."""

    def __init__(self, path: Path) -> None:
        self.told: list[tuple[int, bytes]] = []
        self.answers: list[Answer] = []
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            self.connection = CtdbConnection(str(path), lambda *told: self.told.append(told))
            self.ctdbd, _ = listener.accept()

    def close(self) -> None:
        self.ctdbd.close()
        self.connection.close()


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    made = Peer(tmp_path / "ctdbd.socket")
    yield made
    made.close()


def test_a_control_is_asked_and_answered_in_pieces(peer: Peer) -> None:
    peer.connection.control(Opcode.GET_PNN, peer.answers.append)
    asked = peer.ctdbd.recv(1000)
    assert len(asked) == struct.unpack_from("<I", asked)[0] == 64
    assert struct.unpack_from("<II", asked, 4) == (MAGIC, 1)
    assert struct.unpack_from("<I", asked, 32) == (Opcode.GET_PNN,)
    number = struct.unpack_from("<I", asked, 28)[0]
    answer = reply(number, 2, b"data", b"why not\0")
    for part in (answer[:5], answer[5:40], answer[40:]):
        assert peer.answers == []
        peer.ctdbd.sendall(part)
        peer.connection.receive()
    assert peer.answers == [Answer(2, b"data", "why not")]


def test_answers_come_to_who_asked_whatever_their_order(peer: Peer) -> None:
    said: list[str] = []
    for name in ("first", "second"):
        peer.connection.listen(1, lambda answer, name=name: said.append(name))  # type: ignore[misc]
    first = struct.unpack_from("<I", peer.ctdbd.recv(64), 28)[0]
    last = struct.unpack_from("<I", peer.ctdbd.recv(64), 28)[0]
    peer.ctdbd.sendall(reply(last, 0) + reply(99, 0) + reply(first, 0))
    peer.connection.receive()
    assert said == ["second", "first"]


def test_messages_go_out_and_come_in(peer: Peer) -> None:
    peer.connection.message(ctdb.BROADCAST_CONNECTED, 0xF5 << 56, b"here")
    sent = peer.ctdbd.recv(1000)
    assert len(sent) % 8 == 0
    assert struct.unpack_from("<II", sent, 16) == (MESSAGE, ctdb.BROADCAST_CONNECTED)
    assert struct.unpack_from("<QI4s", sent, 32) == (0xF5 << 56, 4, b"here")
    peer.ctdbd.sendall(packet(MESSAGE, struct.pack("<QI", 7, 5) + b"there\0\0\0", node=2))
    peer.connection.receive()
    assert peer.told == [(7, b"there")]


def test_a_transaction_has_all_records_with_their_numbers() -> None:
    written = ctdb.transaction(0xABCD, 1, {b"leader": Record(5, b"me")})
    assert struct.unpack_from("<II", written) == (0xABCD, 1)
    assert struct.unpack_from("<IIII", written, 8) == (16 + 6 + 24 + 2, 0, 6, 26)
    assert written[24:30] == b"leader"
    assert struct.unpack_from("<QI", written, 30) == (5, 1)
    assert written[54:] == b"me"


def test_what_a_full_socket_does_not_take_is_sent_later(peer: Peer) -> None:
    data = b"x" * (4 << 20)
    peer.connection.message(0, 1, data)
    assert peer.connection.wants_to_send
    received = 0
    while received < len(data):
        received += len(peer.ctdbd.recv(1 << 20))
        peer.connection.send()
    assert not peer.connection.wants_to_send


def test_answers_are_read() -> None:
    assert ctdb.database_id(Answer(0, b"\x01\x02\x00\x00", "")) == 0x201
    two = struct.pack("<I", 2) + struct.pack("<II28x", 0, 0) + struct.pack("<II28x", 1, 1)
    assert ctdb.nodes(Answer(0, two, "")) == {0: 0, 1: ctdb.NodeFlags.DISCONNECTED}
    for reader in (ctdb.database_id, ctdb.nodes):
        for bad in (Answer(-1, b"", "in recovery"), Answer(0, b"\x01", "")):
            with pytest.raises(CtdbLost):
                reader(bad)
    with pytest.raises(CtdbLost, match="too short"):
        ctdb.nodes(Answer(0, struct.pack("<I", 2) + b"12345678", ""))


def test_without_ctdbd(tmp_path: Path) -> None:
    with pytest.raises(CtdbLost, match="is ctdbd running"):
        CtdbConnection(str(tmp_path / "none"), print)


def test_a_ctdbd_that_ends_is_lost(peer: Peer) -> None:
    peer.ctdbd.close()
    with pytest.raises(CtdbLost):
        peer.connection.receive()


@pytest.mark.parametrize(
    "bad",
    [
        packet(MESSAGE, b"", version=2),
        b"\0" * 32,
        struct.pack("<8I", 8, MAGIC, 1, 0, REPLY, 0, 0, 1),
        packet(MESSAGE, b"short"),
        reply(1, 0)[:32].replace(struct.pack("<I", 44), struct.pack("<I", 32)),
    ],
    ids=["another version", "another protocol", "no size", "short message", "short answer"],
)
def test_what_ctdbd_never_sends_ends_the_connection(peer: Peer, bad: bytes) -> None:
    peer.connection.control(Opcode.GET_PNN, peer.answers.append)
    peer.ctdbd.sendall(bad)
    with pytest.raises(CtdbLost):
        peer.connection.receive()
    assert peer.answers == []
