"""Transactions of the one agent that may write.

Each rewrites `leader` with the record sequence number (RSN) that the agent has seen last, plus one.
ctdbd refuses one that is not higher, so whoever claims fences whoever wrote before him.

Any answer but "done" says nothing: a recovery may have completed the transaction. Then this waits
for the end of the recovery, and looks for the transaction's own nonce in the node's copy. An answer
that came late is believed only when one more transaction is done: an agent whose ctdbd was stopped
finds an answer that was true before another had claimed.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from functools import partial
from typing import Callable, Mapping, NamedTuple, Optional, Sequence

from fsrvpd import __version__
from fsrvpd.errors import StoreBusy, StoreError, Superseded
from fsrvpd.protocol.cluster import (
    LEADER,
    SEQUENCE_NUMBER,
    Ballot,
    ClusterDatabase,
    Leader,
    Record,
    Timers,
    leader_value,
    read_leader,
    read_sequence,
    sequence_value,
)
from fsrvpd.store.ctdb.settled import POLL

BELIEVED = 5.0  # s; less than any takeover of a node that is silent
RETRY = 1.0  # s, after a transaction was given up
LARGEST = 16 << 20  # bytes of one transaction, during which all others wait
_TRIES = 3  # of one transaction that was surely not done
# A recovery takes the whole database of the node that has the highest sequence number. A claim is
# higher than all that whoever led before may have written on a side of the cluster that was cut
# off. A failed transaction may be on the disk of a node that is gone: the next one is higher.
CLAIM_STEP = 1 << 20
FAILURE_STEP = 1 << 10

Done = Callable[[Optional[StoreError]], None]


def time_since_boot() -> float:
    """Unlike the monotonic clock, this one goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Position(NamedTuple):
    """How far the database is."""

    rsn: int
    sequence: int


def position_in(found: Mapping[bytes, Record]) -> Position:
    """Of a database that was read as a whole. Raises: StoreError."""
    highest = max((each.rsn for each in found.values()), default=0)
    return Position(highest, read_sequence(found.get(SEQUENCE_NUMBER)))


def _size(values: Mapping[bytes, bytes]) -> int:
    return sum(map(len, values.values()))


def _superseded(leader: Optional[Leader], why: str) -> Superseded:
    writer = "nobody" if leader is None else f"the agent of node {leader.ballot.node}"
    text = f"{writer} may write to the cluster's database, and not this agent ({why})"
    return Superseded(text)


class _Attempt(NamedTuple):
    values: Mapping[bytes, bytes]
    waiting: Sequence[Done]
    tries: int  # how many there were before
    nonce: str
    begun: float
    position: Position  # once it is done


