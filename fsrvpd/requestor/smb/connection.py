"""smbprotocol's connection, made strict: every wait ends, every answer is signed, none is too long.
It has no thread: whoever waits for an answer reads it.

smbprotocol waits for ever if it is not told otherwise, takes an answer without a signature, or one
to another command, and reads up to 4 GB because a server says so. Spec: MS-SMB2 3.2.5.1.3, 2.1.
"""

from __future__ import annotations

import select
import socket
import struct
import time
import uuid
from typing import Any, Callable, Optional

from cryptography.hazmat.backends import default_backend
from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBException
from smbprotocol.header import Commands, NtStatus, Smb2Flags
from smbprotocol.transport import Tcp

PORT = 445
WAIT = 60.0  # seconds
MAX_MESSAGE = 9 << 20  # bytes: above the 8 MiB that servers offer for one read
HEADER_SIZE = 64
UNASKED = 0xFFFFFFFFFFFFFFFF  # the message id of what the server sends by itself

default_backend()  # imports a lot, which would otherwise happen while a server waits

_SETUP = struct.Struct("<4xHH")

Clock = Callable[[], float]


class TimedOut(SMBException):  # type: ignore[misc]  # smbprotocol has no types
    """The answer did not come in time."""


class StrictConnection(Connection):  # type: ignore[misc]
    """`deadline` bounds each wait, on the clock of `time.monotonic`; None is WAIT from its begin.
    `round_trips` counts the answers that were waited for. One thread uses it."""

    def __init__(self, host: str, port: int = PORT, clock: Clock = time.monotonic) -> None:
        self._socket: Any = None  # a _Transport once it connects
        super().__init__(uuid.uuid4(), host, port, require_signing=True)
        self._clock = clock
        self.deadline: Optional[float] = None
        self.round_trips = 0
        self.login_tokens: list[bytes] = []  # of the server

    @property
    def transport(self) -> Any:
        return self._socket

    @transport.setter
    def transport(self, made: Optional[Tcp]) -> None:
        """smbprotocol makes one when it connects."""
        self._socket = made and _Transport(made.server, made.port, made.timeout)

    @property
    def reached(self) -> bool:
        """Whether somebody took the TCP connection."""
        return self._socket is not None and self._socket.reached

    @property
    def left(self) -> float:
        """Seconds until the deadline. Raises: TimedOut."""
        left = WAIT if self.deadline is None else self.deadline - self._clock()
        if left <= 0:
            raise TimedOut("the answer did not come in time")
        return left

    def connect(self, *arguments: Any, **options: Any) -> None:
        super().connect(*arguments, **options)
        self._t_worker = None  # it has ended, and its identifier may be another thread's

    def limit(self, seconds: float) -> None:
        """Let no wait from now on last longer than this in all."""
        self.deadline = self._clock() + seconds

    def receive(
        self,
        request: Any,
        wait: bool = True,
        timeout: Optional[float] = None,
        resolve_symlinks: bool = False,
    ) -> Any:
        """Raises: TimedOut, SMBResponseException, SMBException."""
        self.round_trips += 1
        while not _is_answered(request, wait):
            self._check_worker_running()
            self._read_message()
        response = request.response
        if response["command"].get_value() == Commands.SMB2_SESSION_SETUP:
            self.login_tokens.append(_token(response["data"].get_value()))
        return super().receive(request, wait, resolve_symlinks=False)

    def read_bytes(self) -> bytes:
        """The next message, b"" at the end of the connection. Raises: TimedOut, SMBException."""
        self._check_worker_running()
        try:
            self._socket.expect_one(self.left)
            return self._socket.recv(0) or b""
        except BaseException:  # also a signal: half a message may be read
            self._socket.close()
            raise

    def _read_message(self) -> None:
        """In this thread: one that reads all the time would have to be waited for at each answer,
        and would be missing after a fork."""
        try:
            self._socket.expect_one(self.left)
            super()._process_message_thread()
        except BaseException:  # as above
            self._socket.close()
            raise

    def _process_message_thread(self) -> None:
        """What smbprotocol's thread does."""

    def verify_signature(self, header: Any, session_id: int, force: bool = False) -> None:
        """Not called for what came encrypted, unless `force` is set. Raises: SMBException."""
        if not force:  # it has just arrived
            request = self.outstanding_requests[header["message_id"].get_value()].message
            _check_what_it_answers(header, request)
            force = self._must_be_signed(header, request, session_id)
        super().verify_signature(header, session_id, force)

    def _must_be_signed(self, header: Any, request: Any, session_id: int) -> bool:
        """Raises: SMBException where nothing but an encrypted answer is good."""
        session = self.session_table.get(session_id)
        is_interim = header["status"].get_value() == NtStatus.STATUS_PENDING
        if (
            session is None
            or is_interim
            or header["command"].get_value() == Commands.SMB2_SESSION_SETUP
        ):
            return False
        tree = session.tree_connect_table.get(request["tree_id"].get_value())
        if session.encrypt_data or (tree is not None and tree.encrypt_data):
            raise SMBException("an answer that is not encrypted")
        return bool(session.signing_required)


