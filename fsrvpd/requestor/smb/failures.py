"""What SMB's statuses mean for whoever backs up, and what to type. Spec: MS-ERREF 2.3.1."""

from __future__ import annotations

from typing import Mapping, NamedTuple, Optional, Type

from smbprotocol.exceptions import SMBAuthenticationError, SMBResponseException

from fsrvpd.requestor.errors import AccessRefused, Disconnected, NoAgent, RequestorError
from fsrvpd.requestor.smb.connection import TimedOut

ACCESS_DENIED = 0xC0000022
OBJECT_NAME_NOT_FOUND = 0xC0000034
PIPE_NOT_AVAILABLE = 0xC00000AC
BAD_NETWORK_NAME = 0xC00000CC
CONNECTION_REFUSED = 0xC0000236
BUFFER_OVERFLOW = 0x80000005
# Nobody serves the pipe, or not yet: Windows starts its agent when somebody asks for it.
NO_PIPE = frozenset({PIPE_NOT_AVAILABLE, OBJECT_NAME_NOT_FOUND, CONNECTION_REFUSED})


class Meaning(NamedTuple):
    cause: str
    next_step: str
    kind: Type[RequestorError] = AccessRefused


WHO = "check user, domain and password"
LOGIN: Mapping[int, Meaning] = {
    0xC000006D: Meaning("the user name or the password is wrong", WHO),
    0xC000006A: Meaning("the password is wrong", WHO),
    0xC0000064: Meaning("the user does not exist", WHO),
    0xC000006E: Meaning("the account is restricted", "ask the server's administrator"),
    0xC000006F: Meaning("the account may not log in at this hour", "try again later"),
    0xC0000070: Meaning("the account may not log in from this host", "allow this host"),
    0xC0000071: Meaning("the password has expired", "change it"),
    0xC0000224: Meaning("the password must be changed first", "change it"),
    0xC0000072: Meaning("the account is disabled", "enable it"),
    0xC0000193: Meaning("the account has expired", "extend it"),
    0xC0000234: Meaning("the account is locked out", "unlock it"),
    0xC000015B: Meaning("the account may not log in over the network", "allow it on the server"),
    0xC000005E: Meaning("the server reaches no domain controller", "see the server's log"),
    ACCESS_DENIED: Meaning("access is denied", "ask the server's administrator"),
}
SHARE: Mapping[int, Meaning] = {
    BAD_NETWORK_NAME: Meaning(
        "there is no such share", "type its name as the server has it", RequestorError
    ),
    ACCESS_DENIED: Meaning("the user may not use this share", "allow the user in its permissions"),
}
PIPE: Mapping[int, Meaning] = {
    **dict.fromkeys(
        NO_PIPE,
        Meaning(
            "no agent of MS-FSRVP serves the pipe FssagentRpc",
            "start fsrvpd there, or install the File Server VSS Agent Service",
            NoAgent,
        ),
    ),
    ACCESS_DENIED: Meaning(
        "the user may not use the agent's pipe", "put the user into Backup Operators there"
    ),
}


def failure(
    object: str, error: Exception, meanings: Optional[Mapping[int, Meaning]] = None
) -> RequestorError:
    """The requestor's error for one of smbprotocol's. `object`: a host or a UNC."""
    if isinstance(error, RequestorError):
        return error
    if isinstance(error, SMBResponseException):
        status = int(error.status)
        meaning = (meanings or {}).get(status)
        if meaning is not None:
            return meaning.kind(object, meaning.cause, meaning.next_step, result=status)
        cause = f"the server ended it with {_name(error)}"
        return Disconnected(object, cause, "see the server's log", result=status)
    if isinstance(error, SMBAuthenticationError):
        return AccessRefused(
            object, _one_line(error), "check the ticket with klist, or use -A FILE"
        )
    if isinstance(error, TimedOut):
        return Disconnected(object, str(error), "see whether the server is overloaded")
    return Disconnected(object, f"the connection broke: {_one_line(error)}", "try again")


def unreachable(host: str, error: Exception) -> RequestorError:
    cause = f"it cannot be reached: {_one_line(error)}"
    return Disconnected(host, cause, "check its name, and that port 445 is open")


def _name(error: SMBResponseException) -> str:
    """Such as STATUS_PIPE_BROKEN (0xc000014b)."""
    status = int(error.status)
    text = str(error.header["status"]).rpartition(" ")[2]
    return f"{text} ({status:#010x})" if text.startswith("STATUS_") else f"{status:#010x}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
