"""The HTTP server for metrics, in a thread of its own; every local user can reach it.

It reads a request, answers, and closes. When as many connections are open as may be, the one
that has waited longest is closed for the next, so that connections that ask for nothing keep
nobody out. The kernel does not tell who is at the other end of a TCP connection.
"""

from __future__ import annotations

import logging
import socket
import threading
from typing import Callable

from fsrvpd.daemon.acceptor import Acceptor, SocketListener
from fsrvpd.daemon.descriptors import METRICS
from fsrvpd.daemon.event_loop import READABLE, WRITABLE, EventLoop

log = logging.getLogger("fsrvpd.metrics")

TIMEOUT = 5.0  # s that a connection may take
MAX_REQUEST = 8192  # bytes
FRESH = 0.5  # s for which numbers are sent again instead of being collected
STOP_TIMEOUT = 1.0  # s to wait for the thread
_END = b"\r\n\r\n"


class MetricsServer:
    """Listens from construction on. `generate` is called in the server's thread and returns the
    text to send. Raises: OSError when the port cannot be used, RuntimeError without a thread."""

    def __init__(
        self, address: tuple[str, int], content_type: str, generate: Callable[[], bytes]
    ) -> None:
        self._generate = generate
        self._content_type = content_type.encode()
        self._answer, self._answer_until = b"", 0.0
        self._waiting: dict[_Scrape, None] = {}  # a set that keeps the order
        self._socket = socket.create_server(address)
        self._socket.setblocking(False)
        self._loop = EventLoop()
        self._acceptor = Acceptor(
            self._loop, "the metrics port", SocketListener(self._socket), self._serve
        )
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._close()
            raise

    def stop(self) -> None:
        """Stop listening and end the thread."""
        self._loop.stop()
        self._thread.join(STOP_TIMEOUT)

    def _run(self) -> None:
        self._loop.run_forever()
        self._close()

    def _close(self) -> None:
        self._acceptor.close()
        self._socket.close()
        for scrape in list(self._waiting):
            scrape.close()
        self._loop.close()

    def _serve(self, connection: socket.socket) -> None:
        if len(self._waiting) >= METRICS:
            next(iter(self._waiting)).close()
        scrape = _Scrape(self._loop, connection, self._respond, self._waiting.pop)
        self._waiting[scrape] = None

    def _respond(self, request: bytes) -> bytes:
        if not request.startswith(b"GET "):
            return _response(b"405 Method Not Allowed", b"text/plain", b"")
        if self._loop.time() >= self._answer_until:
            self._answer = self._fresh_answer()
            self._answer_until = self._loop.time() + FRESH
        return self._answer

    def _fresh_answer(self) -> bytes:
        try:
            return _response(b"200 OK", self._content_type, self._generate())
        except Exception:
            log.exception("metrics cannot be collected; please report this")
            return _response(b"500 Internal Server Error", b"text/plain", b"")


class _Scrape:
    """One connection: a request, then its response."""

    def __init__(
        self,
        loop: EventLoop,
        connection: socket.socket,
        respond: Callable[[bytes], bytes],
        on_close: Callable[[_Scrape], object],
    ) -> None:
        self._loop = loop
        self._socket = connection
        self._respond = respond
        self._on_close = on_close
        self._request = b""
        self._unsent = b""
        self._timer = loop.call_later(TIMEOUT, self.close)
        loop.register(connection.fileno(), READABLE, self._on_ready)

    def close(self) -> None:
        self._timer.cancel()
        self._loop.unregister(self._socket.fileno())
        self._socket.close()
        self._on_close(self)

    def _on_ready(self, events: int) -> None:
        try:
            if self._unsent:
                self._send()
            else:
                self._read()
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def _read(self) -> None:
        data = self._socket.recv(MAX_REQUEST)
        self._request += data
        if _END in self._request:
            self._unsent = self._respond(self._request)
            self._loop.modify(self._socket.fileno(), WRITABLE)
            self._send()
        elif not data or len(self._request) > MAX_REQUEST:
            self.close()

    def _send(self) -> None:
        self._unsent = self._unsent[self._socket.send(self._unsent) :]
        if not self._unsent:
            self.close()


def _response(status: bytes, content_type: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return head % (status, content_type, len(body)) + body
