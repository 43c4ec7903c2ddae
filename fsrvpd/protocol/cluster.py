"""What the store needs from a cluster: a database that is on all nodes, and who may write to it.

`leader` is a record that each transaction rewrites. It names the agent that may write, and the
transaction itself, so that whoever wrote it can tell after a recovery whether it was done.
"""

from __future__ import annotations

import json
import struct
from typing import Callable, Mapping, NamedTuple, Optional, Protocol

from fsrvpd.errors import StoreError

LEADER = b"leader"
SEQUENCE_NUMBER = b"__db_sequence_number__\0"  # of a persistent database, a record itself
_SEQUENCE = struct.Struct("<Q")
_LONGEST = 64  # characters of a nonce


class Record(NamedTuple):
    """A record, and its own sequence number, which must be higher than the one before."""

    rsn: int
    value: bytes


class Ballot(NamedTuple):
    """Who may write: what an agent has won by a claim."""

    term: int
    node: int
    nonce: str  # of the agent's process


class Warrant(NamedTuple):
    """With which an agent changes Samba's registry: it leads. `path` is that of its node's copy of
    the database, which says so; the rest is its ballot."""

    path: str
    term: int
    node: int
    nonce: str


class Leader(NamedTuple):
    """The record of the leader, as its last transaction has written it."""

    ballot: Ballot
    transaction: str  # its nonce
    version: str  # of fsrvpd


class ClusterDatabase(Protocol):
    """A database of which each node has a copy. Nothing waits: `done` is called in a later turn of
    the loop, or never when `close` comes first."""

    node: int  # this one's number
    cluster_lock: str  # what decides which side of a cut cluster goes on, "" for nothing

    def read(self, key: bytes) -> Optional[Record]:
        """From this node's copy. Raises: StoreBusy, StoreError."""

    def read_all(self) -> Mapping[bytes, Record]:
        """Of one moment, from this node's copy. Raises: StoreBusy, StoreError."""

    def commit(self, records: Mapping[bytes, Record], done: Callable[[str], None]) -> None:
        """Write records on all nodes that take part, or none. `done` gets "", or why nobody knows
        whether it was done: a recovery may have completed it. Only one is under way at a time.
        Raises: StoreError."""

    def ask_recovering(self, done: Callable[[bool], None]) -> None:
        """Whether the copies are about to be made equal, and cannot be written. Raises:
        StoreError."""


class Timers(Protocol):
    """Fulfilled by the event loop."""

    def call_later(self, delay: float, callback: Callable[[], object]) -> object:
        """Call `callback` once, after `delay` s."""


def leader_value(leader: Leader) -> bytes:
    term, node, nonce = leader.ballot
    body = {"term": term, "node": node, "nonce": nonce}
    body.update(transaction=leader.transaction, version=leader.version)
    return json.dumps(body, separators=(",", ":")).encode()


def read_leader(record: Optional[Record]) -> Optional[Leader]:
    """What `leader_value` wrote; None if nobody has ever claimed. Raises: StoreError."""
    if record is None or not record.value:
        return None
    try:
        body = json.loads(record.value)
        ballot = Ballot(_number(body["term"]), _number(body["node"]), _text(body["nonce"]))
        return Leader(ballot, _text(body["transaction"]), _text(body["version"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"the record of the leader is not fsrvpd's: {error!r:.100}") from error


def sequence_value(number: int) -> bytes:
    return _SEQUENCE.pack(number)


def read_sequence(record: Optional[Record]) -> int:
    """The number of the last transaction; 0 before the first. Raises: StoreError."""
    if record is None:
        return 0
    if len(record.value) != _SEQUENCE.size:
        raise StoreError("the sequence number of the database is damaged")
    return int(_SEQUENCE.unpack(record.value)[0])


def _number(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r:.40} is no number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError(f"{value!r:.40} is no nonce")
    return value
