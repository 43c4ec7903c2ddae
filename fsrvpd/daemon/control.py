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
Done = Callable[[Any], None]


class Later:
    """What a handler returns whose answer takes time: `begin` is called with whom to tell,
    the result or a FsrvpdError, from the loop's thread."""

    def __init__(self, begin: Callable[[Done], None]) -> None:
        self.begin = begin


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

    def reply(self, line: bytes, send: Callable[[bytes], None]) -> None:
        """Hand the answer to one request to `send`, now or later."""
        try:
            result = self._handle(line)
        except FsrvpdError as error:
            result = error
        if isinstance(result, Later):
            result.begin(lambda late: send(_encode(late)))
        else:
            send(_encode(result))

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
        self,
        loop: Loop,
        connection: socket.socket,
        reply: Callable[[bytes, Callable[[bytes], None]], None],
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
            self._reply(line, self._send)
        elif not data or len(self._received) > MAX_REQUEST:
            self._loop.remove(self._socket.fileno())
            self._socket.close()

    def _send(self, answer: bytes) -> None:
        self._socket.settimeout(1.0)  # the peer is root and waits for this
        with contextlib.suppress(OSError):
            self._socket.sendall(answer)
        self._socket.close()


def _encode(result: Any) -> bytes:
    if isinstance(result, FsrvpdError):
        answer = {"ok": False, "error": str(result)}
    else:
        answer = {"ok": True, "result": result}
    return json.dumps(answer).encode() + b"\n"


def _uid(connection: socket.socket) -> int:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    uid: int = _UCRED.unpack(raw)[1]
    return uid
