"""`SmbSession`: a login to one server over one TCP connection, and the shares used over it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, FrozenSet, Optional

from smbprotocol.connection import Connection
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from fsrvpd.protocol.unc import IPV6_SUFFIX, normal_host
from fsrvpd.requestor.errors import AccessRefused, RequestorError
from fsrvpd.requestor.smb import failures, target_names
from fsrvpd.requestor.smb.connection import PORT, WAIT, Clock, StrictConnection
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.smb.initiator import SpnegoCredential, spnego_credential

CLOSE_TIMEOUT = 5.0  # seconds
# What smbprotocol raises: it parses a server's bytes without looking at lengths first, and its
# thread hands on whatever happened there.
SMB_ERRORS = (Exception,)


class SmbSession:
    """Made by `log_in`; one thread uses it. `session` is smbprotocol's."""

    def __init__(
        self,
        host: str,
        credential: SpnegoCredential,
        session: Any,
        *,
        account: str,
        proved_names: FrozenSet[str],
        uses_kerberos: bool,
    ) -> None:
        self.host = host
        self.account = account  # for messages
        self.credential = credential
        self.proved_names = proved_names
        self.uses_kerberos = uses_kerberos
        self.session = session
        self._trees: dict[str, Any] = {}

    @property
    def connection(self) -> StrictConnection:
        connection: StrictConnection = self.session.connection
        return connection

    @property
    def encrypted(self) -> bool:
        """Whether all of it is: because that was asked for, or the server demands it."""
        return bool(self.session.encrypt_data)

    def tree(self, share: str) -> Any:
        """smbprotocol's connection to a share, the same one for the same name.

        Raises: AccessRefused, Disconnected, RequestorError for a share that is not there.
        """
        if share not in self._trees:
            unc = rf"\\{self.host}\{share}"
            tree = TreeConnect(self.session, unc)
            try:
                tree.connect()
            except SMB_ERRORS as error:
                raise failures.failure(unc, error, failures.SHARE) from error
            self._trees[share] = tree
        return self._trees[share]

    def close(self) -> None:
        """Log off, as far as the server still answers. Raises nothing."""
        connection = self.connection
        connection.limit(CLOSE_TIMEOUT)
        self.session.tree_connect_table.clear()  # the log-off ends what is open
        self.session.open_table.clear()
        _disconnect(connection, log_off=True)


def log_in(
    host: str,
    credentials: Credentials,
    *,
    encrypt: bool = False,
    deadline: Optional[float] = None,
    port: int = PORT,
    clock: Clock = time.monotonic,
) -> SmbSession:
    """Connect and log in: with signing, no guest, no anonymous user.

    Raises: AccessRefused, Disconnected, RequestorError.
    """
    credential = spnego_credential(credentials)
    connection = StrictConnection(_address(host), port, clock)
    connection.deadline = clock() + WAIT if deadline is None else deadline
    try:
        connection.connect(timeout=connection.left)
    except SMB_ERRORS as error:
        _disconnect(connection)
        told = failures.failure if connection.reached else failures.unreachable
        raise told(host, error) from error
    session = Session(connection, credential, None, require_encryption=encrypt)
    try:
        session.connect()
        if not session.encrypt_data and not session.signing_required:
            raise AccessRefused(host, "the server does not sign", "require SMB signing there")
    except SMB_ERRORS as error:
        _disconnect(connection)
        if session.session_id is None:  # smbprotocol says so: a guest could sign nothing
            cause = f"the server takes {credentials.shown} as a guest"
            raise AccessRefused(host, cause, failures.WHO) from error
        raise _login_failure(host, credentials, error) from error
    connection.deadline = None
    names = target_names.proved_names(connection.login_tokens)
    if credentials.kerberos:
        names = frozenset({normal_host(host)})
    return SmbSession(
        host,
        credential,
        session,
        account=credentials.shown,
        proved_names=names,
        uses_kerberos=credentials.kerberos,
    )


def _login_failure(host: str, credentials: Credentials, error: Exception) -> RequestorError:
    made = failures.failure(host, error, failures.LOGIN)
    if not isinstance(made, AccessRefused):
        return made
    cause = f"{made.cause} ({credentials.shown})"
    return AccessRefused(host, cause, made.next_step, result=made.result)


def _address(host: str) -> str:
    """What the resolver understands. Names for IPv6 addresses are Windows' own, not in DNS."""
    if host.casefold().endswith(IPV6_SUFFIX):
        zone = host[: -len(IPV6_SUFFIX)].partition("s")[2]
        return normal_host(host) + (f"%{zone}" if zone else "")
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _disconnect(connection: Connection, *, log_off: bool = False) -> None:
    with suppress(*SMB_ERRORS):
        connection.disconnect(close=log_off)
    with suppress(*SMB_ERRORS):
        connection.transport.close()
