"""One request of SMB and its answer in plain bytes: the pipe, and the calls over it.

smbprotocol builds each message of objects for each field, which takes about 1 ms for a request and
its answer: as long as an agent takes for most methods. Sessions, keys and everything else stay
smbprotocol's. Spec: MS-SMB2 2.2.1, 3.2.4.1, 3.2.5.1.
"""

from __future__ import annotations

import hmac
import struct
from typing import Any, Callable, NamedTuple

from smbprotocol.connection import SMB2TransformHeader
from smbprotocol.exceptions import SMBConnectionClosed, SMBException, SMBResponseException
from smbprotocol.header import NtStatus, Smb2Flags, SMB2HeaderResponse

from fsrvpd.requestor.smb.connection import HEADER_SIZE, UNASKED, StrictConnection

_HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")
_SMB, _ENCRYPTED = b"\xfeSMB", b"\xfdSMB"
_SIGNATURE = slice(48, 64)


class Message(NamedTuple):
    """An answer with its header."""

    status: int
    data: bytes

    def failure(self) -> SMBResponseException:
        header = SMB2HeaderResponse()
        header.unpack(self.data)
        return SMBResponseException(header)


def nothing() -> None:
    """To be done while the server works."""


def exchange(
    connection: StrictConnection,
    tree: Any,
    command: int,
    body: bytes,
    meanwhile: Callable[[], None] = nothing,
) -> Message:
    """`tree` is smbprotocol's; `meanwhile` is done after the request is sent.

    Raises: SMBException and what else smbprotocol does, and what `meanwhile` raises.
    """
    connection.round_trips += 1
    message_id = _next_id(connection)
    _send(connection, tree, command, message_id, body)
    meanwhile()
    while True:
        data = connection.read_bytes()
        if not data:
            raise SMBConnectionClosed("the server closed the connection")
        is_sealed = data[:4] == _ENCRYPTED
        if is_sealed:
            wrapped = SMB2TransformHeader()
            wrapped.unpack(data)
            data = connection._decrypt(wrapped)
        status, answered = _checked(connection, tree, command, data, is_sealed)
        if answered == message_id and status != NtStatus.STATUS_PENDING:
            return Message(status, data)
        if answered not in (message_id, UNASKED):
            raise SMBException("an answer to another request")


def _next_id(connection: StrictConnection) -> int:
    window = connection.sequence_window
    if window["low"] >= window["high"]:
        raise SMBException("the server grants no more credits")
    message_id: int = window["low"]
    window["low"] += 1
    return message_id


def _send(
    connection: StrictConnection, tree: Any, command: int, message_id: int, body: bytes
) -> None:
    session = tree.session
    seals = session.encrypt_data or tree.encrypt_data
    flags = 0 if seals else Smb2Flags.SMB2_FLAGS_SIGNED
    charge = 1 if connection.supports_multi_credit else 0
    ids = (message_id, 0, tree.tree_connect_id, session.session_id)
    data = _HEADER.pack(_SMB, HEADER_SIZE, charge, 0, command, 1, flags, 0, *ids, b"") + body
    if seals:
        data = connection._encrypt(data, session).pack()
    else:
        signature = connection._generate_signature(
            data, session.signing_key, message_id, False, command
        )
        data = data[:48] + signature + data[64:]
    connection.transport.send(data)


def _checked(
    connection: StrictConnection, tree: Any, command: int, data: bytes, is_sealed: bool
) -> tuple[int, int]:
    """The status of an answer, and the id of the message that it answers. Raises: SMBException."""
    if len(data) < HEADER_SIZE:
        raise SMBException("an answer that is cut short")
    fields = _HEADER.unpack_from(data)
    magic, size, _, status, answered, credits, flags, following, message_id = fields[:9]
    if magic != _SMB or size != HEADER_SIZE or following:
        raise SMBException("an answer that is not of SMB 2")
    connection.sequence_window["high"] += credits
    if message_id == UNASKED:
        return status, message_id
    if answered != command:
        raise SMBException("an answer to another command")
    if not flags & Smb2Flags.SMB2_FLAGS_SERVER_TO_REDIR:
        raise SMBException("a request instead of an answer")
    if not is_sealed and status != NtStatus.STATUS_PENDING:
        _verify(connection, tree, command, message_id, data)
    return status, message_id


def _verify(
    connection: StrictConnection, tree: Any, command: int, message_id: int, data: bytes
) -> None:
    """Raises: SMBException."""
    session = tree.session
    if session.encrypt_data or tree.encrypt_data:
        raise SMBException("an answer that is not encrypted")
    expected = connection._generate_signature(data, session.signing_key, message_id, True, command)
    if not hmac.compare_digest(expected, data[_SIGNATURE]):
        raise SMBException("an answer whose signature is wrong")
