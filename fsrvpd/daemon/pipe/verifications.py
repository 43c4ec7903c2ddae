"""Clients whose NTLM responses wait to be verified, and their limits.

A verification may have to wait for a domain controller, so each runs in a thread of this
module's own pool, apart from the event loop and from jobs. libwbclient can wait for winbindd for
minutes: the client is refused after a time-out.

Everything is counted by the identity that the SMB session has proved, never by the account that
the client claims at RPC level: otherwise one client could use up the share of another.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Callable, Optional, Union

from fsrvpd.daemon.event_loop import EventLoop, TimerHandle
from fsrvpd.daemon.pipe.wrong_passwords import WrongPasswords
from fsrvpd.daemon.worker_threads import WorkerThreads
from fsrvpd.errors import AuthenticationError, WrongPassword
from fsrvpd.protocol.ports import AccountVerifier, Caller, NtlmResponse, VerifiedAccount

log = logging.getLogger("fsrvpd.pipe")

THREADS = 8
MAX_RUNNING = 3  # threads that one identity may hold; its other logins wait
MAX_WAITING = 128  # of one identity
MAX_WAITING_OF_ALL = 1024  # then the identity with the most loses its latest
TIMEOUT = 20.0  # s until a client is refused; less than its time to bind

Result = Union[VerifiedAccount, AuthenticationError]
Deliver = Callable[[Result], None]


@dataclass(eq=False)
class Verification:
    """One client that waits. `deliver` is called once, unless the client goes before."""

    response: NtlmResponse
    caller: Caller
    deliver: Deliver
    timer: TimerHandle

    @property
    def identity(self) -> str:
        return self.caller.user_sid


class Verifications:
    """Belongs to the event loop's thread."""

    def __init__(self, loop: EventLoop, verifier: AccountVerifier) -> None:
        self.verifier = verifier
        self._loop = loop
        self._wrong_passwords = WrongPasswords(loop.time)
        self._threads = WorkerThreads("login", THREADS)
        self._waiting: list[Verification] = []
        self._running: Counter[str] = Counter()  # threads, by identity

    def open(self) -> None:
        """Have the verifier prepare itself."""
        self._threads.submit(self.verifier.open)

    def begin(self, response: NtlmResponse, caller: Caller, deliver: Deliver) -> Verification:
        """What costs nothing is checked first; then the response is verified in its turn.
        `deliver` is called after this has returned."""
        timer = self._loop.call_later(TIMEOUT, lambda: self._give_up(verification))
        verification = Verification(response, caller, deliver, timer)
        if caller.anonymous:
            why: Optional[str] = "the SMB session is anonymous or a guest's"
        else:
            why = self._wrong_passwords.refusal(caller)
        if why is not None:
            self._loop.call_soon(lambda: self._end(verification, AuthenticationError(why)))
            return verification
        self._waiting.append(verification)
        self._limit_waiting(verification.identity)
        self._start()
        return verification

    def cancel(self, verification: Verification) -> None:
        """The client has gone: verify nothing for it. A thread that works is not interrupted."""
        verification.timer.cancel()
        if verification in self._waiting:
            self._waiting.remove(verification)

    def close(self) -> None:
        """Take no more responses. Running verifications are not waited for."""
        self._threads.close()
        self.verifier.close()

    def _limit_waiting(self, identity: str) -> None:
        """Refuse the latest verification of an identity that has too many."""
        waiting = Counter(each.identity for each in self._waiting)
        if len(self._waiting) > MAX_WAITING_OF_ALL:
            identity = waiting.most_common(1)[0][0]
        elif waiting[identity] <= MAX_WAITING:
            return
        latest = next(each for each in reversed(self._waiting) if each.identity == identity)
        self._waiting.remove(latest)
        why = f"{waiting[identity] - 1} other verifications of {latest.caller.account} wait already"
        self._loop.call_soon(lambda: self._end(latest, AuthenticationError(why)))

    def _start(self) -> None:
        """Start what waits, as far as threads and the limit of each identity allow."""
        for verification in list(self._waiting):
            if sum(self._running.values()) >= THREADS:
                return
            if self._running[verification.identity] < MAX_RUNNING:
                self._running[verification.identity] += 1
                self._waiting.remove(verification)
                self._threads.submit(partial(self._work, verification))

    def _work(self, verification: Verification) -> None:
        """Called in a thread of the pool."""
        result = self._verify(verification.response, verification.caller)
        self._loop.call_soon_threadsafe(lambda: self._finish(verification, result))

    def _verify(self, response: NtlmResponse, caller: Caller) -> Result:
        try:
            return self.verifier.verify(response, caller)
        except AuthenticationError as error:
            return error
        except Exception as error:
            log.exception("the verification of an account failed unexpectedly; please report this")
            return AuthenticationError(type(error).__name__)

    def _finish(self, verification: Verification, result: Result) -> None:
        self._running[verification.identity] -= 1
        if not self._running[verification.identity]:
            del self._running[verification.identity]
        self._start()
        if isinstance(result, WrongPassword):
            self._wrong_passwords.add(verification.caller)
        self._end(verification, result)

    def _give_up(self, verification: Verification) -> None:
        """Refuse a client that has waited too long."""
        self.cancel(verification)
        who = f"{verification.response.domain}\\{verification.response.account}"
        why = f"authentication of {who} timed out after {TIMEOUT:g} s"
        verification.deliver(AuthenticationError(f"{why}; {self.verifier.likely_cause}"))

    def _end(self, verification: Verification, result: Result) -> None:
        if verification.timer.active():  # else it was refused or cancelled
            verification.timer.cancel()
            verification.deliver(result)
