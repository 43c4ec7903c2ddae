"""The control socket: one JSON object in, one or more out, for root and a chosen group.

A request is `{"message": "list-sets", "parameters": []}` and a newline. The response is lines:
any number of `{"event": …}`, then `{"ok": true, "result": …}` or `{"ok": false, "error":
"…"}`. Where a message asks for it, a line from the client confirms an event. The kernel says who
connected; the file's mode alone does not decide who may ask, and each user has a few connections
at most. Whoever neither asks nor reads is disconnected.
"""

from __future__ import annotations

import contextlib
import grp
import json
import logging
import os
import socket
from collections import Counter
from typing import Any, Callable, Mapping, Optional, Sequence

from fsrvpd import unix_socket
from fsrvpd.daemon.acceptor import Acceptor, SocketListener
from fsrvpd.daemon.descriptors import CONTROL
from fsrvpd.daemon.event_loop import READABLE, WRITABLE, EventLoop, TimerHandle
from fsrvpd.daemon.log.events import report
from fsrvpd.daemon.reload import Change
from fsrvpd.errors import ConfigError, FsrvpdError

log = logging.getLogger("fsrvpd.control")

MAX_REQUEST = 65536  # bytes
MAX_UNSENT_EVENTS = 1 << 20  # bytes for a client that does not read; then it is disconnected
MAX_OF_USER = 16  # connections
FOR_ROOT = 16  # connections that no other user can take
REQUEST_TIMEOUT = 10.0  # s from being accepted to a whole request
READ_TIMEOUT = 30.0  # s in which a client must read some of what it was sent


