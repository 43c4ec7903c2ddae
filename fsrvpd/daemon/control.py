"""The control socket: one JSON object in, one or more out, for root and a chosen group.

A request is `{"message": "list-sets", "parameters": []}` and a newline. The answer is lines:
any number of `{"event": …}`, then `{"ok": true, "result": …}` or `{"ok": false, "error":
"…"}`. Who may ask is known from the kernel, not from the file's mode alone.
"""

from __future__ import annotations

import contextlib
import grp
import json
import logging
import os
import socket
import struct
from typing import Any, Callable, Mapping, Optional, Sequence

from fsrvpd.daemon.events import report
from fsrvpd.daemon.loop import READABLE, WRITABLE, Loop
from fsrvpd.errors import ConfigError, FsrvpdError

log = logging.getLogger("fsrvpd.control")

MAX_REQUEST = 65536
MAX_UNSENT = 1 << 24  # bytes for a client that does not read; then it is dropped
_UCRED = struct.Struct("3i")  # pid, uid, gid
_SO_PEERGROUPS = 59  # Linux 4.13; Python has no name for it
_MOST_GROUPS = 256  # Python's getsockopt takes no more; who is in more needs root


class Conversation:
    """One request and its answer, which may take its time."""

    def __init__(self, loop: Loop, connection: socket.socket, handle: Handle) -> None:
        self.uid = _credentials(connection)[0]  # who asks
        self.on_close: list[Callable[[], None]] = []
        self._loop = loop
        self._socket = connection
        self._handle = handle
        self._received = b""
        self._unsent = b""
        self._asked = self._answered = False
        loop.add(connection.fileno(), READABLE, self._on_ready)

    @property
    def open(self) -> bool:
        return self._socket.fileno() >= 0

    def finish(self, result: Any) -> None:
        """The answer. Whoever hung up meanwhile does not get it."""
        self._end({"ok": True, "result": result})

    def fail(self, error: str) -> None:
        self._end({"ok": False, "error": error})

    def tell(self, event: Any) -> None:
        """Something ahead of the answer."""
        self._send({"event": event})

    def close(self) -> None:
        if self.open:
            self._loop.remove(self._socket.fileno())
            self._socket.close()
            for function in self.on_close:
                function()

    def _end(self, answer: Any) -> None:
        self._answered = True
        self._send(answer)

    def _send(self, line: Any) -> None:
        if self.open:
            self._unsent += json.dumps(line).encode() + b"\n"
            self._flush()

    def _flush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            except BrokenPipeError:
                self.close()
                return
        if (self._answered and not self._unsent) or len(self._unsent) > MAX_UNSENT:
            self.close()
        else:
            self._loop.change(
                self._socket.fileno(), READABLE | WRITABLE if self._unsent else READABLE
            )

    def _on_ready(self, events: int) -> None:
        if events & WRITABLE:
            self._flush()
        if events & ~WRITABLE and self.open:
            self._read()

    def _read(self) -> None:
        try:
            data = self._socket.recv(MAX_REQUEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._received += data
        line, newline, _ = self._received.partition(b"\n")
        if not data or len(self._received) > MAX_REQUEST:
            self.close()
        elif newline and not self._asked:
            self._asked = True
            self._handle(line, self)


Handle = Callable[[bytes, Conversation], None]
Handler = Callable[[Sequence[str], Conversation], None]


def _bound(path: str) -> socket.socket:
    """Through the folder's descriptor, since a socket address holds 107 bytes only.

    Raises: ConfigError.
    """
    folder, name = os.path.split(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        place = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=place)
            bound.bind(f"/proc/self/fd/{place}/{name}")
        finally:
            os.close(place)
    except OSError as error:
        bound.close()
        raise ConfigError(f"{path}: the control socket cannot be made: {error.strerror}") from error
    return bound


class ControlSocket:
    """Serves `handlers` by message name; a handler's FsrvpdError becomes the error text."""

    def __init__(
        self, loop: Loop, path: str, handlers: Mapping[str, Handler], group: str = ""
    ) -> None:
        self.path = path
        self._loop = loop
        self._handlers = handlers
        self._group: Optional[int] = None
        self._conversations: set[Conversation] = set()
        self._socket = _bound(path)
        self.admit(group)
        self._socket.listen(16)
        loop.add(self._socket.fileno(), READABLE, self._accept)

    def admit(self, group: str) -> None:
        """Let root ask, and members of the group where one is named."""
        self._group = grp.getgrnam(group).gr_gid if group else None
        folder = os.path.dirname(self.path)
        for path, alone, together in ((folder, 0o700, 0o710), (self.path, 0o600, 0o660)):
            os.chmod(path, alone)
            os.chown(path, -1, self._group or 0)
            os.chmod(path, together if group else alone)

    def close(self) -> None:
        for conversation in list(self._conversations):
            conversation.close()
        self._loop.remove(self._socket.fileno())
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def _accept(self, events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._socket.accept()
            connection.setblocking(False)
            if self._is_admitted(connection):
                self._converse(connection)
            else:
                report(log, "control-refused", "", uid=_credentials(connection)[0])
                connection.close()

    def _converse(self, connection: socket.socket) -> None:
        conversation = Conversation(self._loop, connection, self._handle)
        conversation.on_close.append(lambda: self._conversations.discard(conversation))
        self._conversations.add(conversation)

    def _is_admitted(self, connection: socket.socket) -> bool:
        uid, gid = _credentials(connection)
        if uid == os.geteuid():
            return True
        return self._group is not None and self._group in (gid, *_groups(connection))

    def _handle(self, line: bytes, conversation: Conversation) -> None:
        try:
            handler, parameters = self._request(line)
            handler(parameters, conversation)
        except FsrvpdError as error:
            conversation.fail(str(error))

    def _request(self, line: bytes) -> tuple[Handler, list[str]]:
        try:
            request = json.loads(line)
            message, parameters = request["message"], request["parameters"]
            return self._handlers[message], [str(parameter) for parameter in parameters]
        except (ValueError, KeyError, TypeError) as error:
            known = ", ".join(sorted(self._handlers))
            raise FsrvpdError(f"not a message that fsrvpd knows; it knows {known}") from error


def _credentials(connection: socket.socket) -> tuple[int, int]:
    """uid and gid of whoever connected."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _, uid, gid = _UCRED.unpack(raw)
    return uid, gid


def _groups(connection: socket.socket) -> tuple[int, ...]:
    """The supplementary groups of whoever connected."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_GROUPS * 4)
    except OSError:
        return ()
    return struct.unpack(f"{len(raw) // 4}I", raw)
