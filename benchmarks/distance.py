"""A line with a delay, for a kernel without netem: forwards each connection, and delivers what it
gets after a time.

    python -m benchmarks.distance ADDRESS PORT TO_ADDRESS TO_PORT SECONDS
"""

from __future__ import annotations

import queue
import socket
import sys
import threading
import time
from typing import Tuple

SIZE = 1 << 20  # bytes taken at once
AHEAD = 256  # pieces on the line


def forward(source: socket.socket, target: socket.socket, delay: float) -> None:
    line: queue.Queue[Tuple[float, bytes]] = queue.Queue(AHEAD)
    threading.Thread(target=_deliver, args=(line, target), daemon=True).start()
    while True:
        data = source.recv(SIZE)
        line.put((time.monotonic() + delay, data))
        if not data:
            return


def _deliver(line: queue.Queue[Tuple[float, bytes]], target: socket.socket) -> None:
    while True:
        due, data = line.get()
        time.sleep(max(0.0, due - time.monotonic()))
        if not data:
            target.shutdown(socket.SHUT_WR)
            return
        target.sendall(data)


def serve(address: Tuple[str, int], to: Tuple[str, int], delay: float) -> None:
    with socket.create_server(address) as listener:
        print("ready", flush=True)
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(to)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for ends in ((near, far), (far, near)):
                threading.Thread(target=forward, args=(*ends, delay), daemon=True).start()


if __name__ == "__main__":
    address, port, to_address, to_port, seconds = sys.argv[1:]
    serve((address, int(port)), (to_address, int(to_port)), float(seconds))
