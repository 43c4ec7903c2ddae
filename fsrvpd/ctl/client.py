"""One question to a running daemon over its control socket."""

from __future__ import annotations

import json
import os
import socket
from typing import Any, Sequence

from fsrvpd.errors import FsrvpdError

PATIENCE = 600.0  # s; prune may remove thousands of snapshots


class NotRunning(FsrvpdError):
    """Nobody answers at the control socket."""


def ask(path: str, message: str, parameters: Sequence[str]) -> Any:
    """The daemon's answer. Raises: NotRunning, FsrvpdError with the daemon's words."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        try:
            _connect(connection, path)
            request = {"message": message, "parameters": list(parameters)}
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(_read_all(connection))
        except PermissionError as error:
            raise FsrvpdError(f"{path}: only root may ask fsrvpd") from error
        except (OSError, ValueError) as error:
            raise NotRunning(
                f"fsrvpd does not answer at {path}: {error}; is it running on this"
                " configuration? (systemctl status fsrvpd)"
            ) from error
    if not answer["ok"]:
        raise FsrvpdError(answer["error"])
    return answer["result"]


def _connect(connection: socket.socket, path: str) -> None:
    """Through the folder's descriptor, since a socket address holds 107 bytes only."""
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    finally:
        os.close(folder)


def _read_all(connection: socket.socket) -> bytes:
    parts: list[bytes] = []
    while True:
        part = connection.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)
