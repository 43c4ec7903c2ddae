"""A named pipe of an SMB server in message mode, in plain bytes.

Spec: MS-SMB2 2.2.13 to 2.2.22, 2.2.31, 2.2.32, 3.3.5.15.10; MS-FSCC 2.3.50.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Callable

from smbprotocol.exceptions import SMBException
from smbprotocol.header import Commands
from smbprotocol.ioctl import CtlCode, IOCTLFlags
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    ShareAccess,
)

from fsrvpd.requestor.smb.connection import HEADER_SIZE
from fsrvpd.requestor.smb.exchange import Message, exchange, nothing
from fsrvpd.requestor.smb.failures import BUFFER_OVERFLOW
from fsrvpd.requestor.smb.session import SMB_ERRORS, SmbSession

IPC = "IPC$"
MAX_READ = 65536  # bytes: what one credit pays for
_ACCESS = FilePipePrinterAccessMask.GENERIC_READ | FilePipePrinterAccessMask.GENERIC_WRITE
_SHARED = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE
# The fixed parts of requests and answers. An answer says where its data is.
_CREATE, _CREATED = struct.Struct("<H2xI16xIIIIIHH8x"), struct.Struct("<64x16s")
_CONTROL, _CONTROLLED = struct.Struct("<HxxI16sIIIIIII4x"), struct.Struct("<32xII8x")
_WRITE = struct.Struct("<HHI8x16s16x")
_READ, _DATA = struct.Struct("<H2xI8x16s17x"), struct.Struct("<2xBxI8x")
_CLOSE = struct.Struct("<H6x16s")


class Pipe:
    """One thread uses it. All methods but `close` raise what smbprotocol does: SMB_ERRORS."""

    def __init__(
        self, session: SmbSession, name: str, meanwhile: Callable[[], None] = nothing
    ) -> None:
        """Opens it. `meanwhile` is done while the server does."""
        self._tree = session.tree(IPC)
        self._connection = session.connection
        path = name.encode("utf-16-le")
        fixed = _CREATE.pack(
            57,
            ImpersonationLevel.Impersonation,
            *(_ACCESS, 0, _SHARED),
            CreateDisposition.FILE_OPEN,
            CreateOptions.FILE_NON_DIRECTORY_FILE,
            *(HEADER_SIZE + _CREATE.size, len(path)),
        )
        opened = self._exchange(Commands.SMB2_CREATE, fixed + path, meanwhile)
        (self._id,) = _CREATED.unpack_from(_done(opened).data, HEADER_SIZE)

    def transceive(self, message: bytes) -> bytes:
        """Write a message and read the next one, or as much as the server gives, at once."""
        begin = HEADER_SIZE + _CONTROL.size
        fixed = _CONTROL.pack(
            57,
            CtlCode.FSCTL_PIPE_TRANSCEIVE,
            self._id,
            *(begin, len(message), 0, 0, 0, MAX_READ),
            IOCTLFlags.SMB2_0_IOCTL_IS_FSCTL,
        )
        return _part(self._exchange(Commands.SMB2_IOCTL, fixed + message), _CONTROLLED)

    def write(self, message: bytes) -> None:
        fixed = _WRITE.pack(49, HEADER_SIZE + _WRITE.size, len(message), self._id)
        _done(self._exchange(Commands.SMB2_WRITE, fixed + message))

    def read(self) -> bytes:
        """The rest of a message, or the next one."""
        fixed = _READ.pack(49, MAX_READ, self._id)
        return _part(self._exchange(Commands.SMB2_READ, fixed), _DATA)

    def close(self) -> None:
        """Raises nothing."""
        with suppress(*SMB_ERRORS):
            self._exchange(Commands.SMB2_CLOSE, _CLOSE.pack(24, self._id))

    def _exchange(
        self, command: int, body: bytes, meanwhile: Callable[[], None] = nothing
    ) -> Message:
        return exchange(self._connection, self._tree, command, body, meanwhile)


def _done(answer: Message) -> Message:
    """Raises: SMBResponseException."""
    if answer.status:
        raise answer.failure()
    return answer


def _part(answer: Message, fixed: struct.Struct) -> bytes:
    """What an answer has of a message of the pipe, or all of it.

    Raises: SMBResponseException, SMBException.
    """
    if answer.status not in (0, BUFFER_OVERFLOW):  # that is: the message is longer
        raise answer.failure()
    place, size = fixed.unpack_from(answer.data, HEADER_SIZE)
    if place < HEADER_SIZE + fixed.size or place + size > len(answer.data):
        raise SMBException("an answer of the pipe that is cut short")
    return answer.data[place : place + size]
