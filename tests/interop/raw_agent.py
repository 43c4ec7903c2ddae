"""A client that sends exactly what a test wants, over impacket's SMB and DCE/RPC.

It binds to the agent without RPC authentication, as rpcclient does, but as any user: an
ordinary user, a guest or an unknown name. NDR stubs are written by hand.
"""

from __future__ import annotations

import struct
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Callable, NamedTuple, Optional, Protocol, Type, TypeVar

from impacket.dcerpc.v5 import transport
from impacket.smbconnection import SessionError, SMBConnection
from impacket.uuid import uuidtup_to_bin

from fsrvpd.core.messages import Opnum
from lab import Lab, Samba

Result = TypeVar("Result")
INTERFACE = uuidtup_to_bin(("a8e0653c-2744-4389-a61d-7373df8b2292", "1.0"))
BACKUP = 0x0
TIMEOUT = 60_000  # ms, for prepare, commit and expose
SOME_GUID = uuid.UUID("6d2c4d1b-4ad4-4b39-b3a5-0d1d35cd7c14").bytes_le


class Mapped(NamedTuple):
    """FSSAGENT_SHARE_MAPPING_1 without its UNC."""

    set_id: bytes
    copy_id: bytes
    share: str
    created: int  # 100 ns since 1601


def wide(text: str) -> bytes:
    """Encode a conformant and varying string of wchar_t with its NUL, padded to 4 bytes."""
    body = (text + "\0").encode("utf-16-le")
    count = len(body) // 2
    return struct.pack("<III", count, 0, count) + body + bytes(-len(body) % 4)


def every_call(unc: str) -> dict[Opnum, bytes]:
    """Return one well-formed request for each of the thirteen methods."""
    timed = SOME_GUID + struct.pack("<I", TIMEOUT)
    return {
        Opnum.GetSupportedVersion: b"",
        Opnum.SetContext: struct.pack("<I", BACKUP),
        Opnum.StartShadowCopySet: SOME_GUID,
        Opnum.AddToShadowCopySet: SOME_GUID + SOME_GUID + wide(unc),
        Opnum.CommitShadowCopySet: timed,
        Opnum.ExposeShadowCopySet: timed,
        Opnum.RecoveryCompleteShadowCopySet: SOME_GUID,
        Opnum.AbortShadowCopySet: SOME_GUID,
        Opnum.IsPathSupported: wide(unc),
        Opnum.IsPathShadowCopied: wide(unc),
        Opnum.GetShareMapping: SOME_GUID + SOME_GUID + wide(unc) + struct.pack("<I", 1),
        Opnum.DeleteShareMapping: SOME_GUID + SOME_GUID + wide(unc),
        Opnum.PrepareShadowCopySet: timed,
    }


class Place(Protocol):
    """Where an agent runs: a lab and the Samba in it."""

    @property
    def lab(self) -> Lab: ...

    @property
    def samba(self) -> Samba: ...


