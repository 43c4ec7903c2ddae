"""The accounts worker, a child process that loads Samba's library: `passdb` starts and asks it.

`-m samba_hooks.accounts.worker --socket FD [-s FILE] [--option N=V]…`. Two requests: `open`, and
`verify` with an NtlmResponse, and name and SID of the SMB session's user. The worker compares, so
that no key of an account leaves it.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import Any, Mapping, Optional, Sequence

from fsrvpd.errors import AuthenticationError, FsrvpdError, WrongPassword
from fsrvpd.protocol.ports import NtlmResponse
from samba_hooks.accounts import PASSDB_LIBRARY
from samba_hooks.accounts.account import verified
from samba_hooks.accounts.libpassdb import Database, PassdbLibrary
from samba_hooks.worker import child, wire
from samba_hooks.worker.samba_log import SambaLog

MODULE = "samba_hooks.accounts.worker"


class Accounts:
    """The database, reopened when the configuration has changed."""

    def __init__(self, library: PassdbLibrary, config_file: Optional[str]) -> None:
        self._library = library
        self._config_file = config_file or library.default_config_file()
        self._first: Optional[Database] = None
        self._is_open = False
        self.moved = False  # the configuration names another database than this process opened

    def refresh(self) -> None:
        """Open the database unless it is open. Raises: RegistryError."""
        if self._is_open and not self._library.configuration_changed():
            return
        self._is_open = False
        database = self._library.open(self._config_file)
        self._is_open = True
        self._first = self._first or database
        self.moved = database != self._first

    def verify(self, response: Mapping[str, str], name: str, user_sid: str) -> Mapping[str, str]:
        """Raises: AuthenticationError."""
        with self._library.account(name) as account:
            if account is None:
                raise AuthenticationError(f"account {name!r} does not exist")
            proved = verified(account, wire_response(response), user_sid, time.time())
        return {**proved._asdict(), "session_base_key": proved.session_base_key.hex()}


def wire_response(fields: Mapping[str, str]) -> NtlmResponse:
    """The response that `passdb` sends."""
    raw = {
        name: bytes.fromhex(fields[name]) for name in ("challenge", "nt_response", "lm_response")
    }
    return NtlmResponse(**{**fields, **raw})  # type: ignore[arg-type]


def serve(connection: socket.socket, accounts: Accounts, log: SambaLog) -> bool:
    """Until the daemon closes the connection, or another process must take over: True."""
    while connection.recv(1, socket.MSG_PEEK):
        try:
            accounts.refresh()
            if accounts.moved:
                return True
            failure = None
        except FsrvpdError as error:
            failure = str(error)
        request = wire.receive(connection)
        answer = {"error": failure} if failure else _answer(accounts, request)
        wire.send(connection, {**answer, "log": log.drain()})
    return False


def _answer(accounts: Accounts, request: wire.Message) -> wire.Message:
    if request["request"] == "open":
        return {"result": None}
    try:
        return {"result": accounts.verify(**request["arguments"])}
    except FsrvpdError as error:
        return {"error": str(error), "wrong password": isinstance(error, WrongPassword)}


def main(argv: Optional[Sequence[str]] = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    arguments: Any = child.arguments(MODULE, PASSDB_LIBRARY, argv)
    connection = child.connect(arguments.socket)
    try:
        library = PassdbLibrary(arguments.library)
        log = SambaLog(library)
        for name, value in child.overrides(arguments.option):
            library.override(name, value)
    except FsrvpdError as error:
        child.refuse(connection, {"error": str(error), "no library": True, "log": []})
        return 1
    try:
        if serve(connection, Accounts(library, arguments.configfile), log):
            os.execv(sys.executable, [sys.executable, "-I", "-m", MODULE, *argv])  # noqa: S606
    except (wire.Closed, ConnectionResetError):
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
