"""Requests and responses between the daemon and a worker.

Each is a JSON object after its length in four bytes, big-endian. A request is
{"request": name, "arguments": {…}}. A response is {"result": …} or {"error": text}, with
"log": [{"level": 0, "text": "…"}, …], what Samba logged meanwhile; the error of a missing
library has "no library": true. Values are objects with named keys, never lists of fields.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any, Dict, Optional

_LENGTH_SIZE = 4  # bytes
_PIECE = 64 * 1024  # bytes
_MAX_MESSAGE = 64 * 1024 * 1024  # bytes

Message = Dict[str, Any]


class Closed(Exception):
    """The other side has closed the connection."""


def send(connection: socket.socket, message: Message) -> None:
    """Raises: Closed, socket.timeout."""
    data = json.dumps(message).encode("ascii")
    try:
        connection.sendall(len(data).to_bytes(_LENGTH_SIZE, "big") + data)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Closed(str(error)) from error


def receive(connection: socket.socket, deadline: Optional[float] = None) -> Message:
    """The only message that is under way. `deadline`, in seconds of time.monotonic(), is that of
    the connection's time-out, too. Raises: Closed, socket.timeout."""
    data = bytearray(_piece(connection))
    while len(data) < _LENGTH_SIZE or len(data) < _LENGTH_SIZE + _size_in(data):
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise socket.timeout("timed out")
            connection.settimeout(left)
        data += _piece(connection)
    message: Message = json.loads(data[_LENGTH_SIZE:])
    return message


def _size_in(data: bytearray) -> int:
    size = int.from_bytes(data[:_LENGTH_SIZE], "big")
    if size > _MAX_MESSAGE:
        raise Closed(f"message of {size} bytes")
    return size


def _piece(connection: socket.socket) -> bytes:
    try:
        piece = connection.recv(_PIECE)
    except ConnectionResetError as error:
        raise Closed(str(error)) from error
    if not piece:
        raise Closed("end of stream")
    return piece
