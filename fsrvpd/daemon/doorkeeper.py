"""How many pipes may be open, and how long one may take until it is of use.

A client is known by its address only once smbd has introduced it; until it has bound,
a pipe costs it nothing and us a descriptor.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Optional, Protocol

MAX_CONNECTIONS = 4096  # of all clients
MAX_OF_CLIENT = 256  # of one address; a Windows client opens one or two
PATIENCE = 30.0  # s from being accepted to a complete bind, authentication included


class Guest(Protocol):
    """A pipe as far as this module knows it."""

    def close(self, reason: str) -> None: ...


class Doorkeeper:
    """Counts pipes and watches those that are not settled yet. One thread only."""

    def __init__(self) -> None:
        self._addresses: Counter[str] = Counter()
        self._unsettled: dict[Guest, float] = {}  # in the order of arrival
        self._open = 0

    def has_room(self) -> bool:
        return self._open < MAX_CONNECTIONS

    def arrived(self, guest: Guest) -> float:
        """By when it must have settled; monotonic seconds."""
        self._open += 1
        limit = self._unsettled[guest] = time.monotonic() + PATIENCE
        return limit

    def admits(self, address: str) -> bool:
        """Count one more pipe of a client, if it may have one more."""
        if self._addresses[address] >= MAX_OF_CLIENT:
            return False
        self._addresses[address] += 1
        return True

    def settled(self, guest: Guest) -> None:
        """It has bound; it may now be silent as long as it likes."""
        self._unsettled.pop(guest, None)

    def left(self, guest: Guest, address: Optional[str]) -> None:
        """`address` is None for a pipe that was never admitted."""
        self._open -= 1
        self._unsettled.pop(guest, None)
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def deadline(self) -> Optional[float]:
        """When the next one has taken too long; monotonic seconds."""
        return next(iter(self._unsettled.values()), None)

    def expire(self) -> None:
        """Close those that have taken too long."""
        now = time.monotonic()
        while self._unsettled:
            guest, limit = next(iter(self._unsettled.items()))
            if limit > now:
                return
            del self._unsettled[guest]
            guest.close(f"not bound within {PATIENCE:.0f} s")
