"""Requests and responses between the daemon and its registry worker.

Each is a JSON object behind its length as four bytes, big-endian. A request is
{"verb": name, "arguments": {…}}. A response is {"result": …} or {"error": text}, with
"log": [[level, line], …], what Samba said meanwhile; an error for want of the library has
"no library": true.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any, Dict, Optional

_LENGTH_SIZE = 4
_MAX_MESSAGE = 64 * 1024 * 1024

Message = Dict[str, Any]


class Closed(Exception):
    """The other side is gone."""


def send(connection: socket.socket, message: Message) -> None:
    """Raises: Closed, socket.timeout."""
    data = json.dumps(message).encode("ascii")
    try:
        connection.sendall(len(data).to_bytes(_LENGTH_SIZE, "big") + data)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Closed(str(error)) from error


def receive(connection: socket.socket, deadline: Optional[float] = None) -> Message:
    """`deadline` counts in time.monotonic() seconds. Raises: Closed, socket.timeout."""
    size = int.from_bytes(_exactly(connection, _LENGTH_SIZE, deadline), "big")
    if size > _MAX_MESSAGE:
        raise Closed(f"message of {size} bytes")
    message: Message = json.loads(_exactly(connection, size, deadline))
    return message


def _exactly(connection: socket.socket, size: int, deadline: Optional[float]) -> bytes:
    data = bytearray()
    while len(data) < size:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise socket.timeout("timed out")
            connection.settimeout(left)
        try:
            piece = connection.recv(size - len(data))
        except ConnectionResetError as error:
            raise Closed(str(error)) from error
        if not piece:
            raise Closed("end of stream")
        data += piece
    return bytes(data)
