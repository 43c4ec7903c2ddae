"""A connection to ctdbd in a real event loop."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.daemon.ctdb_socket import CtdbSocket
from fsrvpd.daemon.event_loop import EventLoop
from samba_hooks.ctdb.packets import Answer, Opcode
from tests.unit.samba_hooks.ctdb.test_connection import number_of, reply


class World:
    def __init__(self, path: Path) -> None:
        self.loop = EventLoop()
        self.lost: list[str] = []
        self.answers: list[Answer] = []
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            self.socket = CtdbSocket(
                self.loop, str(path), lambda *told: None, lambda error: self.lost.append(str(error))
            )
            self.ctdbd, _ = listener.accept()

    @property
    def sent(self) -> int:
        """Of what ctdbd is to get, read so far."""
        self.ctdbd.setblocking(False)
        found = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                found += len(self.ctdbd.recv(1 << 20))
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "ctdbd.socket")
    yield made
    made.socket.close()
    made.ctdbd.close()
    made.loop.close()


def test_an_answer_is_read_when_it_comes(world: World) -> None:
    world.socket.connection.control(Opcode.GET_PNN, world.answers.append)
    world.loop.run_once(0)
    assert world.answers == []
    world.ctdbd.sendall(reply(number_of(world.ctdbd.recv(64)), 2))
    world.loop.run_once()
    assert [each.status for each in world.answers] == [2]


def test_what_is_larger_than_the_socket_is_sent_bit_by_bit(world: World) -> None:
    world.socket.connection.message(0, 1, bytes(8 << 20))
    sent, rounds = 0, 0
    while sent < 8 << 20:
        sent += world.sent
        world.loop.run_once(0.01)
        rounds += 1
    assert rounds > 1
    assert world.lost == []
    world.socket.connection.control(Opcode.GET_PNN, world.answers.append)
    world.ctdbd.setblocking(True)
    asked = world.ctdbd.recv(1000)[-64:]
    world.ctdbd.sendall(reply(number_of(asked), 0))
    world.loop.run_once()
    assert len(world.answers) == 1


def test_a_ctdbd_that_ends_is_told_once(world: World) -> None:
    world.socket.connection.control(Opcode.GET_PNN, world.answers.append)
    world.ctdbd.close()
    world.loop.run_once()
    assert len(world.lost) == 1
    assert world.socket.connection.is_closed
    world.loop.run_once(0)
    assert len(world.lost) == 1
    assert world.answers == []
    world.socket.close()


def test_who_is_answered_may_close_it(world: World) -> None:
    world.socket.connection.control(Opcode.GET_PNN, lambda answer: world.socket.close())
    world.ctdbd.sendall(reply(number_of(world.ctdbd.recv(64)), 0))
    world.loop.run_once()
    assert world.socket.connection.is_closed
    assert world.lost == []
    world.loop.run_once(0)
