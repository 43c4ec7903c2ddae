"""This agent's place in the cluster: the election, with the messages and the turns that it needs.

What CTDB says and what agents send comes in by `take_event` and `take_message`, and what follows is
told to `Place`. Belongs to the event loop's thread.
"""

from __future__ import annotations

import logging
from typing import Callable, NamedTuple, Optional, Protocol

from fsrvpd.cluster import wire
from fsrvpd.cluster.election import Election
from fsrvpd.cluster.events import (
    Action,
    Claim,
    Connected,
    Disconnected,
    Event,
    Follow,
    Gone,
    Heard,
    Hold,
    Joined,
    LastWords,
    Lead,
    Nodes,
    Recorded,
    Refuse,
    Serving,
    StepDown,
    Tell,
)
from fsrvpd.cluster.members import Here
from fsrvpd.cluster.wire import (
    ForwardedAnswer,
    ForwardedCall,
    MountAnswer,
    MountRequest,
    WireError,
)
from fsrvpd.errors import StoreError
from fsrvpd.protocol.cluster import Ballot, Timers

log = logging.getLogger("fsrvpd.cluster")


class Link(Protocol):
    """This node's ctdbd."""

    def send(self, node: int, data: bytes) -> None:
        """To the agent of a node. What cannot be sent is lost."""

    def broadcast(self, data: bytes) -> None:
        """To the agents of all nodes that are connected."""

    def poll(self) -> None:
        """Have `Nodes` reported."""

    def claim(self) -> None:
        """Make this agent the leader in the database. `Claimed` or `NotClaimed` is reported."""

    def holder(self) -> Optional[Ballot]:
        """The leader by this node's copy of the database. Raises: StoreError."""


class Place(Protocol):
    """What follows from this agent's place."""

    def lead(self, ballot: Ballot) -> None:
        """Load the sets, and serve them and the calls of doors."""

    def follow(self, ballot: Ballot, version: int) -> None: ...

    def hold(self, why: str) -> None: ...

    def refuse(self, why: str) -> None: ...

    def step_down(self, why: str) -> None:
        """End the process at once and begin anew."""

    def members_changed(self) -> None: ...

    def take_call(self, call: ForwardedCall) -> None: ...

    def take_answer(self, answer: ForwardedAnswer) -> None: ...

    def take_mount_request(self, request: MountRequest) -> None: ...

    def take_mount_answer(self, answer: MountAnswer) -> None: ...


class OwnState(NamedTuple):
    """What an agent says of itself beside its place."""

    names: frozenset[str]
    wall_clock: float
    free_space: int
    options: str


class Membership:
    """`nonce` is that of this process. `own_state` is asked whenever it is told to others."""

    def __init__(
        self,
        nonce: str,
        link: Link,
        place: Place,
        own_state: Callable[[], OwnState],
        timers: Timers,
        clock: Callable[[], float],
    ) -> None:
        self._election = Election(nonce)
        self._link = link
        self._place = place
        self._own_state = own_state
        self._timers = timers
        self._clock = clock
        self._events: list[Event] = []
        self._is_connected = False
        self._is_turn_due = False
        self._next_tick: Optional[float] = None
        self._nodes: Optional[Nodes] = None

    @property
    def pnn(self) -> int:
        """This node's number; -1 while ctdbd is not there."""
        return -1 if self._election.pnn is None else self._election.pnn

    @property
    def leader(self) -> Optional[Ballot]:
        """Who serves, as far as is known."""
        return self._election.leader

    def peers(self) -> list[Here]:
        """What the other agents have said last, by node."""
        return [self._election.peers[pnn].here for pnn in sorted(self._election.peers)]

    def own_here(self) -> Here:
        """What this agent says of itself."""
        election = self._election
        return Here(self.pnn, election.nonce, wire.VERSION, election.term, *self._own_state())

    def active_members(self) -> list[Here]:
        """This agent, and the others on active nodes."""
        return [self.own_here(), *self.active_peers()]

    def active_peers(self) -> list[Here]:
        """The agents on the other nodes that are active."""
        active = frozenset() if self._nodes is None else self._nodes.active
        return [here for here in self.peers() if here.pnn in active]

    def is_there(self, nonce: str) -> bool:
        """Whether another agent still runs, as far as is known."""
        return any(here.nonce == nonce for here in self.peers())

    def own_names(self) -> frozenset[str]:
        """Names and addresses of all agents: they move from node to node."""
        return self._own_state().names.union(*(here.names for here in self.peers()))

    def start(self) -> None:
        self._turn()

    def serves(self) -> None:
        """This agent, which leads, can take calls."""
        self.take_event(Serving())

    def take_event(self, event: Event) -> None:
        if isinstance(event, (Connected, Disconnected)):
            self._is_connected, self._nodes = isinstance(event, Connected), None
        if isinstance(event, Nodes):
            if event == self._nodes:
                return
            self._nodes = event
        self._events.append(event)
        self._turn_soon()

    def take_message(self, data: bytes) -> None:
        """One of another agent, or of nobody."""
        try:
            message = wire.decode(data)
        except WireError as error:
            log.debug("a message was dropped: %s", error)
            return
        if isinstance(message, Here):
            self.take_event(Heard(message))
        elif isinstance(message, LastWords):
            self.take_event(message)
        elif isinstance(message, ForwardedCall):
            self._place.take_call(message)
        elif isinstance(message, MountRequest):
            self._place.take_mount_request(message)
        elif isinstance(message, MountAnswer):
            self._place.take_mount_answer(message)
        else:
            self._place.take_answer(message)

    def last_words(self, pnn: int) -> bytes:
        """What ctdbd is to send when this process ends."""
        return wire.encode(LastWords(pnn, self._election.nonce))

    def _arm(self) -> None:
        """Let the next turn come in time. A timer that is armed for later finds nothing to do."""
        due = self._election.next_turn()
        if self._next_tick is None or due < self._next_tick:
            self._next_tick = due
            self._timers.call_later(max(due - self._clock(), 0.0), self._tick)

    def _tick(self) -> None:
        if self._next_tick is None or self._clock() < self._next_tick:
            return
        self._next_tick = None
        if self._is_connected:
            self._link.poll()
        self._turn()

    def _turn_soon(self) -> None:
        if not self._is_turn_due:
            self._is_turn_due = True
            self._timers.call_later(0.0, self._turn)

    def _turn(self) -> None:
        self._is_turn_due = False
        events, self._events = self._events, []
        if self._is_connected:
            try:
                events.append(Recorded(self._link.holder()))
            except StoreError as error:
                log.debug("the leader's record: %s", error)
        actions = self._election.turn(self._clock(), events)
        for action in actions:
            self._carry_out(action)
        if any(isinstance(action, (Joined, Gone)) for action in actions):
            self._place.members_changed()
        self._arm()

    def _carry_out(self, action: Action) -> None:
        place = self._place
        if isinstance(action, Tell):
            self._tell(action.pnn)
        elif isinstance(action, Claim):
            self._link.claim()
        elif isinstance(action, Lead):
            place.lead(action.ballot)
        elif isinstance(action, Follow):
            place.follow(action.ballot, action.wire)
        elif isinstance(action, Hold):
            place.hold(action.why)
        elif isinstance(action, Refuse):
            place.refuse(action.why)
        elif isinstance(action, StepDown):
            place.step_down(action.why)

    def _tell(self, pnn: Optional[int]) -> None:
        if self._election.pnn is None:
            return
        data = wire.encode(self.own_here())
        if pnn is None:
            self._link.broadcast(data)
        else:
            self._link.send(pnn, data)
