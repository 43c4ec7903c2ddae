"""One question to a running daemon over its control socket."""

from __future__ import annotations

import json
import os
import socket
from typing import Any, Callable, Iterator, Optional, Sequence

from fsrvpd.errors import FsrvpdError

PATIENCE = 600.0  # s for an answer or a sign of progress; prune may remove thousands

OnEvent = Callable[[Any], None]


class NotRunning(FsrvpdError):
    """Nobody answers at the control socket."""


def ask(
    path: str,
    message: str,
    parameters: Sequence[str],
    on_event: OnEvent = lambda event: None,
    patience: Optional[float] = PATIENCE,
    group: str = "fsrvpd:admin group",
) -> Any:
    """The daemon's answer; what it tells before goes to `on_event`. `patience` None waits
    for ever; `group` is the option that names who may ask. Raises: NotRunning, FsrvpdError
    with the daemon's words."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience)
        try:
            _connect(connection, path)
            request = {"message": message, "parameters": list(parameters)}
            connection.sendall(json.dumps(request).encode() + b"\n")
            return _answer(connection, on_event)
        except PermissionError as error:
            raise FsrvpdError(
                f"{path}: only root and members of `{group}` may ask fsrvpd"
            ) from error
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise NotRunning(
                f"fsrvpd does not answer at {path}: {why}; is it running on this"
                " configuration? (systemctl status fsrvpd)"
            ) from error


def _answer(connection: socket.socket, on_event: OnEvent) -> Any:
    for line in _lines(connection):
        said = json.loads(line)
        if "event" in said:
            on_event(said["event"])
        elif said["ok"]:
            return said["result"]
        else:
            raise FsrvpdError(said["error"])
    raise NotRunning("fsrvpd hung up; is it ending? (systemctl status fsrvpd)")


def _connect(connection: socket.socket, path: str) -> None:
    """Through the folder's descriptor, since a socket address holds 107 bytes only."""
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    finally:
        os.close(folder)


def _lines(connection: socket.socket) -> Iterator[bytes]:
    rest = b""
    while True:
        part = connection.recv(65536)
        if not part:
            return
        *lines, rest = (rest + part).split(b"\n")
        yield from lines