def _check_what_it_answers(header: Any, request: Any) -> None:
    """Its command decides whether it must be signed, and a signature is as good in the request
    that it was made for. Raises: SMBException."""
    if header["command"].get_value() != request["command"].get_value():
        raise SMBException("an answer to another command")
    if not header["flags"].has_flag(Smb2Flags.SMB2_FLAGS_SERVER_TO_REDIR):
        raise SMBException("a request instead of an answer")


def _token(setup: bytes) -> bytes:
    """The server's token in an answer to SESSION_SETUP (2.2.6), whatever the bytes are."""
    if len(setup) < _SETUP.size:
        return b""
    place, size = _SETUP.unpack_from(setup)
    return setup[max(0, place - HEADER_SIZE) :][:size]


def _is_answered(request: Any, wait: bool) -> bool:
    """`wait`: not by an interim answer, which says that there will be one."""
    if request.response is None:
        return False
    return not (wait and request.response["status"].get_value() == NtStatus.STATUS_PENDING)


class _Transport(Tcp):  # type: ignore[misc]
    reached = False
    _seconds: Optional[float] = None

    def connect(self) -> None:
        """To the first of the host's addresses that answers, in one time for all.

        Raises: ValueError.
        """
        ends = time.monotonic() + self.timeout
        error: OSError = TimeoutError("no address answers in time")
        try:
            # For text Python loads its tables of international names.
            host = self.server.encode() if self.server.isascii() else self.server
            found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as unknown:  # the name
            raise ValueError(str(unknown)) from unknown
        for family, kind, protocol, _, address in found:
            left = ends - time.monotonic()
            if left <= 0:
                break
            try:
                self._sock = _connected(socket.socket(family, kind, protocol), address, left)
            except OSError as failed:
                error = failed
            else:
                self.connected = self.reached = True
                return
        raise ValueError(error.strerror or str(error)) from error

    def send(self, header: Any) -> None:
        """smbprotocol makes objects of four bytes of a length. What is encrypted is one, too."""
        data: bytes = header if isinstance(header, bytes) else header.pack()
        self._sock.sendall(struct.pack(">I", len(data)) + data)

    def expect_one(self, seconds: float) -> None:
        """Let the next `recv` return a message, and the one after it nothing, which ends
        smbprotocol's loop."""
        self._seconds = seconds

    def recv(self, timeout: float) -> Any:
        seconds, self._seconds = self._seconds, None
        if seconds is None:
            return b""
        return super().recv(seconds)

    def _recv(self, length: int, timeout: float) -> Any:
        """All of it in this time, however slowly it drips: smbprotocol waits for each part anew.
        Returns it, or None at the end of the connection, and the time that is left."""
        if length > MAX_MESSAGE:
            raise SMBException(f"the server announces a message of {length} bytes")
        data, ends, place = bytearray(length), time.monotonic() + timeout, 0
        arrival = select.poll()  # the number of the file may be above what `select` takes
        arrival.register(self._sock, select.POLLIN)
        while place < length:
            left = ends - time.monotonic()
            if left <= 0 or not arrival.poll(left * 1000):
                raise TimedOut("the answer did not come in time")
            try:
                size = self._sock.recv_into(memoryview(data)[place:])
            except ConnectionError:
                size = 0
            if not size:
                self.close()
                return None, 0.0
            place += size
        return bytes(data), ends - time.monotonic()


def _connected(made: socket.socket, address: Any, seconds: float) -> socket.socket:
    """Raises: OSError; then it is closed."""
    try:
        made.settimeout(seconds)
        made.connect(address)
        made.settimeout(None)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        made.close()
        raise
    return made
