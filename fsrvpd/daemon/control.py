"""The control socket: one JSON object in, one out, for root alone.

A request is `{"message": "list-sets", "parameters": []}` and a newline; the answer is
`{"ok": true, "result": …}` or `{"ok": false, "error": "…"}` and a newline.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import struct
from typing import Any, Callable, Mapping, Sequence

from fsrvpd.daemon.loop import READABLE, Loop
from fsrvpd.errors import FsrvpdError

log = logging.getLogger("fsrvpd.control")

MAX_REQUEST = 65536
_UCRED = struct.Struct("3i")  # pid, uid, gid

Handler = Callable[[Sequence[str]], Any]


class ControlSocket:
    """Serves `handlers` by message name; a handler's FsrvpdError becomes the error text."""

    def __init__(self, loop: Loop, path: str, handlers: Mapping[str, Handler]) -> None:
        self.path = path
        self._loop = loop
        self._handlers = handlers
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self._socket.setblocking(False)
        self._socket.bind(path)
        os.chmod(path, 0o600)
        self._socket.listen(16)
        loop.add(self._socket.fileno(), READABLE, self._accept)

    def close(self) -> None:
        self._loop.remove(self._socket.fileno())
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def _accept(self, events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._socket.accept()
            connection.setblocking(False)
            if _uid(connection) == os.geteuid():
                _Conversation(self._loop, connection, self.reply)
            else:
                log.error("control socket: uid %d turned away", _uid(connection))
                connection.close()

    def reply(self, line: bytes) -> bytes:
        """The answer to one request."""
        try:
            answer = {"ok": True, "result": self._handle(line)}
        except FsrvpdError as error:
            answer = {"ok": False, "error": str(error)}
        return json.dumps(answer).encode() + b"\n"

    def _handle(self, line: bytes) -> Any:
        try:
            request = json.loads(line)
            message, parameters = request["message"], request["parameters"]
            handler = self._handlers[message]
        except (ValueError, KeyError, TypeError) as error:
            known = ", ".join(sorted(self._handlers))
            raise FsrvpdError(f"not a message that fsrvpd knows; it knows {known}") from error
        return handler([str(parameter) for parameter in parameters])


class _Conversation:
    """One request and its answer."""

    def __init__(
        self, loop: Loop, connection: socket.socket, reply: Callable[[bytes], bytes]
    ) -> None:
        self._loop = loop
        self._socket = connection
        self._reply = reply
        self._received = b""
        loop.add(connection.fileno(), READABLE, self._on_ready)

    def _on_ready(self, events: int) -> None:
        data = self._socket.recv(MAX_REQUEST)
        self._received += data
        line, newline, _ = self._received.partition(b"\n")
        if newline:
            self._loop.remove(self._socket.fileno())
            self._socket.settimeout(1.0)  # the peer is root and waits for this
            with contextlib.suppress(OSError):
                self._socket.sendall(self._reply(line))
            self._socket.close()
        elif not data or len(self._received) > MAX_REQUEST:
            self._loop.remove(self._socket.fileno())
            self._socket.close()


def _uid(connection: socket.socket) -> int:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    uid: int = _UCRED.unpack(raw)[1]
    return uid