class Transactions:
    """Of one ballot. One is under way, and whatever is submitted meanwhile is in the next."""

    def __init__(
        self,
        database: ClusterDatabase,
        timers: Timers,
        ballot: Ballot,
        position: Position,
        clock: Callable[[], float] = time_since_boot,
    ) -> None:
        """The first transaction is the claim."""
        self.ballot = ballot
        self._database = database
        self._timers = timers
        self._position = position
        self._clock = clock
        self._step = CLAIM_STEP
        self._attempt: Optional[_Attempt] = None
        self._submitted: deque[tuple[Mapping[bytes, bytes], Done]] = deque()
        self._end: Optional[StoreError] = None

    @property
    def end_reason(self) -> Optional[StoreError]:
        """Why nothing can be written any more, if so."""
        return self._end

    def submit(self, values: Mapping[bytes, bytes], done: Done) -> None:
        """Write values, all or none. `done` is called once: with Superseded when another agent has
        claimed, with another StoreError when they were not written, or nobody knows."""
        if self._end is not None:
            done(self._end)
            return
        if _size(values) > LARGEST:
            done(StoreError("this is more than the cluster takes in one transaction"))
            return
        self._submitted.append((values, done))
        self._go_on()

    def end(self, reason: StoreError) -> None:
        """Nothing is written any more, and whoever waits is told why."""
        if self._end is not None:
            return
        self._end = reason
        waiting = [*self._attempt.waiting] if self._attempt else []
        waiting += [done for _, done in self._submitted]
        self._attempt = None
        self._submitted.clear()
        for done in waiting:
            done(reason)

    def _go_on(self) -> None:
        if self._attempt is None and self._submitted and self._end is None:
            values: dict[bytes, bytes] = {}
            waiting: list[Done] = []
            room = LARGEST
            while self._submitted and _size(self._submitted[0][0]) <= room:
                more, done = self._submitted.popleft()
                room -= _size(more)
                values.update(more)
                waiting.append(done)
            self._send(values, waiting)

    def _send(self, values: Mapping[bytes, bytes], waiting: Sequence[Done], tries: int = 0) -> None:
        position = Position(self._position.rsn + 1, self._position.sequence + self._step)
        nonce = secrets.token_hex(8)
        leader = leader_value(Leader(self.ballot, nonce, __version__))
        content = {**values, LEADER: leader, SEQUENCE_NUMBER: sequence_value(position.sequence)}
        attempt = _Attempt(values, waiting, tries, nonce, self._clock(), position)
        self._attempt = attempt
        if not self._is_ours():
            return
        # No record has a higher number than the leader's, whose claim began with the highest.
        records = {key: Record(position.rsn, value) for key, value in content.items()}
        try:
            self._database.commit(records, partial(self._answered, attempt))
        except StoreError as error:
            self.end(error)

    def _is_ours(self) -> bool:
        """Whether ctdbd is to be asked: a refusal costs the cluster a recovery, in which nobody
        writes, and the next one only begins 10 s later. This node's copy may know better."""
        if self._step == CLAIM_STEP:
            return True
        try:
            leader = read_leader(self._database.read(LEADER))
        except StoreBusy:
            return True
        except StoreError as error:
            self.end(error)
            return False
        if leader is None or leader.ballot != self.ballot:
            self.end(_superseded(leader, "seen before it was asked"))
        return self._end is None

    def _answered(self, attempt: _Attempt, failure: str) -> None:
        if attempt is not self._attempt:
            return
        if failure:
            self._ask(attempt, failure)
        else:
            self._written(attempt, attempt.position)

    def _ask(self, attempt: _Attempt, failure: str) -> None:
        """Until a recovery has ended, the node's copy says nothing."""
        if attempt is not self._attempt:
            return
        try:
            self._database.ask_recovering(partial(self._recovering, attempt, failure))
        except StoreError as error:
            self.end(error)

    def _recovering(self, attempt: _Attempt, failure: str, is_recovering: bool) -> None:
        if attempt is not self._attempt:
            return
        try:
            if is_recovering:
                raise StoreBusy
            self._look(attempt, failure)
        except StoreBusy:
            self._timers.call_later(POLL, lambda: self._ask(attempt, failure))
        except StoreError as error:
            self.end(error)

    def _look(self, attempt: _Attempt, failure: str) -> None:
        """Compare the node's copy with the attempt. Raises: StoreBusy, StoreError."""
        record = self._database.read(LEADER)
        leader = read_leader(record)
        sequence = read_sequence(self._database.read(SEQUENCE_NUMBER))
        if leader is not None and record is not None and leader.ballot == self.ballot:
            position = Position(record.rsn, sequence)
            if leader.transaction == attempt.nonce:
                self._written(attempt, position)
            else:
                self._not_written(attempt, position, failure)
            return
        self.end(_superseded(leader, failure))

    def _written(self, attempt: _Attempt, position: Position) -> None:
        self._position, self._step = position, 1
        if self._clock() - attempt.begun > BELIEVED:
            self._send({}, attempt.waiting)
        else:
            self._tell(attempt, None)

    def _not_written(self, attempt: _Attempt, position: Position, failure: str) -> None:
        self._position, self._step = position, FAILURE_STEP
        if attempt.tries + 1 < _TRIES:
            self._timers.call_later(POLL, lambda: self._send_again(attempt))
            return
        self._tell(attempt, StoreError(f"the cluster did not write: {failure}"))
        if self._attempt is None:
            self._timers.call_later(RETRY, self._outrank)

    def _send_again(self, attempt: _Attempt) -> None:
        if attempt is self._attempt:
            self._send(attempt.values, attempt.waiting, attempt.tries + 1)

    def _outrank(self) -> None:
        """Have the database outrank what was not written, should a node come back with it."""
        if self._attempt is None and self._end is None and self._step != 1:
            self._send({}, (), _TRIES)

    def _tell(self, attempt: _Attempt, failure: Optional[StoreError]) -> None:
        self._attempt = None
        for done in attempt.waiting:
            done(failure)
        self._go_on()
