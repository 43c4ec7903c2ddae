"""What one request costs the daemon, from socket to socket, without smbd and a client.

python -m benchmarks.request_path [profile]
"""

from __future__ import annotations

import cProfile
import pstats
import select
import socket
import struct
import sys
import time
import uuid
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional, Sequence

from benchmarks.timing import best
from fsrvpd.core import messages, ndr
from fsrvpd.core.messages import Guid, Opnum
from fsrvpd.core.ndr import Syntax
from fsrvpd.daemon.connection import PipeConnection
from fsrvpd.daemon.loop import READABLE, Loop
from fsrvpd.daemon.service import Pending, Service
from fsrvpd.protocol.agent import Agent
from fsrvpd.protocol.machine import Call
from fsrvpd.protocol.ports import Share, SharePlace
from fsrvpd.protocol.settings import AgentSettings
from fsrvpd.rpc.security.requirement import Requirement
from samba_hooks.message_mode import MessageFraming

VECTORS = Path(__file__).parent.parent / "tests" / "vectors"
INTRODUCTION = VECTORS / "npa" / "level7_samba4.17.12_standalone_root.bin"
INTERFACE = uuid.UUID("a8e0653c-2744-4389-a61d-7373df8b2292").bytes_le + struct.pack("<HH", 1, 0)
NDR = uuid.UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le + struct.pack("<I", 2)
PLACE = SharePlace(Share("data", "/v", False), "btrfs:1", "/v", "btrfs", "/v")
REQUESTS = (messages.GetSupportedVersion(), messages.IsPathSupported("\\\\NAS\\data\\"))
NUMBER = 100


class NoStore:
    def apply(self, changes: Sequence[tuple[Guid, Optional[str]]], *, durable: bool = True) -> None:
        return None

    def load(self) -> dict[Guid, str]:
        return {}

    def close(self) -> None:
        return None


class OneShare:
    """A `connection.Host` that has neither a socket nor a disk."""

    requirement = Requirement(integrity=False, privacy=False)
    acceptors: Any = None

    def __init__(self, service: Service) -> None:
        self._service = service

    def take(self, pending: Pending, request: messages.Request) -> None:
        place = PLACE if isinstance(request, messages.IsPathSupported) else None
        caller, opnum = pending.peer.caller, pending.opnum
        self._service.call(Call(pending, caller, opnum, request, place))

    def refuse(self, pending: Pending, result: int, reason: str) -> None:
        raise AssertionError(reason)

    def check(self, response: Any, caller: Any, done: Any) -> None:
        raise AssertionError("nobody authenticates here")

    def admits(self, client_address: str, server_address: str) -> bool:
        return True

    def settled(self, connection: PipeConnection) -> None:
        return None

    def closed(self, connection: PipeConnection) -> None:
        raise AssertionError("hung up")


class Pipe:
    """The daemon's own path from a readable socket to an answer, and smbd's end of it."""

    def __init__(self) -> None:
        self.loop = Loop()
        agent = Agent(AgentSettings("NAS"), lambda: uuid.uuid4().bytes_le, time.time, {"nas"})
        self.service = Service(agent, NoStore(), lambda job: None)
        self.smbd, ours = socket.socketpair()
        ours.setblocking(False)
        PipeConnection(self.loop, OneShare(self.service), ours, 1)
        self.exchange(INTRODUCTION.read_bytes())
        self.exchange(framed(11, bind()))

    def exchange(self, message: bytes) -> bytes:
        self.smbd.send(message)
        self.loop.turn(1)
        self.service.flush()
        return self.smbd.recv(4096)


def framed(kind: int, body: bytes) -> bytes:
    header = struct.pack("<BBBBIHHI", 5, 0, kind, 3, 0x10, 16 + len(body), 0, 1)
    return MessageFraming.encode(header + body)


def bind() -> bytes:
    sizes = struct.pack("<HHI", 4280, 4280, 0)
    return sizes + struct.pack("<BBHHBB", 1, 0, 0, 0, 1, 0) + INTERFACE + NDR


def request(message: messages.Request) -> bytes:
    opnum = Opnum[type(message).__name__]
    stub = ndr.encode_request(message, Syntax.NDR)
    return framed(0, struct.pack("<IHH", len(stub), 0, opnum) + stub)


def floor(message: bytes) -> Callable[[], None]:
    """The system calls alone: wait, receive, send; and the peer's send and receive."""
    smbd, ours = socket.socketpair()
    epoll = select.epoll()
    epoll.register(ours.fileno(), READABLE)

    def turn() -> None:
        smbd.send(message)
        epoll.poll(1)
        ours.send(ours.recv(65536))
        smbd.recv(4096)

    return turn


def measure() -> dict[str, float]:
    """Seconds a request, the peer's own two system calls included."""
    pipe = Pipe()
    times = {"floor": best(floor(request(REQUESTS[0])), NUMBER)}
    for message in REQUESTS:
        data = request(message)
        times[type(message).__name__] = best(partial(pipe.exchange, data), NUMBER)
    return times


def profile() -> None:
    pipe, data = Pipe(), request(REQUESTS[0])
    with cProfile.Profile() as profiler:
        for _ in range(5000):
            pipe.exchange(data)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    if sys.argv[1:] == ["profile"]:
        profile()
    else:
        for name, seconds in measure().items():
            print(f"{name:22} {seconds * 1e6:6.2f} us")
