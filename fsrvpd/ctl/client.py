"""Sends one request to a running daemon over a control socket."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any, Callable, Iterator, Optional, Sequence

from fsrvpd import unix_socket
from fsrvpd.errors import FsrvpdError

REPLY_TIMEOUT = 600.0  # s for a reply or an event; prune may remove thousands of snapshots

OnEvent = Callable[[Any], Any]  # returns what to send in answer to an event, or None


class NotRunning(FsrvpdError):
    """Nobody answers at the control socket."""


def ask(
    path: str,
    message: str,
    parameters: Sequence[str],
    on_event: OnEvent = lambda event: None,
    timeout: Optional[float] = REPLY_TIMEOUT,
    group: str = "fsrvpd:admin group",
) -> Any:
    """The daemon's reply; events that come before it go to `on_event`. `timeout` None waits
    forever; `group` is the option that names who may ask. Raises: NotRunning, FsrvpdError
    with the daemon's message."""
    request = {"message": message, "parameters": list(parameters)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        for response in _responses(connection, path, request, group):
            if "event" in response:  # an error of `on_event` is none of the connection
                answer = on_event(response["event"])
                if answer is not None:
                    _send(connection, answer)
            elif response["ok"]:
                return response["result"]
            else:
                raise FsrvpdError(response["error"])
    raise NotRunning("fsrvpd closed the connection; is it stopping? (systemctl status fsrvpd)")


def _responses(connection: socket.socket, path: str, request: Any, group: str) -> Iterator[Any]:
    try:
        unix_socket.connect(connection, path)
        _send(connection, request)
        for line in _lines(connection):
            yield json.loads(line)
    except PermissionError as error:
        raise FsrvpdError(
            f"{path}: only root and members of `{group}` may send requests to fsrvpd"
        ) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise NotRunning(
            f"fsrvpd does not answer at {path}: {why}; is it running with this"
            " configuration? (systemctl status fsrvpd)"
        ) from error


def _send(connection: socket.socket, value: Any) -> None:
    """To a daemon that has hung up: what it said before that is there to be read."""
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(json.dumps(value).encode() + b"\n")


def _lines(connection: socket.socket) -> Iterator[bytes]:
    rest = b""
    while True:
        part = connection.recv(65536)
        if not part:
            return
        *lines, rest = (rest + part).split(b"\n")
        yield from lines
