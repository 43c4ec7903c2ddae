"""One pipe, from smbd's introduction to the first call, over a socket pair."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Iterator

import pytest

from fsrvpd.core.messages import IsPathSupported
from fsrvpd.daemon.connection import PipeConnection
from fsrvpd.daemon.loop import Loop
from fsrvpd.rpc.security.requirement import Requirement
from samba_hooks.message_mode import MessageFraming

VECTORS = Path(__file__).parents[2] / "vectors"
INTRODUCTION = VECTORS / "npa" / "level7_samba4.17.12_standalone_root.bin"


class World:
    """`connection.Host`, and smbd's end of the pipe."""

    requirement = Requirement(integrity=False, privacy=False)
    acceptors: Any = None

    def __init__(self) -> None:
        self.settled_pipes: list[PipeConnection] = []
        self.taken: list[Any] = []
        self.loop = Loop()
        self.smbd, ours = socket.socketpair()
        ours.setblocking(False)
        self.connection = PipeConnection(self.loop, self, ours, 1)

    def take(self, pending: Any, request: Any) -> None:
        self.taken.append(request)

    def refuse(self, pending: Any, result: int, reason: str) -> None:
        raise AssertionError(reason)

    def check(self, response: Any, caller: Any, done: Any) -> None:
        raise AssertionError("nobody authenticates here")

    def admits(self, client_address: str, server_address: str) -> bool:
        return True

    def settled(self, connection: PipeConnection) -> None:
        self.settled_pipes.append(connection)

    def closed(self, connection: PipeConnection) -> None:
        return None

    def send(self, data: bytes) -> None:
        self.smbd.send(data)
        self.loop.turn(1)

    def send_message(self, message: bytes) -> None:
        self.send(MessageFraming.encode(message))


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.connection.close("the test is over")
    world.smbd.close()
    world.loop.close()


def messages_of_rpcclient() -> list[bytes]:
    """What rpcclient sent: its bind, then its requests."""
    recording = json.loads((VECTORS / "rpc" / "rpcclient.json").read_text())
    pdus = [line.split() for line in recording["associations"][0]["pdus"]]
    return [bytes.fromhex(data) for sender, data in pdus if sender == "client"]


def test_it_is_settled_once_it_has_bound(world: World) -> None:
    bind, *_ = messages_of_rpcclient()
    world.send(INTRODUCTION.read_bytes())
    assert world.settled_pipes == []
    world.send_message(bind)
    assert world.settled_pipes == [world.connection]


def test_it_is_settled_once(world: World) -> None:
    bind, first, *_ = messages_of_rpcclient()
    world.send(INTRODUCTION.read_bytes())
    world.send_message(bind)
    world.send_message(first)
    assert world.taken == [IsPathSupported("\\\\127.0.0.9\\data\\")]
    assert world.settled_pipes == [world.connection]
