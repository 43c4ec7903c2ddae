"""A connection to a ctdbd that says what a test wants, byte by byte."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from pathlib import Path
from typing import Iterator

import pytest

from samba_hooks.ctdb import packets
from samba_hooks.ctdb.connection import CtdbConnection
from samba_hooks.ctdb.packets import Answer, CtdbLost, Opcode

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


def number_of(control: bytes) -> int:
    """Of a request, to be answered."""
    return int.from_bytes(control[28:32], "little")


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
    number = number_of(asked)
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
    first = number_of(peer.ctdbd.recv(64))
    last = number_of(peer.ctdbd.recv(64))
    peer.ctdbd.sendall(reply(last, 0) + reply(99, 0) + reply(first, 0))
    peer.connection.receive()
    assert said == ["second", "first"]


def test_messages_go_out_and_come_in(peer: Peer) -> None:
    peer.connection.message(packets.BROADCAST_CONNECTED, 0xF5 << 56, b"here")
    sent = peer.ctdbd.recv(1000)
    assert len(sent) % 8 == 0
    assert struct.unpack_from("<II", sent, 16) == (MESSAGE, packets.BROADCAST_CONNECTED)
    assert struct.unpack_from("<QI4s", sent, 32) == (0xF5 << 56, 4, b"here")
    peer.ctdbd.sendall(packet(MESSAGE, struct.pack("<QI", 7, 5) + b"there\0\0\0", node=2))
    peer.connection.receive()
    assert peer.told == [(7, b"there")]


def test_what_a_full_socket_does_not_take_is_sent_later(peer: Peer) -> None:
    data = b"x" * (4 << 20)
    peer.connection.message(0, 1, data)
    assert peer.connection.wants_to_send
    received = 0
    while received < len(data):
        received += len(peer.ctdbd.recv(1 << 20))
        peer.connection.send()
    assert not peer.connection.wants_to_send


def test_without_ctdbd(tmp_path: Path) -> None:
    with pytest.raises(CtdbLost, match="is ctdbd running"):
        CtdbConnection(str(tmp_path / "none"), print)


def test_a_ctdbd_that_ends_is_lost(peer: Peer) -> None:
    peer.ctdbd.close()
    with pytest.raises(CtdbLost):
        peer.connection.receive()


def test_a_ctdbd_that_is_stopped_does_not_stop_us(tmp_path: Path) -> None:
    path = str(tmp_path / "ctdbd.socket")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as waiting:
        listener.bind(path)
        listener.listen(0)  # nobody accepts
        for _ in range(2):
            with contextlib.suppress(CtdbLost):
                waiting.enter_context(contextlib.closing(CtdbConnection(path, print)))
        with pytest.raises(CtdbLost, match="is ctdbd running"):
            CtdbConnection(path, print)


def test_a_ctdbd_that_takes_nothing_is_lost(peer: Peer) -> None:
    data = b"x" * (packets.LARGEST // 2)
    peer.connection.message(0, 1, data)
    peer.connection.message(0, 1, data)
    with pytest.raises(CtdbLost, match="takes nothing"):
        peer.connection.message(0, 1, data)


def test_who_is_called_may_close_the_connection(peer: Peer) -> None:
    """What has come behind it concerns nobody any more."""
    numbers = []
    for _ in range(2):
        peer.connection.control(Opcode.GET_PNN, lambda answer: close(peer, answer))
        numbers.append(number_of(peer.ctdbd.recv(64)))
    peer.ctdbd.sendall(b"".join(reply(number, 0) for number in numbers))
    peer.connection.ready()
    assert len(peer.answers) == 1
    assert peer.connection.is_closed
    with pytest.raises(CtdbLost):
        peer.connection.message(0, 1, b"late")


def close(peer: Peer, answer: Answer) -> None:
    peer.answers.append(answer)
    peer.connection.close()


def test_a_ctdbd_that_never_stops_leaves_time_for_others(peer: Peer) -> None:
    """`ready` ends, although there is always more to read."""
    said = packet(MESSAGE, struct.pack("<QI", 7, 8000) + bytes(8000))
    rounds = 0

    def more(srvid: int, data: bytes) -> None:
        nonlocal rounds
        rounds += 1
        peer.ctdbd.sendall(said)

    connection = peer.connection
    connection._on_message = more
    peer.ctdbd.sendall(said)
    connection.ready()
    assert rounds > 10


def test_what_was_not_asked_for_is_passed_over(peer: Peer) -> None:
    peer.ctdbd.sendall(reply(7, 0) + packet(2, b"a call") + packet(MESSAGE, bytes(12)))
    peer.connection.ready()
    assert peer.told == [(0, b"")]


@pytest.mark.parametrize(
    "bad",
    [
        packet(MESSAGE, b"", version=2),
        b"\0" * 32,
        struct.pack("<8I", 8, MAGIC, 1, 0, REPLY, 0, 0, 1),
        packet(MESSAGE, b"short"),
        packet(MESSAGE, struct.pack("<QI", 1, 5) + b"1234"),
        packet(MESSAGE, struct.pack("<QI", 1, 0xFFFFFFFF)),
        reply(1, 0)[:32].replace(struct.pack("<I", 44), struct.pack("<I", 32)),
        packet(REPLY, struct.pack("<iII", 0, 5, 0) + b"1234", number=1),
        packet(REPLY, struct.pack("<iII", 0, 2, 3) + b"1234", number=1),
        packet(REPLY, struct.pack("<iII", 0, 0xFFFFFFFC, 8) + b"1234", number=1),
        struct.pack("<8I", 0x7FFFFFFF, MAGIC, 1, 0, REPLY, 0, 0, 1),
        struct.pack("<8I", 44, MAGIC, 1, 0, REPLY, 0, 0, 1)[::-1],
    ],
    ids=[
        *("another version", "another protocol", "no size", "short message"),
        *("message shorter than it says", "message of 4 GB", "short answer"),
        *("answer shorter than it says", "error shorter than it says", "sizes that overflow"),
        *("packet of 2 GB", "other byte order"),
    ],
)
def test_what_ctdbd_never_sends_ends_the_connection(peer: Peer, bad: bytes) -> None:
    peer.connection.control(Opcode.GET_PNN, peer.answers.append)
    peer.ctdbd.sendall(bad)
    with pytest.raises(CtdbLost):
        peer.connection.receive()
    assert peer.answers == []


def test_no_bytes_do_anything_but_end_the_connection(tmp_path: Path) -> None:
    """Real packets with some bytes changed: read as packets, or refused."""
    chance = random.Random(18)
    good = reply(1, 0, b"data", b"error\0") + packet(MESSAGE, struct.pack("<QI", 7, 5) + b"there")
    lost = 0
    for number in range(500):
        said = bytearray(good)
        for _ in range(chance.randrange(1, 5)):
            said[chance.randrange(len(said))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        peer = Peer(tmp_path / f"{number}")
        peer.connection.control(Opcode.GET_PNN, peer.answers.append)
        peer.ctdbd.sendall(said)
        try:
            peer.connection.ready()
        except CtdbLost:
            lost += 1
        peer.close()
    assert 100 < lost < 500
