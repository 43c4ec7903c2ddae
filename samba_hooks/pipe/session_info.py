"""auth_session_info_transport: what smbd knows about the user of a pipe.

The order on the wire is NDR's: the fixed part of a structure first, then what its
pointers refer to, in the order of the pointers. Samba does not guarantee this format, and
has changed it without changing the level, which `parse` must detect: ticket_type came
with 4.14.14, 4.15.9 and 4.16.4 (and with Debian's 4.13.13).

Samba: librpc/idl/auth.idl and security.idl at 4.13.13, 4.16.0, 4.16.4, 4.17.9, 4.20.0.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from fsrvpd.errors import FsrvpdError
from fsrvpd.ndr_reader import NdrReader

_NETLOGON_GUEST = 0x1
_SMALLEST_SID = 8
_UNIX_USERS = "S-1-22-1-"


class NpaError(FsrvpdError):
    """What came over the pipe is not a named_pipe_auth request that fsrvpd understands."""


class Token(NamedTuple):
    """security_token. With `claims` the reader is before claims, whose form is not supported:
    nothing after them can be read."""

    sids: tuple[str, ...]
    privileges: int
    claims: bool = False


class UserInfo(NamedTuple):
    """The part of auth_user_info that is used."""

    account: str
    domain: str
    authenticated: bool


class SessionInfo(NamedTuple):
    """`uid` is -1 when the session has no unix token; `user` is None when smbd sent none."""

    token: Token
    uid: int
    user: Optional[UserInfo]


class _Pointers(NamedTuple):
    token: bool
    unix_token: bool
    info: bool
    unix_info: bool


def parse(reader: NdrReader, level: int) -> SessionInfo:
    """Read an auth_session_info_transport up to the last byte.

    Raises: NpaError, also when the bytes can be read in two ways.
    """
    session = reader.pointer()
    reader.blob()  # exported GSSAPI credentials
    if not session:
        raise NpaError("named_pipe_auth: smbd sent no session")
    if level >= 7:
        return _session(reader, level, ticket_type=True)
    return _probe(reader, level)


def _probe(reader: NdrReader, level: int) -> SessionInfo:
    """Levels 4 and 5 exist with and without ticket_type; only the end of the bytes shows it."""
    readings = []
    failure: Optional[NpaError] = None
    for ticket_type in (True, False):
        try:
            readings.append(_session(reader.fork(), level, ticket_type))
        except NpaError as error:
            failure = failure or error
    if not readings:
        raise failure or NpaError("named_pipe_auth: unreadable session")
    if any(reading != readings[0] for reading in readings):
        raise NpaError("named_pipe_auth: the session can be read in two ways")
    return readings[0]


def _session(reader: NdrReader, level: int, ticket_type: bool) -> SessionInfo:
    pointers = _fixed_part(reader, ticket_type)
    if not pointers.token:
        raise NpaError("named_pipe_auth: smbd sent a session without a security token")
    token = _token(reader, level)
    if token.claims:
        return SessionInfo(token, _uid_from_sids(token.sids), None)
    uid = _unix_token(reader) if pointers.unix_token else -1
    user = _user_info(reader, level) if pointers.info else None
    if pointers.unix_info:
        _unix_info(reader)
    if reader.remaining:
        raise NpaError(f"named_pipe_auth: {reader.remaining} bytes too many")
    return SessionInfo(token, uid, user)


def _fixed_part(reader: NdrReader, ticket_type: bool) -> _Pointers:
    pointers = _Pointers(*(reader.pointer() for _ in range(4)))
    torture = reader.pointer()
    reader.blob()  # session key: skipped, never kept
    credentials = reader.pointer()
    if torture or credentials:
        raise NpaError("named_pipe_auth: smbd sent pointers that no known version sends")
    reader.align(4)
    reader.skip(16)  # unique_session_token
    if ticket_type:
        reader.skip(2)
    return pointers


def _token(reader: NdrReader, level: int) -> Token:
    reader.align(8)
    announced = reader.u32()
    count = reader.count(_SMALLEST_SID)
    if announced != count or count == 0:
        raise NpaError(f"named_pipe_auth: token of {announced} SIDs carries {count}")
    sids = tuple(reader.array(count, reader.sid))
    privileges = reader.u64()
    reader.u32()  # rights_mask
    if level >= 8:
        if _claims(reader):
            return Token(sids, privileges, claims=True)
        reader.u16()  # evaluate_claims
    return Token(sids, privileges)


def _claims(reader: NdrReader) -> bool:
    """Whether the token has claims; device SIDs alone are skipped."""
    announced = [reader.u32() for _ in range(4)]
    if any(announced[:3]):
        return True
    if any(reader.u32() for _ in range(3)):
        raise NpaError("named_pipe_auth: claims that were not announced")
    count = reader.count(_SMALLEST_SID)
    if count != announced[3]:
        raise NpaError(f"named_pipe_auth: {announced[3]} device SIDs announced, {count} sent")
    reader.array(count, reader.sid)
    return False


def _uid_from_sids(sids: tuple[str, ...]) -> int:
    """smbd also adds the Unix user to the token, as S-1-22-1-<uid>."""
    uids = [sid[len(_UNIX_USERS) :] for sid in sids if sid.startswith(_UNIX_USERS)]
    return int(uids[0]) if len(uids) == 1 and uids[0].isdecimal() else -1


def _unix_token(reader: NdrReader) -> int:
    count = reader.count(8)
    uid = reader.u64()
    reader.u64()  # gid
    if reader.u32() != count:
        raise NpaError("named_pipe_auth: the unix token has two counts of groups")
    reader.align(8)
    reader.skip(8 * count)
    if uid > 0xFFFFFFFF:
        raise NpaError("named_pipe_auth: uid out of range")
    return uid


def _user_info(reader: NdrReader, level: int) -> UserInfo:
    present = [reader.pointer(), reader.pointer()]  # account_name, user_principal_name
    reader.u8()  # user_principal_constructed
    present += [reader.pointer() for _ in range(8)]  # domain_name … logon_server
    reader.align(4)
    reader.skip(6 * 8 + 2 * 2 + 4)  # six times, two counts, acct_flags
    guest = bool(reader.u32() & _NETLOGON_GUEST) if level >= 8 else reader.u8() != 1
    strings = [reader.string() if here else "" for here in present]
    return UserInfo(strings[0], strings[2], not guest)


def _unix_info(reader: NdrReader) -> None:
    present = [reader.pointer(), reader.pointer()]
    for here in present:
        if here:
            reader.string()
