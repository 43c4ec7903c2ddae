"""Whose turn it is: ContextSet, CurrentContext, ShadowCopyClientAddress, the retry count
and the Message Sequence Timer.

With `parallel_sets` each client address has a turn of its own; without, the server has
one, as Windows. Spec: MS-FSRVP 3.1.1.1, 3.1.2 and 3.1.4.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from fsrvpd.core.messages import Guid

THE_SERVERS = ""  # the key of the only turn when sets are not made in parallel


@dataclass
class Turn:
    """One creation process, which ends when its set is finished or gone. `deadline` is when
    the Message Sequence Timer elapses, None while it is stopped; in seconds of the injected
    monotonic clock."""

    client_address: str
    context: int
    retry_count: int = 0
    deadline: Optional[float] = None
    shadow_copy_set_id: Optional[Guid] = None


class Turns:
    """The turns that are under way."""

    def __init__(self, parallel: bool, sequence_timeout: Optional[int]) -> None:
        self._parallel = self._wanted_parallel = parallel
        self._sequence_timeout = sequence_timeout
        self._turns: dict[str, Turn] = {}

    def configure(self, parallel: bool, sequence_timeout: Optional[int]) -> None:
        """Another `parallel` is heeded once no turn is under way: none may lose its own."""
        self._wanted_parallel = parallel
        self._sequence_timeout = sequence_timeout

    def _key(self, client_address: str) -> str:
        return client_address if self._parallel else THE_SERVERS

    def of(self, client_address: str) -> Optional[Turn]:
        """The turn that concerns a client: its own, or the server's only one."""
        return self._turns.get(self._key(client_address))

    def begin(self, turn: Turn) -> None:
        if not self._turns:
            self._parallel = self._wanted_parallel
        self._turns[self._key(turn.client_address)] = turn

    def end(self, turn: Turn) -> None:
        """ContextSet becomes FALSE, ShadowCopyClientAddress NULL."""
        self._turns.pop(self._key(turn.client_address), None)

    def start_timer(self, turn: Turn, seconds: int, now: float) -> None:
        turn.deadline = now + (self._sequence_timeout or seconds)

    def elapsed(self, now: float) -> list[Turn]:
        return [t for t in self._turns.values() if t.deadline is not None and t.deadline <= now]

    def next_deadline(self) -> Optional[float]:
        if not self._turns:
            return None
        deadlines = (turn.deadline for turn in self._turns.values())
        return min((d for d in deadlines if d is not None), default=None)