class RawAgent:
    """A connection to the agent as `user`, from inside the lab's network."""

    _domain = ""  # the user's domain

    def __init__(
        self,
        nas: Place,
        user: str = "root",
        password: str = "Lab-pass-0",
        *,
        address: str = "",
    ) -> None:
        self._address = address or nas.samba.address
        self._thread: ThreadPoolExecutor = nas.lab.network()
        self._connection: Any = self._there(lambda: self._log_in(user, password))
        try:
            self._pipe: Any = self._there(self._bind)
        except BaseException:
            self.hang_up()
            raise

    def __enter__(self) -> RawAgent:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._there(self._pipe.disconnect)
        self._there(self._connection.close)
        self._thread.shutdown()

    def unc(self, share: str) -> str:
        return f"\\\\{self._address}\\{share}\\"

    def call(self, opnum: Opnum, stub: bytes) -> bytes:
        """Return the response's stub. Raises: impacket's DCERPCException on a fault."""

        def converse() -> bytes:
            self._pipe.call(int(opnum), stub)
            answer: bytes = self._pipe.recv()
            return answer

        return self._there(converse)

    def begin(self, opnum: Opnum, stub: bytes) -> None:
        """Send a request without waiting for the response."""
        self._there(lambda: self._pipe.call(int(opnum), stub))

    def answer(self) -> bytes:
        """Return the response to the request that `begin` sent."""
        answer: bytes = self._there(self._pipe.recv)
        return answer

    def hang_up(self) -> None:
        """Close the TCP connection without any SMB message."""
        self._there(self._connection.getSMBServer().get_socket().close)
        self._thread.shutdown()

    def result(self, opnum: Opnum, stub: bytes) -> int:
        """Return the 32-bit result at the end of every response."""
        return result_of(self.call(opnum, stub))

    def must(self, opnum: Opnum, stub: bytes) -> bytes:
        answer = self.call(opnum, stub)
        assert result_of(answer) == 0, f"{opnum.name}: {result_of(answer):#010x}"
        return answer

    def start(self, context: int = BACKUP) -> bytes:
        """SetContext and StartShadowCopySet. Returns the id of the set."""
        self.must(Opnum.SetContext, struct.pack("<I", context))
        return self.must(Opnum.StartShadowCopySet, SOME_GUID)[:16]

    def add(self, set_id: bytes, share: str) -> bytes:
        """AddToShadowCopySet. Returns the id of the copy."""
        stub = SOME_GUID + set_id + wide(self.unc(share))
        return self.must(Opnum.AddToShadowCopySet, stub)[:16]

    def advance(self, opnum: Opnum, set_id: bytes) -> None:
        """Call prepare, commit, expose (with a timeout) or recovery complete."""
        timeout = b"" if opnum == Opnum.RecoveryCompleteShadowCopySet else _timeout()
        self.must(opnum, set_id + timeout)

    def expose(self, set_id: bytes) -> None:
        """Prepare, commit and expose the set."""
        self.advance(Opnum.PrepareShadowCopySet, set_id)
        self.advance(Opnum.CommitShadowCopySet, set_id)
        self.advance(Opnum.ExposeShadowCopySet, set_id)

    def mapping(self, set_id: bytes, copy_id: bytes, share: str) -> Mapped:
        stub = copy_id + set_id + wide(self.unc(share))
        stub += bytes(-len(stub) % 4) + struct.pack("<I", 1)
        return mapped(self.must(Opnum.GetShareMapping, stub))

    def delete(self, set_id: bytes, copy_id: bytes, share: str) -> None:
        self.must(Opnum.DeleteShareMapping, set_id + copy_id + wide(self.unc(share)))

    def read(self, share: str, name: str) -> bytes:
        """Return the content of a file, read over the same SMB session."""
        parts: list[bytes] = []
        self._there(lambda: self._connection.getFile(share, name, parts.append))
        return b"".join(parts)

    def may_write(self, share: str) -> bool:
        try:
            self._there(lambda: self._connection.createDirectory(share, "made"))
        except SessionError:
            return False
        self._there(lambda: self._connection.deleteDirectory(share, "made"))
        return True

    def _log_in(self, user: str, password: str) -> Any:
        connection = SMBConnection(self._address, self._address)
        connection.login(user, password, self._domain)
        if connection.isGuestSession():
            # Samba does not sign for a guest, and impacket does not notice by itself.
            connection.getSMBServer()._Session["SigningActivated"] = False
        return connection

    def _bind(self) -> Any:
        binding = transport.SMBTransport(
            self._address, 445, r"\FssagentRpc", smb_connection=self._connection
        )
        pipe = binding.get_dce_rpc()
        self._prepare(pipe)
        pipe.connect()
        pipe.bind(INTERFACE)
        return pipe

    def _prepare(self, pipe: Any) -> None:
        """Subclasses that authenticate at RPC level set it up here."""

    def _there(self, function: Callable[[], Result]) -> Result:
        return self._thread.submit(function).result(120)


def _timeout() -> bytes:
    return struct.pack("<I", TIMEOUT)


def result_of(answer: bytes) -> int:
    return int.from_bytes(answer[-4:], "little")


def mapped(answer: bytes) -> Mapped:
    """Spec: MS-FSRVP 2.2.3.1: union switch, pointer, then the structure, aligned to 8."""
    level, pointer = struct.unpack_from("<II", answer)
    assert level == 1
    assert pointer != 0
    set_id, copy_id = answer[8:24], answer[24:40]
    unc, share, created = struct.unpack_from("<IIQ", answer, 40)
    assert unc != 0
    assert share != 0
    after_unc = _skip_string(answer, 56)
    return Mapped(set_id, copy_id, _string(answer, after_unc), created)


def _string(answer: bytes, offset: int) -> str:
    count = struct.unpack_from("<I", answer, offset + 8)[0]
    return answer[offset + 12 : offset + 12 + 2 * count].decode("utf-16-le").rstrip("\0")


def _skip_string(answer: bytes, offset: int) -> int:
    count = struct.unpack_from("<I", answer, offset + 8)[0]
    end = offset + 12 + 2 * int(count)
    return end + -end % 4
