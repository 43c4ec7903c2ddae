"""A login as `check` sees it: who, how protected, and what can be read."""

from __future__ import annotations

from typing import FrozenSet, Protocol

from smbprotocol import Dialects

from fsrvpd.requestor.smb.read_trial import try_to_read
from fsrvpd.requestor.smb.records import Trial
from fsrvpd.requestor.smb.session import SmbSession

_DIALECTS = {
    Dialects.SMB_2_0_2: "2.0.2",
    Dialects.SMB_2_1_0: "2.1",
    Dialects.SMB_3_0_0: "3.0",
    Dialects.SMB_3_0_2: "3.0.2",
    Dialects.SMB_3_1_1: "3.1.1",
}


class Sessions(Protocol):
    def log_in(self, host: str) -> SmbSession:
        """Raises: AccessRefused, Disconnected, RequestorError."""


class ServerLooks:
    """`checks.look.Servers`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def log_in(self, host: str) -> ServerLook:
        return ServerLook(self._sessions.log_in(host))


class ServerLook:
    def __init__(self, session: SmbSession) -> None:
        self._session = session

    @property
    def host(self) -> str:
        return self._session.host

    @property
    def proved_names(self) -> FrozenSet[str]:
        return self._session.proved_names

    @property
    def uses_kerberos(self) -> bool:
        return self._session.uses_kerberos

    @property
    def account(self) -> str:
        return self._session.account

    @property
    def dialect(self) -> str:
        dialect = self._session.connection.dialect
        return _DIALECTS.get(dialect, f"{dialect:#x}")

    @property
    def is_encrypted(self) -> bool:
        return self._session.encrypted

    def try_to_read(self, share: str, path: str) -> Trial:
        return try_to_read(self._session, share, path)

    def close(self) -> None:
        self._session.close()
