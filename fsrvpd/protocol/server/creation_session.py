"""Creation sessions: ContextSet, CurrentContext, ShadowCopyClientAddress, the retry count
and the Message Sequence Timer.

With `parallel_sets` each client address has a session of its own; without, the server has a
single one, as on Windows. Spec: MS-FSRVP 3.1.1.1, 3.1.2 and 3.1.4.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from fsrvpd.core.messages import Guid
from fsrvpd.protocol.model import ShadowCopySet

SERVER_WIDE = ""  # the key of the only session when sets are not created in parallel
SHORT_TIMER = 180  # s, of the Message Sequence Timer
LONG_TIMER = 1800  # s


@dataclass
class CreationSession:
    """The creation of one set. It begins with SetContext and ends when the set is complete
    or removed. `deadline` is the time at which the Message Sequence Timer expires, in seconds
    of the monotonic clock; None while the timer is stopped."""

    client_address: str
    context: int
    retry_count: int = 0
    deadline: Optional[float] = None
    shadow_copy_set_id: Optional[Guid] = None


class CreationSessions:
    """The creation sessions that exist."""

    def __init__(self, parallel: bool, sequence_timeout: Optional[int]) -> None:
        self._parallel = self._wanted_parallel = parallel
        self._sequence_timeout = sequence_timeout
        self._sessions: dict[str, CreationSession] = {}

    def configure(self, parallel: bool, sequence_timeout: Optional[int]) -> None:
        """Change the settings. `parallel` takes effect when no session exists: none is lost."""
        self._wanted_parallel = parallel
        self._sequence_timeout = sequence_timeout

    def _key(self, client_address: str) -> str:
        return client_address if self._parallel else SERVER_WIDE

    def get(self, client_address: str) -> Optional[CreationSession]:
        """The session that a client has to respect: its own, or the server's only one."""
        return self._sessions.get(self._key(client_address))

    def for_set(self, shadow_copy_set: ShadowCopySet) -> Optional[CreationSession]:
        """The session in which a set is being created, or None."""
        session = self.get(shadow_copy_set.client_address)
        if session and session.shadow_copy_set_id == shadow_copy_set.shadow_copy_set_id:
            return session
        return None

    def begin(self, session: CreationSession) -> None:
        if not self._sessions:
            self._parallel = self._wanted_parallel
        self._sessions[self._key(session.client_address)] = session

    def end(self, session: CreationSession) -> None:
        """ContextSet becomes FALSE, ShadowCopyClientAddress NULL."""
        self._sessions.pop(self._key(session.client_address), None)

    def start_timer(self, session: CreationSession, seconds: int, now: float) -> None:
        session.deadline = now + (self._sequence_timeout or seconds)

    def expired(self, now: float) -> list[CreationSession]:
        """The sessions whose timers have expired."""
        sessions = self._sessions.values()
        return [each for each in sessions if each.deadline is not None and each.deadline <= now]

    def next_deadline(self) -> Optional[float]:
        if not self._sessions:
            return None
        deadlines = (session.deadline for session in self._sessions.values())
        return min((when for when in deadlines if when is not None), default=None)
