"""The life of a cluster: how long at least one of its nodes has been up.

A set that is not persistent ends with it, as it ends with the boot of a single server. Its name is
in a database that CTDB empties when all nodes have been down (`replicated`).
"""

from __future__ import annotations

import uuid
from functools import partial
from typing import Callable, Mapping, Optional

from fsrvpd.errors import StoreError
from fsrvpd.protocol.cluster import Ballot, ClusterDatabase, Record, Timers
from fsrvpd.store.ctdb.settled import SettledRead
from fsrvpd.store.ctdb.transactions import Done, Transactions, position_in, time_since_boot

NAME = "fsrvpd_life.tdb"
_LIFE = b"life"


class ClusterLife:
    """Whoever has won a claim begins it, if it has not begun; everybody reads it."""

    def __init__(
        self,
        database: ClusterDatabase,
        timers: Timers,
        clock: Callable[[], float] = time_since_boot,
    ) -> None:
        self._database = database
        self._timers = timers
        self._clock = clock
        self._reading: Optional[SettledRead] = None
        self._transactions: Optional[Transactions] = None

    def name(self) -> str:
        """A UUID, "" before it has begun. Raises: StoreBusy, StoreError."""
        record = self._database.read(_LIFE)
        return "" if record is None else record.value.decode(errors="replace")

    def begin(self, ballot: Ballot, done: Done) -> None:
        """Waits for the end of a recovery. `name` is known when `done` gets no error."""
        found = partial(self._begin, ballot, done)
        self._reading = SettledRead(self._database, self._timers, found, done)

    def end(self, reason: StoreError) -> None:
        """ctdbd is lost: whoever waits is told."""
        if self._reading is not None:
            self._reading.cancel(reason)
        if self._transactions is not None:
            self._transactions.end(reason)

    def _begin(self, ballot: Ballot, done: Done, found: Mapping[bytes, Record]) -> None:
        if _LIFE in found:
            done(None)
            return
        try:
            position = position_in(found)
        except StoreError as error:
            done(error)
            return
        args = (self._database, self._timers, ballot, position, self._clock)
        self._transactions = Transactions(*args)
        self._transactions.submit({_LIFE: str(uuid.uuid4()).encode()}, done)
