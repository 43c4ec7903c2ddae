"""Sessions that were needed for a question, such as one about links of DFS, and are good for the
agent's pipe next: a set costs one login for each server."""

from __future__ import annotations

import threading
from typing import Callable, List, NamedTuple, Optional

from fsrvpd.requestor.smb.session import SmbSession

LONGEST = 10.0  # seconds: a server ends a session that idles, or restarts, without a word


class _Idle(NamedTuple):
    session: SmbSession
    since: float


class IdleSessions:
    """Threads may share one. A thread of its own closes what nobody has taken in time."""

    def __init__(self, clock: Callable[[], float], longest: float = LONGEST) -> None:
        self._clock, self._longest = clock, longest
        self._lock = threading.Lock()
        self._idle: List[_Idle] = []

    def put(self, session: SmbSession) -> None:
        with self._lock:
            self._idle.append(_Idle(session, self._clock()))
        timer = threading.Timer(self._longest, self._close, (session,))
        timer.daemon = True  # the end of the process ends the session as well
        timer.start()

    def take(self, host: str) -> Optional[SmbSession]:
        """The session that has waited least. One that has waited too long is left to the timer."""
        oldest = self._clock() - self._longest
        with self._lock:
            for each in reversed(self._idle):
                if each.session.host == host and each.since >= oldest:
                    self._idle.remove(each)
                    return each.session
        return None

    def _close(self, session: SmbSession) -> None:
        """Unless somebody has taken it."""
        with self._lock:
            left = [each for each in self._idle if each.session is not session]
            is_idle = len(left) < len(self._idle)
            self._idle = left
        if is_idle:
            session.close()
