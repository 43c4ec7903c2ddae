"""named_pipe_auth: how smbd passes a client to the server of a pipe. No I/O here.

smbd connects to the socket as root, sends one request that describes the SMB user, and
waits for one reply; then the connection carries the pipe's messages. The level in the
request depends on Samba's version:

    4  Samba 3.6 to 4.15        7  4.17.9+, 4.18.3+, 4.19
    5  4.16, 4.17.0 to 4.17.8,  8  4.20 and newer
       4.18.0 to 4.18.2

Samba: librpc/idl/named_pipe_auth.idl, libcli/named_pipe_auth/npa_tstream.c.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple

from fsrvpd.ndr_reader import NdrReader
from fsrvpd.protocol.ports import Caller
from samba_hooks.pipe import session_info
from samba_hooks.pipe.session_info import NpaError, SessionInfo

__all__ = [
    "LENGTH_SIZE",
    "MAX_REQUEST",
    "STATUS_INVALID_LEVEL",
    "STATUS_PIPE_NOT_AVAILABLE",
    "SUPPORTED_LEVELS",
    "NpaError",
    "PipeRequest",
    "UnknownLevel",
    "parse_request",
    "reply",
    "request_size",
]

LENGTH_SIZE = 4
SUPPORTED_LEVELS = (4, 5, 7, 8)
STATUS_INVALID_LEVEL = 0xC0000148
STATUS_PIPE_NOT_AVAILABLE = 0xC00000AC

# Bytes. A Unix user has at most 65,536 groups (NGROUPS_MAX), each with a SID of 16 bytes and
# a gid of 8: 1.5 MiB. The rest is for the groups of a Windows token, at most 1,015, and for
# a forwarded Kerberos credential. (Samba's own servers read up to 16 MiB.)
MAX_REQUEST = 2 * 1024 * 1024

_MAGIC = b"NPAM"
_MESSAGE_MODE = 2  # FILE_TYPE_MESSAGE_MODE_PIPE
_DEVICE_STATE = 0x0400 | 0x0100 | 0x00FF  # message type, message read mode, many instances
_ALLOCATION_SIZE = 4096
_REPLY = struct.Struct(">I4s")
_REPLY_BODY = struct.Struct("<IIHH4xQI")

_ANONYMOUS = "S-1-5-7"
_AUTHENTICATED_USERS = "S-1-5-11"
_SMB3 = "S-1-22-1397571891-"
_ENCRYPTION_REQUIRED = "2"


class UnknownLevel(NpaError):
    """An unknown version of Samba. smbd understands `reply(level, STATUS_INVALID_LEVEL)`:
    so far the reply has had the same form at every level."""

    def __init__(self, level: int) -> None:
        super().__init__(
            f"smbd uses named_pipe_auth level {level}; this fsrvpd supports the levels "
            f"4, 5, 7 and 8 (Samba 3.6 to 4.24): install an fsrvpd made for this Samba"
        )
        self.level = level


class PipeRequest(NamedTuple):
    """What smbd sends. `server_address` is the address that the client connected to."""

    level: int
    caller: Caller
    server_address: str


def request_size(prefix: bytes) -> int:
    """Size of the whole request in bytes, from its first LENGTH_SIZE bytes.

    Raises: NpaError when it is larger than MAX_REQUEST.
    """
    if len(prefix) < LENGTH_SIZE:
        raise NpaError("named_pipe_auth: the length is incomplete")
    size = LENGTH_SIZE + int.from_bytes(prefix[:LENGTH_SIZE], "big")
    if size > MAX_REQUEST:
        raise NpaError(f"named_pipe_auth: request of {size} bytes, at most {MAX_REQUEST} allowed")
    return size


def parse_request(blob: bytes) -> PipeRequest:
    """Read a whole request, its length included.

    Raises: UnknownLevel, NpaError.
    """
    if request_size(blob) != len(blob):
        raise NpaError(f"named_pipe_auth: {len(blob)} bytes, {request_size(blob)} announced")
    if blob[4:8] != _MAGIC:
        raise NpaError("named_pipe_auth: not a request: the peer is not smbd")
    reader = NdrReader(blob, 8, lambda why: NpaError(f"named_pipe_auth: {why}"))
    level, switch = reader.u32(), reader.u32()
    if level != switch:
        raise NpaError(f"named_pipe_auth: level {level} contains level {switch}")
    if level not in SUPPORTED_LEVELS:
        raise UnknownLevel(level)
    return _read_level(reader, level)


def reply(level: int, status: int = 0) -> bytes:
    """The reply that smbd waits for: message mode, or a refusal with `status`, an NTSTATUS.

    `level` must be that of the request: smbd refuses any other.
    """
    body = _REPLY_BODY.pack(
        level, level, _MESSAGE_MODE, _DEVICE_STATE, _ALLOCATION_SIZE, status & 0xFFFFFFFF
    )
    return _REPLY.pack(len(body) + len(_MAGIC), _MAGIC) + body


def _read_level(reader: NdrReader, level: int) -> PipeRequest:
    if level >= 5:
        reader.u8()  # transport
    names = [reader.pointer(), reader.pointer()]
    reader.u16()  # remote_client_port
    names += [reader.pointer(), reader.pointer()]
    reader.u16()  # local_server_port
    session = reader.pointer()
    if level == 5:
        reader.u8()  # need_idle_server
    strings = [reader.string() if here else "" for here in names]
    if not session:
        raise NpaError("named_pipe_auth: smbd sent no session")
    info = session_info.parse(reader, level)
    return PipeRequest(level, _caller(strings[1], info), _address(strings[3]))


def _caller(address: str, info: SessionInfo) -> Caller:
    sids = info.token.sids
    return Caller(
        address=_address(address),
        account=_account(info),
        user_sid=sids[0],
        sids=frozenset(sids),
        privileges=info.token.privileges,
        uid=info.uid,
        anonymous=_is_anonymous(info),
        encrypted=_is_encrypted(sids),
    )


def _address(text: str) -> str:
    """An IP address in its canonical spelling, since it identifies the client."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise NpaError(f"named_pipe_auth: not an IP address: {text!r}") from error
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _account(info: SessionInfo) -> str:
    if info.user is None or not info.user.account:
        return info.token.sids[0]
    return f"{info.user.domain}\\{info.user.account}"


def _is_anonymous(info: SessionInfo) -> bool:
    """The token of a guest lacks Authenticated Users; this works even when the record of the
    user cannot be read."""
    if info.user is not None and not info.user.authenticated:
        return True
    sids = info.token.sids
    return sids[0] == _ANONYMOUS or _AUTHENTICATED_USERS not in sids


def _is_encrypted(sids: tuple[str, ...]) -> bool:
    """smbd adds a special SID to the token when the pipe is opened over encrypted SMB3:
    dialect, DCERPC_SMB_ENCRYPTION_REQUIRED, cipher (source3/smbd/smb2_pipes.c)."""
    marks = [sid[len(_SMB3) :].split("-") for sid in sids if sid.startswith(_SMB3)]
    return len(marks) == 1 and len(marks[0]) == 3 and marks[0][1] == _ENCRYPTION_REQUIRED
