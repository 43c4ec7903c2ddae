"""The cost of one request in the daemon, from socket to socket, without smbd and a client.

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
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional, Sequence

from benchmarks.timing import best
from fsrvpd.core import messages, ndr
from fsrvpd.core.messages import Guid, Opnum
from fsrvpd.core.ndr import Syntax
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.event_loop import READABLE, EventLoop
from fsrvpd.daemon.pipe.connection import PipeConnection
from fsrvpd.daemon.pipe.connection_limits import ConnectionLimiter
from fsrvpd.errors import StoreError
from fsrvpd.protocol.ports import Share, ShareLocation
from fsrvpd.protocol.server.agent import Agent
from fsrvpd.protocol.settings import AgentSettings
from fsrvpd.rpc.security.requirement import RequiredProtection
from samba_hooks.pipe.framing import MessageFraming

VECTORS = Path(__file__).parent.parent / "tests" / "vectors"
PIPE_AUTH = VECTORS / "npa" / "level7_samba4.17.12_standalone_root.bin"
INTERFACE = uuid.UUID("a8e0653c-2744-4389-a61d-7373df8b2292").bytes_le + struct.pack("<HH", 1, 0)
NDR = uuid.UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le + struct.pack("<I", 2)
PLACE = ShareLocation(Share("data", "/v", False), "btrfs:1", "/v", "btrfs", "/v")
REQUESTS = (messages.GetSupportedVersion(), messages.IsPathSupported("\\\\NAS\\data\\"))
NUMBER = 100


class NoStore:
    confirms_answers = False

    def submit(
        self,
        changes: Sequence[tuple[Guid, Optional[str]]],
        *,
        durable: bool,
        done: Callable[[Optional[StoreError]], None],
    ) -> None:
        done(None)

    def load(self) -> dict[Guid, str]:
        return {}

    def close(self) -> None:
        return None


class OneShare:
    """A stub for lookups, resolver and authenticator."""

    acceptors: Any = None
    requirement = RequiredProtection(integrity=False, privacy=False)

    def find(self, unc: str, caller: str, done: Callable[[ShareLocation], None]) -> None:
        done(PLACE)

    def add_own_address(self, address: str) -> None:
        return None


class Pipe:
    """The daemon's path from a readable socket to an answer, and smbd's end of the socket."""

    def __init__(self) -> None:
        self.loop = EventLoop()
        agent = Agent(AgentSettings("NAS"), lambda: uuid.uuid4().bytes_le, time.time, {"nas"})
        stand_in: Any = OneShare()
        self.smbd, ours = socket.socketpair()
        ours.setblocking(False)
        PipeConnection(
            self.loop,
            ours,
            1,
            limits=ConnectionLimiter(self.loop),
            authenticator=stand_in,
            resolver=stand_in,
            handler=AgentDriver(self.loop, agent, NoStore(), stand_in, stand_in),
        )
        self.exchange(PIPE_AUTH.read_bytes())
        self.exchange(framed(11, bind()))

    def close(self) -> None:
        self.smbd.close()
        self.loop.run_once(1)
        self.loop.close()

    def exchange(self, message: bytes) -> bytes:
        self.smbd.send(message)
        self.loop.run_once(1)
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


def floor(message: bytes) -> float:
    """Only the system calls: wait, receive, send, and the peer's send and receive."""
    smbd, ours = socket.socketpair()
    with smbd, ours, select.epoll() as epoll:
        epoll.register(ours.fileno(), READABLE)

        def run_once() -> None:
            smbd.send(message)
            epoll.poll(1)
            ours.send(ours.recv(65536))
            smbd.recv(4096)

        return best(run_once, NUMBER)


def measure() -> dict[str, float]:
    """Return seconds per request, including the peer's two system calls."""
    times = {"floor": floor(request(REQUESTS[0]))}
    with closing(Pipe()) as pipe:
        for message in REQUESTS:
            data = request(message)
            times[type(message).__name__] = best(partial(pipe.exchange, data), NUMBER)
    return times


def profile() -> None:
    data = request(REQUESTS[0])
    with closing(Pipe()) as pipe, cProfile.Profile() as profiler:
        for _ in range(5000):
            pipe.exchange(data)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    if sys.argv[1:] == ["profile"]:
        profile()
    else:
        for name, seconds in measure().items():
            print(f"{name:22} {seconds * 1e6:6.2f} us")
