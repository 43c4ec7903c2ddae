"""Asks servers for the targets of DFS links: FSCTL_DFS_GET_REFERRALS.

Spec: MS-SMB2 3.2.4.20.3; MS-DFSC 3.1.4.2.
"""

from __future__ import annotations

import time
from typing import Dict, Optional, Protocol, Tuple

from smbprotocol.connection import Capabilities
from smbprotocol.exceptions import SMBResponseException
from smbprotocol.header import NtStatus
from smbprotocol.ioctl import CtlCode, IOCTLFlags, SMB2IOCTLRequest, SMB2IOCTLResponse

from fsrvpd.requestor.errors import AccessRefused, RequestorError
from fsrvpd.requestor.smb import dfs_referral, failures
from fsrvpd.requestor.smb.connection import Clock
from fsrvpd.requestor.smb.pipe import IPC
from fsrvpd.requestor.smb.records import Proof, Referral
from fsrvpd.requestor.smb.session import SMB_ERRORS, SmbSession

TIMEOUT = 30.0  # seconds
REMEMBERED = 60.0  # seconds
_LONGEST_ANSWER = 56 << 10  # bytes
_NO_FILE = b"\xff" * 16
# What servers say of a path that is no link, if they say anything.
_NOT_OF_DFS = (
    NtStatus.STATUS_NOT_FOUND,
    NtStatus.STATUS_FS_DRIVER_REQUIRED,
    NtStatus.STATUS_INVALID_DEVICE_REQUEST,
    NtStatus.STATUS_INVALID_PARAMETER,
    NtStatus.STATUS_NOT_SUPPORTED,
    NtStatus.STATUS_NOT_A_REPARSE_POINT,
    NtStatus.STATUS_NO_SUCH_FILE,
    NtStatus.STATUS_OBJECT_NAME_NOT_FOUND,
    NtStatus.STATUS_OBJECT_PATH_NOT_FOUND,
)


class Sessions(Protocol):
    """Where sessions come from, and go back to for whoever needs the same server next."""

    def log_in(self, host: str) -> SmbSession:
        """Raises: AccessRefused, Disconnected, RequestorError."""

    def give_back(self, session: SmbSession) -> None: ...


class DfsReferrals:
    """A server that refused the login is not asked again at once: a few wrong passwords lock an
    account."""

    def __init__(self, sessions: Sessions, clock: Clock = time.monotonic) -> None:
        self._sessions, self._clock = sessions, clock
        self._refused: Dict[str, Tuple[float, AccessRefused]] = {}  # with its time

    def ask(self, host: str, path: str) -> Optional[Referral]:
        r"""What `host` says of `\\host\share\path`; None if that is not a path of DFS.

        Raises: RequestorError.
        """
        session = self._log_in(host)
        try:
            found = _referral(session, path)
        except BaseException:
            session.close()
            raise
        self._sessions.give_back(session)
        return found

    def _log_in(self, host: str) -> SmbSession:
        since, refused = self._refused.get(host, (0.0, None))
        if refused is not None and self._clock() < since + REMEMBERED:
            raise refused
        try:
            return self._sessions.log_in(host)
        except AccessRefused as error:
            self._refused[host] = self._clock(), error
            raise


def _referral(session: SmbSession, path: str) -> Optional[Referral]:
    capabilities = session.connection.server_capabilities
    if not capabilities.has_flag(Capabilities.SMB2_GLOBAL_CAP_DFS):
        return None
    try:
        found = dfs_referral.parse(_answer(session, path[1:]), path[1:])
    except dfs_referral.Malformed as error:
        cause = f"an answer about DFS that cannot be read: {error}"
        raise RequestorError(path, cause, "name the share behind the link") from None
    except SMB_ERRORS as error:
        if isinstance(error, SMBResponseException) and error.status in _NOT_OF_DFS:
            return None
        raise failures.failure(path, error) from error
    proof = Proof(session.host, session.proved_names, session.uses_kerberos)
    return Referral(found.targets, found.rest, found.is_root, proof)


def _answer(session: SmbSession, path: str) -> bytes:
    """Raises: SMB_ERRORS."""
    connection, tree = session.connection, session.tree(IPC)
    connection.limit(TIMEOUT)
    request = SMB2IOCTLRequest()
    request["ctl_code"] = CtlCode.FSCTL_DFS_GET_REFERRALS
    request["file_id"] = _NO_FILE
    request["max_output_response"] = _LONGEST_ANSWER
    request["flags"] = IOCTLFlags.SMB2_0_IOCTL_IS_FSCTL
    request["buffer"] = dfs_referral.request(path)
    sent = connection.send(request, tree.session.session_id, tree.tree_connect_id)
    response = SMB2IOCTLResponse()
    response.unpack(connection.receive(sent)["data"].get_value())
    data: bytes = response["buffer"].get_value()
    return data
