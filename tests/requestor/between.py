"""`Between`: whoever sits on the wire between a requestor and a server, and changes messages."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Callable, Optional, Type

PENDING = 0x103
FROM_CLIENT, FROM_SERVER = "client", "server"
# Who sent a message of SMB, its id, and its bytes; what is returned goes on. Interim answers are
# not shown.
Change = Callable[[str, int, bytes], bytes]


class Between:
    """Takes one TCP connection at `port` of 127.0.0.1 and leads it to a server. To be made in a
    thread of the requestor's network; its own threads stay there."""

    def __init__(self, server: str, change: Change) -> None:
        self._server, self._change = server, change
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def __enter__(self) -> Between:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up()
        for thread in self._threads:
            thread.join(30)
        for end in self._ends:
            end.close()

    def _serve(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # nobody came
        server = socket.create_connection((self._server, 445))
        self._ends = [client, server]
        back = threading.Thread(target=self._lead, args=(FROM_SERVER, server, client))
        self._threads.append(back)
        back.start()
        self._lead(FROM_CLIENT, client, server)

    def _lead(self, sender: str, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                message = _message(source)
                status, message_id = struct.unpack_from("<8xI12xQ", message)
                if status != PENDING:
                    message = self._change(sender, message_id, message)
                target.sendall(struct.pack(">I", len(message)) + message)
        self._hang_up()

    def _hang_up(self) -> None:
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _message(source: socket.socket) -> bytes:
    """Raises: OSError at the end of the connection."""
    (size,) = struct.unpack(">I", _exactly(source, 4))
    return _exactly(source, size)


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            raise ConnectionError("the end")
        data += part
    return data
