"""Messages between daemon and worker arrive completely, or the other side has ended."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from samba_hooks.worker import wire

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_a_message_arrives(ends: Ends) -> None:
    message = {"request": "share", "arguments": {"name": "Größe\udce9"}}
    wire.send(ends[0], message)
    assert wire.receive(ends[1]) == message


def test_a_message_in_pieces(ends: Ends) -> None:
    wire.send(ends[0], {"result": None})
    data = ends[1].recv(100)
    for number in range(len(data)):
        ends[0].sendall(data[number : number + 1])
    assert wire.receive(ends[1]) == {"result": None}


@pytest.mark.parametrize("start", [b"", b"\0\0", b"\0\0\0\x09{"])
def test_the_end_of_the_other_side(ends: Ends, start: bytes) -> None:
    ends[0].sendall(start)
    ends[0].close()
    with pytest.raises(wire.Closed, match="end of stream"):
        wire.receive(ends[1])


def test_nobody_to_send_to(ends: Ends) -> None:
    ends[1].close()
    with pytest.raises(wire.Closed):
        wire.send(ends[0], {})


def test_a_length_that_cannot_be(ends: Ends) -> None:
    ends[0].sendall(b"\xff\xff\xff\xff")
    with pytest.raises(wire.Closed, match="4294967295 bytes"):
        wire.receive(ends[1])


def test_a_deadline_holds_for_the_whole_message(ends: Ends) -> None:
    ends[0].sendall(b"\0\0\0\x09")
    with pytest.raises(socket.timeout):
        wire.receive(ends[1], time.monotonic() + 0.05)
