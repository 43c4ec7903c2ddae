"""Verifies NTLM on a server that keeps its accounts itself.

Samba's library does it in the accounts worker, because it may end or block its process; where it
cannot be loaded, pdbedit does.
"""

from __future__ import annotations

import logging
import threading
from typing import Optional

from fsrvpd.errors import AuthenticationError, FsrvpdError, WrongPassword
from fsrvpd.protocol.ports import Caller, NtlmResponse, VerifiedAccount
from samba_hooks.accounts import PASSDB_LIBRARY
from samba_hooks.accounts.pdbedit import PdbeditVerifier
from samba_hooks.tools import SambaTools
from samba_hooks.worker import wire
from samba_hooks.worker.process import WorkerProcess

log = logging.getLogger("samba_hooks.accounts")

WORKER = "samba_hooks.accounts.worker"
TIMEOUT = 10.0  # s for each look-up


class LibraryMissing(FsrvpdError):
    """libsamba-passdb cannot be used on this system."""


class PassdbVerifier:
    """An `AccountVerifier`, thread-safe: one look-up at a time. It keeps nothing of an account,
    so a new password holds at once. With `library` None it uses pdbedit."""

    likely_cause = "Samba's accounts may be locked, or their LDAP server slow (`pdbedit -L`)"

    def __init__(
        self,
        tools: SambaTools,
        *,
        library: Optional[str] = PASSDB_LIBRARY,
        timeout: float = TIMEOUT,
    ) -> None:
        options = [f"--library={library}", *tools.arguments]
        self._worker = WorkerProcess(WORKER, options, "accounts worker", timeout, log)
        self._lock = threading.Lock()  # held during a request
        self._pdbedit = PdbeditVerifier(tools)
        self._has_library = library is not None

    def open(self) -> None:
        """Start the worker, so that the first client need not wait for it. May block."""
        try:
            self.check()
        except LibraryMissing:
            return  # logged
        except AuthenticationError as error:
            log.error("%s", error)

    def check(self) -> None:
        """Raises: LibraryMissing, AuthenticationError if the accounts cannot be opened."""
        self._ask({"request": "open", "arguments": {}})

    def verify(self, response: NtlmResponse, caller: Caller) -> VerifiedAccount:
        """The client's own name for the account is only a part of what it has signed: smbd may
        know that account by another name (`username map`)."""
        session = {"name": caller.name, "user_sid": caller.user_sid}
        arguments = {"response": _fields(response), **session}
        try:
            answer = self._ask({"request": "verify", "arguments": arguments})
        except LibraryMissing:
            return self._pdbedit.verify(response, caller)
        key = bytes.fromhex(answer["session_base_key"])
        return VerifiedAccount(**{**answer, "session_base_key": key})

    def close(self) -> None:
        """A worker that is busy ends with the daemon."""
        if self._lock.acquire(blocking=False):
            self._worker.close()
            self._lock.release()

    def _ask(self, message: wire.Message) -> wire.Message:
        """Raises: AuthenticationError, LibraryMissing."""
        with self._lock:
            if not self._has_library:
                raise LibraryMissing("pdbedit is used")
            try:
                answer = self._worker.ask(message)
            except FsrvpdError as error:
                raise AuthenticationError(str(error)) from error
            if "no library" in answer:
                self._use_pdbedit(answer["error"])
        if answer.get("wrong password"):
            raise WrongPassword(answer["error"])
        if "error" in answer:
            raise AuthenticationError(answer["error"])
        result: wire.Message = answer["result"]
        return result

    def _use_pdbedit(self, why: str) -> None:
        """Raises: LibraryMissing."""
        self._worker.close()
        self._has_library = False
        log.warning("%s; using pdbedit instead, which takes 20 ms for each login", why)
        raise LibraryMissing(why)


def _fields(response: NtlmResponse) -> wire.Message:
    return {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in response._asdict().items()
    }