class ControlRequest:
    """One request and its response, which may take time."""

    def __init__(self, loop: EventLoop, connection: socket.socket, handle: Handle) -> None:
        self.uid = unix_socket.peer_credentials(connection).uid
        self.on_close: list[Callable[[], None]] = []
        self.on_answer: Optional[Callable[[], None]] = None  # to an event, by a line of any text
        self.on_read: Optional[Callable[[], None]] = None  # when everything sent has been taken
        self._loop = loop
        self._socket = connection
        self._handle = handle
        self._received = b""
        self._unsent = b""
        self._has_request = self._has_response = False
        self._timer: Optional[TimerHandle] = None
        self._close_after(REQUEST_TIMEOUT)
        loop.register(connection.fileno(), READABLE, self._on_ready)

    @property
    def open(self) -> bool:
        return self._socket.fileno() >= 0

    @property
    def unsent(self) -> int:
        """Bytes that wait for a client that does not read."""
        return len(self._unsent)

    def finish(self, result: Any) -> None:
        """Reply with a result. A client that has disconnected does not get it."""
        self._end({"ok": True, "result": result})

    def fail(self, error: str) -> None:
        """Reply with an error."""
        self._end({"ok": False, "error": error})

    def guard(self, reply: Callable[[], None]) -> None:
        """Call what replies. If it raises instead, the reply is the error."""
        try:
            reply()
        except FsrvpdError as error:
            self.fail(str(error))
        except Exception as error:
            log.exception("a request on the control socket failed; please report this")
            self.fail(f"{type(error).__name__}: {error}; see the log, and please report this")

    def send_event(self, event: Any) -> None:
        """Send something before the reply."""
        if len(self._unsent) > MAX_UNSENT_EVENTS:
            self.close()
        self._send({"event": event})

    def close(self) -> None:
        if self.open:
            self._close_after(None)
            self._loop.unregister(self._socket.fileno())
            self._socket.close()
            for function in self.on_close:
                function()

    def _end(self, response: Any) -> None:
        self._has_response = True
        self._send(response)

    def _send(self, line: Any) -> None:
        if self.open:
            self._unsent += json.dumps(line).encode() + b"\n"
            self._flush()

    def _flush(self) -> None:
        sent = 0
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:  # the client has not read yet
            pass
        except OSError:
            self.close()
            return
        self._unsent = self._unsent[sent:]
        if self._has_response and not self._unsent:
            self.close()
            return
        if sent or self._timer is None:
            self._close_after(READ_TIMEOUT if self._unsent else None)
        self._loop.modify(self._socket.fileno(), READABLE | WRITABLE if self._unsent else READABLE)

    def _close_after(self, seconds: Optional[float]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self._loop.call_later(seconds, self.close)

    def _on_ready(self, events: int) -> None:
        if events & WRITABLE:
            self._flush()
            if self.open and not self._unsent and self.on_read is not None:
                self.on_read()
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
        if not data:
            self.close()
        elif len(self._received) > MAX_REQUEST:
            self.fail(f"a request of more than {MAX_REQUEST} bytes")
        while self.open and b"\n" in self._received:
            line, _, self._received = self._received.partition(b"\n")
            self._take(line)

    def _take(self, line: bytes) -> None:
        if not self._has_request:
            self._has_request = True
            self._close_after(None)
            self._handle(line, self)
        elif self.on_answer is not None:
            on_answer, self.on_answer = self.on_answer, None
            self.guard(on_answer)


Handle = Callable[[bytes, ControlRequest], None]
Handler = Callable[[Sequence[str], ControlRequest], None]


class ControlSocket:
    """Serves `handlers` by message name; a handler's FsrvpdError becomes the error text.

    Raises: ConfigError when the path cannot be bound.
    """

    def __init__(
        self,
        loop: EventLoop,
        path: str,
        handlers: Mapping[str, Handler],
        group: str = "",
        maximum: int = CONTROL,
    ) -> None:
        """`maximum`: how many connections may be open."""
        self.path = path
        self._loop = loop
        self._handlers = handlers
        self._group: Optional[int] = None
        self._maximum = maximum
        self._open_requests: set[ControlRequest] = set()
        self._users: Counter[int] = Counter()  # open connections, by uid
        try:
            self._socket = unix_socket.bind(path)
        except OSError as error:
            raise ConfigError(
                f"{path}: cannot bind the control socket: {error.strerror}"
            ) from error
        self.prepare(group).commit()
        self._socket.listen()
        listener = SocketListener(self._socket)
        self._acceptor = Acceptor(loop, path, listener, self._accept, spare=True)

    def prepare(self, group: str) -> Change:
        """Admit root, and members of the group where one is named. Raises: ConfigError."""
        gid, before = _gid(group), self._group

        def commit() -> None:
            self._group = gid

        try:
            self._set_modes(gid)
        except OSError as error:
            self._restore_modes(before)
            raise ConfigError(
                f"{self.path}: cannot be opened to group {group or 'root'}: {error.strerror}"
            ) from error
        return Change(commit, lambda: self._restore_modes(before))

    def _set_modes(self, gid: Optional[int]) -> None:
        folder = os.path.dirname(self.path)
        for path, for_root, for_group in ((folder, 0o700, 0o710), (self.path, 0o600, 0o660)):
            os.chmod(path, for_root)
            os.chown(path, -1, gid or 0)
            os.chmod(path, for_root if gid is None else for_group)

    def _restore_modes(self, gid: Optional[int]) -> None:
        with contextlib.suppress(OSError):  # logged with the failure that led here
            self._set_modes(gid)

    def close(self) -> None:
        for request in list(self._open_requests):
            request.close()
        self._acceptor.close()
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def _accept(self, connection: socket.socket) -> None:
        uid = unix_socket.peer_credentials(connection).uid
        if not self._is_admitted(connection):
            report(log, "control-refused", "", uid=uid)
            connection.close()
            return
        request = ControlRequest(self._loop, connection, self._handle)
        request.on_close.append(lambda: self._forget(request))
        self._open_requests.add(request)
        self._users[uid] += 1
        is_root = uid == os.geteuid()
        if self._users[uid] > MAX_OF_USER and not is_root:
            request.fail(f"user {uid} has {MAX_OF_USER} connections to fsrvpd; close some of them")
        elif len(self._open_requests) > self._maximum - (0 if is_root else FOR_ROOT):
            request.fail(f"{self.path} has too many connections; close some of them")

    def _forget(self, request: ControlRequest) -> None:
        self._open_requests.discard(request)
        self._acceptor.restore_spare()
        self._users[request.uid] -= 1
        if not self._users[request.uid]:
            del self._users[request.uid]

    def _is_admitted(self, connection: socket.socket) -> bool:
        peer = unix_socket.peer_credentials(connection)
        if peer.uid == os.geteuid():
            return True
        groups = (peer.gid, *unix_socket.peer_groups(connection))
        return self._group is not None and self._group in groups

    def _handle(self, line: bytes, request: ControlRequest) -> None:
        def dispatch() -> None:
            handler, parameters = self._parse(line)
            handler(parameters, request)

        request.guard(dispatch)

    def _parse(self, line: bytes) -> tuple[Handler, list[str]]:
        try:
            request = json.loads(line)
            message, parameters = request["message"], request["parameters"]
            return self._handlers[message], [str(parameter) for parameter in parameters]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            known = ", ".join(sorted(self._handlers))
            raise FsrvpdError(f"unknown message; fsrvpd knows {known}") from error


def _gid(group: str) -> Optional[int]:
    """Raises: ConfigError when there is no such group."""
    try:
        return grp.getgrnam(group).gr_gid if group else None
    except KeyError:
        raise ConfigError(
            f"group {group} does not exist; create it with groupadd --system {group}"
        ) from None
