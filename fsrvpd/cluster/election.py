"""Which agent of a cluster leads: a state machine without I/O and without a clock.

Every agent says `here` to all others. The agent of the lowest active node claims when nobody
leads, or whoever did is dead: its last words were heard, its node is not active in CTDB, its node
has another agent, or it has been silent for long. An unhealthy or disabled node has no public
address, yet its databases and its storage work: it goes on leading.

None of this has to be right for the sets to be safe. A claim is a transaction that replaces the
leader's record, and whoever has been replaced can write nothing more; so two claims at a time, or
one against a leader that is only slow, cost time and nothing else. A leader that has lost its
place, or may have, ends as a process: all that it remembers may be wrong.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import NamedTuple, Optional, Sequence

from fsrvpd.cluster.events import (
    Action,
    Claim,
    Claimed,
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
    NotClaimed,
    Recorded,
    Refuse,
    Serving,
    StepDown,
    Superseded,
    Tell,
)
from fsrvpd.cluster.members import Here
from fsrvpd.protocol.cluster import Ballot

HERE_INTERVAL = 2.0  # s
LONGEST_SILENCE = 15.0  # s
SETTLED = 1.0  # s after the start, in which the others say that they are there
HESITATION = 5.0  # s that an agent leaves to each one before it, which may be unable to claim
CLAIM_AGAIN = 1.0  # s
ABSENCE = 6.0  # s without a turn: this process was stopped, and has heard nobody meanwhile
SHORT_TURN = 0.25  # s, while nobody leads
ENDED_AGENTS = 100  # which are remembered


class Role(Enum):
    ALONE = auto()  # not part of the cluster
    DOOR = auto()  # passes calls on to the leader
    LEADER = auto()
    ENDED = auto()  # the process is to begin anew


class Peer(NamedTuple):
    """Another agent, and when it was heard last."""

    here: Here
    heard_at: float


class Election:
    """`turn` takes what has happened, and the time, and says what to do. It is due at `next_turn`
    at the latest, and whenever something has happened."""

    def __init__(self, nonce: str) -> None:
        self.nonce = nonce
        self.role = Role.ALONE
        self.pnn: Optional[int] = None
        self.peers: dict[int, Peer] = {}
        self.leader: Optional[Ballot] = None  # who serves, as far as is known; it may be this one
        self._actions: list[Action] = []
        self._nodes: Optional[Nodes] = None
        self._active_since: dict[int, float] = {}
        self._ended: deque[str] = deque(maxlen=ENDED_AGENTS)
        self._recorded: Optional[Recorded] = None
        self._newest: Optional[Ballot] = None  # of all that anybody has
        self._newest_since = 0.0
        self._ballot: Optional[Ballot] = None
        self._is_claiming = False
        self._dead_since: Optional[float] = None
        self._claims_from = 0.0
        self._next_here = 0.0
        self._last_turn: Optional[float] = None
        self._awake_since = 0.0
        self._refusal = ""

    @property
    def term(self) -> int:
        """In which this agent serves as the leader, else 0."""
        return self._ballot.term if self._ballot is not None and self._ballot == self.leader else 0

    def next_turn(self) -> float:
        last = self._last_turn or 0.0
        nobody_leads = self.role is Role.DOOR and self.leader is None
        return last + (SHORT_TURN if nobody_leads else HERE_INTERVAL)

    def turn(self, now: float, events: Sequence[Event] = ()) -> list[Action]:
        if self.role is Role.ENDED:
            return []
        if self._last_turn is None or now - self._last_turn > ABSENCE:
            self._awake_since = now
        self._last_turn = now
        for event in events:
            self._take(event, now)
        self._forget_silent(now)
        self._find_newest(now)
        self._take_part(now)
        if self.role is Role.DOOR:
            self._follow(now)
            self._claim_if_due(now)
        self._say_here(now)
        actions, self._actions = self._actions, []
        return actions

    def _say_here(self, now: float) -> None:
        if self.role is not Role.ENDED and self.pnn is not None and now >= self._next_here:
            self._next_here = now + HERE_INTERVAL
            self._actions.append(Tell())

    def _take(self, event: Event, now: float) -> None:
        if isinstance(event, Connected):
            self.pnn, self._next_here = event.pnn, now
        elif isinstance(event, Disconnected):
            self._disconnected()
        elif isinstance(event, Nodes):
            self._take_nodes(event, now)
        elif isinstance(event, Heard):
            self._hear(event.here, now)
        elif isinstance(event, LastWords):
            self._end(event.pnn, event.nonce)
        elif isinstance(event, Recorded):
            self._recorded = event
        elif isinstance(event, (Claimed, NotClaimed)):
            self._end_claim(event, now)
        elif isinstance(event, Serving):
            self._serve(now)
        elif isinstance(event, Superseded):
            self._step_down("the database belongs to another leader")

    def _serve(self, now: float) -> None:
        if self.role is Role.LEADER:
            self.leader, self._next_here = self._ballot, now

    def _disconnected(self) -> None:
        self.pnn = self._nodes = None
        if self._is_claiming:
            self._step_down("ctdbd has ended during a claim")

    def _take_nodes(self, nodes: Nodes, now: float) -> None:
        since = self._active_since
        self._active_since = {pnn: since.get(pnn, now) for pnn in nodes.active}
        self._nodes = nodes

    def _hear(self, here: Here, now: float) -> None:
        if here.pnn == self.pnn or here.nonce in self._ended:
            return  # what it has said itself, or a process that is no more
        known = self.peers.get(here.pnn)
        if known is None or known.here.nonce != here.nonce:
            if known is not None:
                self._end(here.pnn, known.here.nonce)
            self._actions += [Joined(here), Tell(here.pnn)]
        self.peers[here.pnn] = Peer(here, now)

    def _end(self, pnn: int, nonce: str) -> None:
        if nonce == self.nonce:
            return
        self._ended.append(nonce)
        self._forget(pnn, nonce)

    def _forget(self, pnn: int, nonce: str) -> None:
        known = self.peers.get(pnn)
        if known is not None and known.here.nonce == nonce:
            del self.peers[pnn]
            self._actions.append(Gone(pnn, nonce))

    def _forget_silent(self, now: float) -> None:
        for pnn, peer in list(self.peers.items()):
            if self._silence(pnn, peer.heard_at, now) >= LONGEST_SILENCE:
                self._forget(pnn, peer.here.nonce)

    def _silence(self, pnn: int, heard_at: float, now: float) -> float:
        """For how long an agent could have been heard, and was not."""
        return now - max(heard_at, self._awake_since, self._active_since.get(pnn, 0.0))

    def _end_claim(self, event: Event, now: float) -> None:
        self._is_claiming = False
        self._claims_from = now + CLAIM_AGAIN
        if not isinstance(event, Claimed):
            return
        if self.role is Role.DOOR and self._is_member():
            self.role, self._ballot = Role.LEADER, event.ballot
            self._actions.append(Lead(event.ballot))
        else:
            self._step_down("the claim came too late")

    def _find_newest(self, now: float) -> None:
        recorded = self._recorded.ballot if self._recorded is not None else None
        said = (
            Ballot(here.term, here.pnn, here.nonce)
            for here, _ in self.peers.values()
            if here.term > 0
        )
        ballots = [each for each in (recorded, self._newest, *said) if each is not None]
        newest = max(ballots, key=lambda ballot: ballot.term, default=None)
        if newest != self._newest:
            self._newest, self._newest_since = newest, now

    def _take_part(self, now: float) -> None:
        """Be a member of the cluster or not, and the leader no longer than permitted."""
        if self.role is Role.LEADER:
            self._keep_place()
        elif self._is_member():
            if self.role is Role.ALONE:
                self.role, self._dead_since, self._refusal = Role.DOOR, None, ""
                self._claims_from = now + SETTLED
                self._actions.append(Hold("this agent has just joined"))
        elif self._is_known_to_be_alone():
            self.role, self.leader, self._refusal = Role.ALONE, None, self._why_no_member()
            self._actions.append(Refuse(self._refusal))

    def _keep_place(self) -> None:
        newest, ballot = self._newest, self._ballot
        if not self._is_member():
            self._step_down(self._why_no_member())
        elif newest is None or ballot is None or newest.nonce == self.nonce:
            return
        elif newest.term >= ballot.term:
            self._step_down(f"node {newest.node} leads in term {newest.term}")

    def _is_known_to_be_alone(self) -> bool:
        """And has not said so for the same reason."""
        is_known = self.role is Role.DOOR or self._nodes is not None
        return is_known and self._refusal != self._why_no_member()

    def _is_member(self) -> bool:
        nodes = self._nodes
        return nodes is not None and nodes.has_lock and self.pnn in nodes.active

    def _why_no_member(self) -> str:
        if self.pnn is None:
            return "ctdbd has ended"
        if self._nodes is not None and not self._nodes.has_lock:
            return "CTDB has no cluster lock"
        return "this node is not active in CTDB"

    def _step_down(self, why: str) -> None:
        if self.role is not Role.ENDED:
            self.role, self.leader = Role.ENDED, None
            self._actions.append(StepDown(why))

    def _follow(self, now: float) -> None:
        newest = self._newest
        if newest is not None and newest.nonce == self.nonce and not self._is_claiming:
            self._step_down("a claim has succeeded that was given up")
        elif newest is None or self._is_dead(newest, now):
            self._dead_since = now if self._dead_since is None else self._dead_since
            self._follow_nobody("nobody leads")
        else:
            self._dead_since = None
            self._follow_if_serving(newest)

    def _follow_if_serving(self, newest: Ballot) -> None:
        peer = self.peers.get(newest.node)
        if peer is None or (peer.here.nonce, peer.here.term) != (newest.nonce, newest.term):
            self._follow_nobody(f"node {newest.node} does not serve yet")
        elif newest != self.leader:
            self.leader = newest
            self._actions.append(Follow(newest, peer.here.wire))

    def _follow_nobody(self, why: str) -> None:
        if self.leader is not None:
            self.leader = None
            self._actions.append(Hold(why))

    def _is_dead(self, ballot: Ballot, now: float) -> bool:
        if ballot.nonce in self._ended or ballot.node not in self._active_since:
            return True
        if ballot.node == self.pnn:
            return ballot.nonce != self.nonce
        heard_at, peer = self._newest_since, self.peers.get(ballot.node)
        if peer is not None and peer.here.nonce == ballot.nonce:
            heard_at = peer.heard_at
        elif peer is not None and peer.heard_at > heard_at:
            return True  # its node has had another agent since
        return self._silence(ballot.node, heard_at, now) >= LONGEST_SILENCE

    def _claim_if_due(self, now: float) -> None:
        nodes = self._nodes
        if self._dead_since is None or self._is_claiming or self._recorded is None:
            return
        if nodes is None or nodes.recovering or self.pnn is None or now < self._claims_from:
            return
        before = sum(pnn < self.pnn and pnn in nodes.active for pnn in self.peers)
        if now >= self._dead_since + before * HESITATION:
            self._is_claiming = True
            self._actions.append(Claim())
