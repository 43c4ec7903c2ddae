"""What an election takes and what it asks for."""

from __future__ import annotations

from typing import NamedTuple, Optional, Union

from fsrvpd.cluster.members import Here
from fsrvpd.protocol.cluster import Ballot


class Connected(NamedTuple):
    """This node's ctdbd answers."""

    pnn: int


class Disconnected(NamedTuple):
    """The connection to this node's ctdbd has ended."""


class Nodes(NamedTuple):
    """What CTDB says of the cluster."""

    active: frozenset[int]  # neither disconnected, banned, stopped nor deleted
    recovering: bool = False
    has_lock: bool = True  # a cluster lock is configured


class Heard(NamedTuple):
    """An agent has said that it is there."""

    here: Here


class LastWords(NamedTuple):
    """An agent has ended."""

    pnn: int
    nonce: str


class Recorded(NamedTuple):
    """The leader's record in this node's copy of the database."""

    ballot: Optional[Ballot]


class Claimed(NamedTuple):
    """This agent's claim is committed."""

    ballot: Ballot


class NotClaimed(NamedTuple):
    """This agent's claim was refused, or could not be made; nothing of it is left."""


class Serving(NamedTuple):
    """This agent leads and has loaded the sets: it can take calls."""


class Superseded(NamedTuple):
    """The database has refused a transaction of this agent: another one has claimed."""


Event = Union[
    Connected,
    Disconnected,
    Nodes,
    Heard,
    LastWords,
    Recorded,
    Claimed,
    NotClaimed,
    Serving,
    Superseded,
]


class Tell(NamedTuple):
    """Say `here` to one node, or to all."""

    pnn: Optional[int] = None


class Claim(NamedTuple):
    """Make this agent the leader in the database; `Claimed` or `NotClaimed` follows."""


class Lead(NamedTuple):
    """Load the sets and serve them; `Serving` follows."""

    ballot: Ballot


class Follow(NamedTuple):
    """Pass calls on to this leader."""

    ballot: Ballot
    wire: int


class Hold(NamedTuple):
    """Nobody leads now: keep calls until somebody does."""

    why: str


class Refuse(NamedTuple):
    """This node is not part of the cluster: refuse every call."""

    why: str


class StepDown(NamedTuple):
    """Begin anew as a process, at once and without saving anything."""

    why: str


class Joined(NamedTuple):
    """An agent is there that was not."""

    here: Here


class Gone(NamedTuple):
    """An agent is there no more."""

    pnn: int
    nonce: str


Action = Union[Tell, Claim, Lead, Follow, Hold, Refuse, StepDown, Joined, Gone]
