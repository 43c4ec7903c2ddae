"""Limits how often a client may try a wrong password at RPC level.

Failures are counted by the user of the SMB session, which smbd has proved, and by the client's
address. So nobody can use up the attempts of somebody else: not by claiming his name, and not
with a session of his that was taken over, unless it is used from his own machine.
"""

from __future__ import annotations

from collections import deque
from typing import Callable, Optional

from fsrvpd.protocol.ports import Caller

MAX_FAILURES = 10  # in the time below; a client retries once or twice
PERIOD = 60.0  # s
_MAX_REMEMBERED = 4096  # pairs of user and address


class WrongPasswords:
    """`now` yields seconds of a clock that is never set back."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._times: dict[tuple[str, str], deque[float]] = {}

    def add(self, caller: Caller) -> None:
        """The caller has failed now."""
        key = (caller.user_sid, caller.address)
        times = self._times.pop(key, None) or deque(maxlen=MAX_FAILURES)
        times.append(self._now())
        self._times[key] = times  # as the latest
        while len(self._times) > _MAX_REMEMBERED:
            del self._times[next(iter(self._times))]

    def refusal(self, caller: Caller) -> Optional[str]:
        """Why the caller must wait, None if it need not."""
        times = self._times.get((caller.user_sid, caller.address))
        if times is None or len(times) < MAX_FAILURES:
            return None
        left = times[0] + PERIOD - self._now()
        if left <= 0:
            return None
        return (
            f"{MAX_FAILURES} wrong passwords of {caller.account} at {caller.address} within"
            f" {PERIOD:g} s; the next attempt counts in {left:.0f} s"
        )
