"""`CtdbStore`: the state of all agents of a cluster, of which one may write.

A claim makes an agent the one. It reads everything from the node's copy and writes `leader` over
what it has read there, so it fails if anybody has written since.
"""

from __future__ import annotations

import secrets
import uuid
from functools import partial
from typing import Callable, Mapping, Optional, Sequence

from fsrvpd.core.messages import Guid
from fsrvpd.errors import StoreBusy, StoreError, Superseded
from fsrvpd.protocol.cluster import (
    LEADER,
    Ballot,
    ClusterDatabase,
    Record,
    Timers,
    read_leader,
)
from fsrvpd.store.ctdb import records
from fsrvpd.store.ctdb.settled import SettledRead
from fsrvpd.store.ctdb.transactions import Done, Transactions, position_in, time_since_boot

NAME = "fsrvpd.tdb"
NO_LOCK = (
    "this cluster has no cluster lock, so both sides of a cut cluster would go on: set `cluster"
    " lock` (4.15 and older: `recovery lock`) in ctdb.conf on all nodes, and restart ctdbd"
)


class CtdbStore:
    """Fulfils `protocol.ports.StateStore`; whoever owns the connection to ctdbd also calls `end`
    when it is lost."""

    confirms_answers = True

    def __init__(
        self,
        database: ClusterDatabase,
        timers: Timers,
        clock: Callable[[], float] = time_since_boot,
        nonce: str = "",
    ) -> None:
        """`nonce` is that of this process, if others know it already."""
        self.id = ""  # of the cluster's database, one for all nodes; known by a claim
        self._database = database
        self._timers = timers
        self._clock = clock
        self._nonce = nonce or secrets.token_hex(8)
        self._reading: Optional[SettledRead] = None
        self._transactions: Optional[Transactions] = None
        # What the claim has read, until it is written to.
        self._read: Optional[Mapping[bytes, Record]] = None
        self._won: Optional[Ballot] = None
        self._holder: Optional[Ballot] = None
        self._end: Optional[StoreError] = None

    @property
    def nonce(self) -> str:
        """Of this process, as in the ballots that it wins."""
        return self._nonce

    @property
    def ballot(self) -> Optional[Ballot]:
        """What the last claim has won; None if it was not won, or is lost."""
        writer = self._transactions
        return None if writer is None or writer.end_reason is not None else self._won

    def holder(self) -> Optional[Ballot]:
        """Who may write now, by the node's copy; by what was read last while that is locked.
        Raises: StoreError."""
        try:
            leader = read_leader(self._database.read(LEADER))
        except StoreBusy:
            return self._holder
        self._holder = None if leader is None else leader.ballot
        return self._holder

    def claim(self, done: Done) -> None:
        """Become the one who may write. Waits for the end of a recovery. `done` gets Superseded
        if another has written meanwhile."""
        if self._end is not None:
            done(self._end)
        elif not self._database.cluster_lock:
            done(StoreError(NO_LOCK))
        else:
            found = partial(self._claim, done)
            self._reading = SettledRead(self._database, self._timers, found, done)

    def submit(
        self,
        changes: Sequence[tuple[Guid, Optional[str]]],
        *,
        durable: bool,
        done: Done,
    ) -> None:
        """Everything is durable here, on all nodes that take part."""
        self._write(
            {
                records.set_key(key): records.FORGOTTEN if document is None else document.encode()
                for key, document in changes
            },
            done,
        )

    def keep(self, changes: Mapping[str, Optional[bool]], done: Done) -> None:
        """Record copies, by id, that an admin keeps, with whether he holds them; None forgets
        one."""
        self._write(
            {records.kept_key(copy): records.kept_value(held) for copy, held in changes.items()},
            done,
        )

    def load(self) -> Mapping[Guid, str]:
        """Raises: StoreBusy, StoreError; not right after a claim."""
        return records.documents(self._all())

    def kept(self) -> Mapping[str, bool]:
        """What `keep` recorded. Raises: StoreBusy, StoreError; not right after a claim."""
        return records.kept(self._all())

    def barrier(self, done: Done) -> None:
        """Ask all nodes whether this agent may write."""
        self._write({}, done)

    def end(self, reason: StoreError) -> None:
        """ctdbd is lost: nothing can be written any more, and nobody knows what was."""
        self._end = self._end or reason
        if self._reading is not None:
            self._reading.cancel(reason)
        if self._transactions is not None:
            self._transactions.end(reason)

    def close(self) -> None:
        self.end(StoreError("the store is closed"))

    def _all(self) -> Mapping[bytes, Record]:
        if self._read is not None and self.ballot is not None and self.holder() == self.ballot:
            return self._read
        return self._database.read_all()

    def _write(self, values: Mapping[bytes, bytes], done: Done) -> None:
        if self._transactions is None:
            done(Superseded("this agent has not claimed the cluster's database"))
        else:
            self._read = None
            self._transactions.submit(values, done)

    def _claim(self, done: Done, found: Mapping[bytes, Record]) -> None:
        try:
            leader = read_leader(found.get(LEADER))
            self.id = records.read_identity(found.get(records.FILE))
            position = position_in(found)
        except StoreError as error:
            done(error)
            return
        values = {}
        if not self.id:
            self.id = str(uuid.uuid4())
            values[records.FILE] = records.file_value(self.id)
        if self._transactions is not None:
            self._transactions.end(Superseded("this agent has claimed again"))
        term = 1 if leader is None else leader.ballot.term + 1
        ballot = Ballot(term, self._database.node, self._nonce)
        args = (self._database, self._timers, ballot, position, self._clock)
        self._read, self._won, self._transactions = found, None, Transactions(*args)
        self._transactions.submit(values, partial(self._claimed, ballot, done))

    def _claimed(self, ballot: Ballot, done: Done, failure: Optional[StoreError]) -> None:
        if failure is None:
            self._won = self._holder = ballot
        done(failure)
