"""One wake-up of fsrvpd's event loop and of asyncio's: a byte is read, and answered at the end.

python -m benchmarks.event_loops

Times are processor time and include both ends of the socket pair.
"""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import closing
from functools import partial
from typing import Callable

from fsrvpd.daemon.event_loop import READABLE, EventLoop

NUMBER = 3000
ROUNDS = 25
RECEIVE = 8192  # bytes


def ours(client: socket.socket, server: socket.socket) -> float:
    loop = EventLoop()
    loop.register(server.fileno(), READABLE, lambda events: on_ready(server, loop.call_soon))
    with closing(loop):
        return exchange(client, lambda: loop.run_once(1.0))


def asyncios(client: socket.socket, server: socket.socket) -> float:
    loop = asyncio.new_event_loop()
    loop.add_reader(server, lambda: on_ready(server, loop.call_soon))
    run_once: Callable[[], None] = loop._run_once  # type: ignore[attr-defined]
    with closing(loop):
        return exchange(client, run_once)


def on_ready(server: socket.socket, call_soon: Callable[[Callable[[], object]], object]) -> None:
    call_soon(partial(server.send, server.recv(RECEIVE)))


def exchange(client: socket.socket, run_once: Callable[[], None]) -> float:
    """Return the seconds for one byte there and back."""
    began = time.process_time()
    for _ in range(NUMBER):
        client.send(b"x")
        while not answered(client):
            run_once()
    return (time.process_time() - began) / NUMBER


def answered(client: socket.socket) -> bool:
    try:
        return bool(client.recv(RECEIVE))
    except BlockingIOError:
        return False


def main() -> None:
    client, server = socket.socketpair()
    with client, server:
        client.setblocking(False)
        server.setblocking(False)
        for measured in (ours, asyncios):
            seconds = min(measured(client, server) for _ in range(ROUNDS))
            print(f"{measured.__name__:10} {seconds * 1e6:6.2f} us")


if __name__ == "__main__":
    main()
