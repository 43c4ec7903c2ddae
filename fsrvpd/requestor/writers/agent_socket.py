"""QEMU's guest agent over its socket on the host: lines of JSON.

QEMU serves one client of the socket at a time. A second one connects, and hears nothing until the
first has closed: each wait has an end. What an earlier client has left half-read, half-written or
unanswered is skipped by guest-sync-delimited.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from contextlib import suppress
from typing import Any, Mapping, Optional

from fsrvpd.requestor.writers.agent import THAWED, AgentFailure, GuestGone

_DELIMITER = b"\xff"  # in no JSON
_LONGEST = 1 << 16  # bytes of an answer; the longest of those asked for has 100
_SHOWN = 200  # characters of what a guest says
FREEZE, THAW, STATUS = "guest-fsfreeze-freeze", "guest-fsfreeze-thaw", "guest-fsfreeze-status"


class AgentSocket:
    """An `Agent`. `path` is the socket of the channel org.qemu.guest_agent.0."""

    late = 0.0  # the agent reads its commands one by one

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: Optional[Connection] = None  # from `prepare` until the freeze

    @property
    def guest(self) -> str:
        return self._path

    @property
    def recipe(self) -> Mapping[str, Any]:
        """With the connection: the keeper closes it, if this process is stopped while it freezes
        and keeps all others out."""
        if self._connection is None:
            return {"socket": self._path}
        return {"socket": self._path, "connection": self._connection.descriptor}

    def prepare(self, timeout: float) -> None:
        self.close()
        self._connection = Connection(self._path, timeout)
        if self._connection.execute(STATUS) != THAWED:
            raise frozen_already(self.guest)

    def freeze(self, timeout: float) -> int:
        """Closes the connection, so that whoever thaws gets through."""
        connection = self._connection
        if connection is None:
            raise AgentFailure(self.guest, "nobody has prepared it", "call `prepare` first")
        try:
            number = connection.execute(FREEZE, timeout)
        finally:
            connection.end()
        if type(number) is not int:
            raise AgentFailure(self.guest, f"its agent answered {_shown(number)} to {FREEZE}")
        return number

    def thaw(self, timeout: float) -> bool:
        if self._connection is not None:
            self._connection.end()  # a freeze may still wait in another thread
        connection = Connection(self._path, timeout)
        try:
            if connection.execute(STATUS) == THAWED:
                return False
            connection.execute(THAW)
            status = connection.execute(STATUS)
            if status != THAWED:
                raise AgentFailure(self.guest, f"its agent says {_shown(status)} after {THAW}")
            return True
        finally:
            connection.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Connection:
    """To an agent that answers. Raises: AgentFailure, GuestGone."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self._received = b""
        self._deadline = time.monotonic() + timeout
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connect()
            self._synchronize()
        except BaseException:
            self.close()
            raise

    @property
    def descriptor(self) -> int:
        return self._socket.fileno()

    def execute(self, command: str, timeout: Optional[float] = None) -> Any:
        """What the agent returns. `timeout` begins now; else that of the connection goes on."""
        if timeout is not None:
            self._deadline = time.monotonic() + timeout
        self._send(json.dumps({"execute": command}).encode() + b"\n")
        answer = self._answer()
        if "return" not in answer:
            raise AgentFailure(self._path, f"its agent refused {command}: {_reason(answer)}")
        return answer["return"]

    def end(self) -> None:
        """For all processes that have it, and for a thread that waits."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.end()
        self._socket.close()

    def _connect(self) -> None:
        self._wait()
        try:
            self._socket.connect(self._path)
        except (ConnectionRefusedError, FileNotFoundError) as error:
            cause = f"nothing listens at its socket: {error.strerror}"
            raise GuestGone(self._path, cause, "start the guest") from None
        except OSError as error:
            raise self._failure(error) from error

    def _synchronize(self) -> None:
        """Skip all answers to what was asked before."""
        number = secrets.randbelow(1 << 31)
        message = {"execute": "guest-sync-delimited", "arguments": {"id": number}}
        self._send(_DELIMITER + json.dumps(message).encode() + b"\n")
        while True:
            while _DELIMITER not in self._received:
                self._received = b""  # an answer to somebody else
                self._receive()
            self._received = self._received.partition(_DELIMITER)[2]
            with suppress(AgentFailure):  # of a client that gave up just now, perhaps
                if self._answer() == {"return": number}:
                    return

    def _send(self, data: bytes) -> None:
        self._wait()
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise self._failure(error) from error

    def _answer(self) -> Mapping[str, Any]:
        while b"\n" not in self._received:
            if len(self._received) > _LONGEST:
                raise AgentFailure(self._path, f"its agent answered more than {_LONGEST} bytes")
            self._receive()
        line, _, self._received = self._received.partition(b"\n")
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            raise AgentFailure(self._path, f"its agent answered {_shown(line)}") from None
        if not isinstance(answer, dict):
            raise AgentFailure(self._path, f"its agent answered {_shown(line)}")
        return answer

    def _receive(self) -> None:
        self._wait()
        try:
            data = self._socket.recv(4096)
        except OSError as error:
            raise self._failure(error) from error
        if not data:
            raise AgentFailure(self._path, "its agent's socket was closed")
        self._received += data

    def _wait(self) -> None:
        """Let the next call wait until the deadline."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise AgentFailure(self._path, "its agent does not answer in time")
        self._socket.settimeout(left)

    def _failure(self, error: OSError) -> AgentFailure:
        if isinstance(error, (socket.timeout, BlockingIOError)):
            return AgentFailure(self._path, "its agent does not answer in time")
        cause = os.strerror(error.errno) if error.errno else str(error)
        return AgentFailure(self._path, f"its agent's socket fails: {cause}")


def frozen_already(guest: str) -> AgentFailure:
    cause = "it is frozen already, by somebody else or by a client that was killed"
    return AgentFailure(guest, cause, "type `fsrvpshadow clean`; if that does not help, thaw it")


def _reason(answer: Mapping[str, Any]) -> str:
    error = answer.get("error")
    return _shown(error.get("desc", error) if isinstance(error, dict) else answer)


def _shown(value: Any) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
