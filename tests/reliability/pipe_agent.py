"""A client that connects to the pipe's socket itself and sends smbd's named_pipe_auth request:
it is fast, and can claim any address."""

from __future__ import annotations

import itertools
import json
import os
import socket
import struct
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Callable, Optional, Type

from fsrvpd.core.messages import Opnum
from lab.namespaces import wait_until
from tests.interop.raw_agent import INTERFACE, Place, RawAgent, wide
from tests.unit.samba_hooks.pipe import npa_builder

VECTOR = Path(__file__).parents[1] / "vectors/npa/level7_samba4.17.12_standalone_root.json"
FACTS = json.loads(VECTOR.read_text("utf-8"))
NDR = bytes.fromhex("045d888aeb1cc9119fe808002b10486002000000")
HEADER = struct.Struct("<BBBBIHHI")  # version twice, type, flags, drep, length, auth, call id
BIND, BIND_ACK, REQUEST, RESPONSE = 11, 12, 0, 2
WHOLE = 3  # first and last fragment
TIMEOUT = 30.0  # s


class PipeAgent(RawAgent):
    """`RawAgent` without smbd: as root, from `address`."""

    def __init__(self, nas: Place, address: str) -> None:
        self._host = "LAB"
        self._ids = itertools.count(1)
        self._stream = connect(nas, address)
        body = struct.pack("<HHIBxxxHBx", 4280, 4280, 0, 1, 0, 1) + INTERFACE + NDR
        try:
            self._say(BIND, body)
            self._hear(BIND_ACK)
        except OSError:
            self.hang_up()
            raise

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.hang_up()

    def unc(self, share: str) -> str:
        return f"\\\\{self._host}\\{share}\\"

    def begin(self, opnum: Opnum, stub: bytes) -> None:
        self._say(REQUEST, struct.pack("<IHH", len(stub), 0, opnum) + stub)

    def call(self, opnum: Opnum, stub: bytes) -> bytes:
        """Return the response's stub. Raises: ConnectionError if the daemon has ended."""
        self.begin(opnum, stub)
        return self._hear(RESPONSE)[8:]

    def hang_up(self) -> None:
        self._stream.close()

    def drip(self, opnum: Opnum, stub: bytes, meanwhile: Callable[[], None]) -> None:
        """Send a call byte by byte, running `meanwhile` in between. The call must succeed."""
        for byte in self._message(REQUEST, struct.pack("<IHH", len(stub), 0, opnum) + stub):
            self._stream.sendall(bytes([byte]))
            meanwhile()
        assert self._hear(RESPONSE)[-4:] == bytes(4)

    def _say(self, kind: int, body: bytes) -> None:
        self._stream.sendall(self._message(kind, body))

    def _message(self, kind: int, body: bytes) -> bytes:
        length = HEADER.size + len(body)
        header = HEADER.pack(5, 0, kind, WHOLE, 0x10, length, 0, next(self._ids))
        return struct.pack("<H", length) + header + body

    def _hear(self, kind: int) -> bytes:
        (length,) = struct.unpack("<H", receive(self._stream, 2))
        message = receive(self._stream, length)
        assert message[2] == kind, f"PDU of type {message[2]}: {message.hex()}"
        return message[HEADER.size :]


def connect(nas: Place, address: str) -> socket.socket:
    """Connect and send the named_pipe_auth request. Raises: OSError."""
    with ExitStack() as stack:
        stream = stack.enter_context(socket.socket(socket.AF_UNIX))
        stream.settimeout(TIMEOUT)
        folder = os.open(nas.samba.pipe.parent, os.O_PATH)
        try:  # a socket's path is limited to 107 bytes
            stream.connect(f"/proc/self/fd/{folder}/{nas.samba.pipe.name}")
        finally:
            os.close(folder)
        request = {**FACTS["request"], "client_address": address, "client_name": address}
        stream.sendall(npa_builder.build(request, FACTS["level"], FACTS["ticket_type"]))
        (length,) = struct.unpack(">I", receive(stream, 4))
        receive(stream, length)
        stack.pop_all()
        return stream


def until_answered(nas: Place, share: str) -> None:
    """Call IsPathSupported until the daemon is up and has read Samba's configuration and the
    disks."""

    def answers() -> bool:
        try:
            with PipeAgent(nas, "192.0.2.1") as agent:
                agent.must(Opnum.IsPathSupported, wide(agent.unc(share)))
        except OSError:
            return False
        return True

    wait_until("the first call is answered", answers)


def receive(stream: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = stream.recv(length - len(data))
        if not part:
            raise ConnectionError("the daemon hung up")
        data += part
    return data
