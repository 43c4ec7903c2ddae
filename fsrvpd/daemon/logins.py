"""How clients authenticate at RPC level: what is accepted, and who checks the accounts.

A check may wait for pdbedit or for a domain controller, so it runs in a thread of its
own, never in the loop's and never behind a job that hangs on its storage. One that hangs
(libwbclient waits for winbindd for minutes) is answered for in time, keeps its thread for
as long as it likes, and is one of few that its client may have at a time: the threads that
are left serve the others. Kerberos needs none.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, Optional, Union

from fsrvpd.command_line import OWN_KEYTAB
from fsrvpd.daemon.logs import NOTICE
from fsrvpd.daemon.loop import Loop
from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import AccountVerifier, Caller, NtlmResponse, VerifiedAccount
from fsrvpd.rpc.security import kerberos
from fsrvpd.rpc.security.acceptors import Acceptors
from fsrvpd.rpc.security.ntlm_messages import Names
from samba_hooks import keytab
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.ntlm_verification import account_verifier
from samba_hooks.samba_tools import SambaTools

log = logging.getLogger("fsrvpd.pipe")

WORKERS = 8
MAX_OF_CLIENT = 3  # threads that one address may hold; the rest of its logins queue
PATIENCE = 20.0  # s that a client waits for a verdict: less than the time it has to bind
_NONCE_SIZE = 8
_FILE_TIME_OF_1970 = 116_444_736_000_000_000
_ROLE_STANDALONE = "ROLE_STANDALONE"

Answer = Union[VerifiedAccount, AuthenticationError]


def file_time() -> int:
    """Now, in 100 ns since 1601-01-01 UTC."""
    return time.time_ns() // 100 + _FILE_TIME_OF_1970


def nonce() -> bytes:
    return os.urandom(_NONCE_SIZE)


def server_names(configuration: SambaConfiguration) -> Names:
    """How NTLM presents this server: as Samba does."""
    is_member = configuration.server_role != _ROLE_STANDALONE
    computer = configuration.netbios_name
    realm = configuration.realm.lower()
    host = computer.lower() if realm else socket.gethostname().partition(".")[0].lower()
    return Names(
        netbios_computer=computer,
        netbios_domain=configuration.workgroup if is_member else computer,
        dns_computer=f"{host}.{realm}" if realm else host,
        dns_domain=realm,
        is_member=is_member,
    )


@dataclass(eq=False)
class _Check:
    response: NtlmResponse
    caller: Caller
    done: Callable[[Answer], None]
    deadline: float


class Logins:
    """`folder` is for a keytab of our own. Raises: AuthenticationError when nobody could
    check an account."""

    def __init__(
        self,
        loop: Loop,
        configuration: SambaConfiguration,
        tools: SambaTools,
        folder: str,
    ) -> None:
        path = os.path.join(folder, OWN_KEYTAB)
        self._keytab = keytab.make(configuration, tools, path)
        self.acceptors = Acceptors(
            server_names(configuration), nonce, file_time, self._keytab_name(configuration)
        )
        self._loop = loop
        self._verifier: AccountVerifier = account_verifier(configuration.server_role, tools)
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="login")
        self._unanswered: dict[_Check, None] = {}  # in the order of arrival
        self._waiting: list[_Check] = []  # for a thread
        self._running: Counter[str] = Counter()  # threads that each client holds

    def check(self, response: NtlmResponse, caller: Caller, done: Callable[[Answer], None]) -> None:
        """Have the response checked; `done` is called once, in the loop's thread."""
        check = _Check(response, caller, done, time.monotonic() + PATIENCE)
        self._unanswered[check] = None
        self._waiting.append(check)
        self._loop.turn_by(check.deadline)
        self._start()

    def deadline(self) -> Optional[float]:
        """When a check will have taken too long; monotonic seconds."""
        return next((check.deadline for check in self._unanswered), None)

    def expire(self) -> None:
        """Refuse those who have waited too long. Threads that hang are left alone."""
        now = time.monotonic()
        for check in [check for check in self._unanswered if check.deadline <= now]:
            if check in self._waiting:
                self._waiting.remove(check)
            who = f"{check.response.domain}\\{check.response.account}"
            why = f"no verdict on {who} in {PATIENCE:g} s: does winbindd hang?"
            self._tell(check, AuthenticationError(why))

    def _start(self) -> None:
        """Let those begin whose clients do not hold their share of the threads already."""
        for check in list(self._waiting):
            if sum(self._running.values()) >= WORKERS:
                return
            if self._running[check.caller.address] < MAX_OF_CLIENT:
                self._running[check.caller.address] += 1
                self._waiting.remove(check)
                self._pool.submit(self._work, check)

    def _work(self, check: _Check) -> None:
        """In a thread."""
        answer = self._answer(check.response, check.caller.user_sid)
        self._loop.ring(lambda: self._ended(check, answer))

    def _ended(self, check: _Check, answer: Answer) -> None:
        self._running[check.caller.address] -= 1
        if not self._running[check.caller.address]:
            del self._running[check.caller.address]
        self._start()
        self._tell(check, answer)

    def _tell(self, check: _Check, answer: Answer) -> None:
        """A verdict that comes too late has nobody to hear it."""
        if check in self._unanswered:
            del self._unanswered[check]
            check.done(answer)

    def _keytab_name(self, configuration: SambaConfiguration) -> Optional[str]:
        """The keytab for Kerberos. What stands in its way is logged: NTLM goes on."""
        if self._keytab is None:
            return None  # no Active Directory
        if kerberos.MISSING is not None:
            log.log(NOTICE, "clients cannot use Kerberos: %s", kerberos.MISSING)
            return None
        dedicated = keytab.dedicated(configuration)
        if dedicated is not None:
            return dedicated
        try:
            self._keytab.start()
        except AuthenticationError as error:
            log.error("clients cannot use Kerberos yet: %s", error)
        return f"FILE:{self._keytab.path}"

    def close(self) -> None:
        """Take no more questions; those under way are not waited for."""
        if self._keytab is not None:
            self._keytab.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, response: NtlmResponse, user_sid: str) -> Answer:
        try:
            return self._verifier.verify(response, user_sid)
        except AuthenticationError as error:
            return error
        except Exception as error:
            log.exception("the check of an account failed unexpectedly; please report this")
            return AuthenticationError(type(error).__name__)
