"""Elections in any order: nodes that are cut off, stopped or killed, and words that come late.

Hypothesis plays CTDB: one record that a claim replaces only if it has not changed since, copies
of it that a cut-off node does not get, claims that hang as long as their node is cut off, and
messages that keep their order and nothing else. Whatever happens, a term has one leader, and
once nothing happens any more one agent leads and the others follow it.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import NamedTuple, Optional

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fsrvpd.cluster.election import LONGEST_SILENCE, Election, Role
from fsrvpd.cluster.events import (
    Action,
    Claim,
    Claimed,
    Connected,
    Disconnected,
    Event,
    Follow,
    Heard,
    Hold,
    LastWords,
    Lead,
    Nodes,
    NotClaimed,
    Recorded,
    Refuse,
    Serving,
    StepDown,
    Tell,
)
from fsrvpd.cluster.members import Here
from fsrvpd.protocol.cluster import Ballot

PNNS = (0, 1, 2)
NODES = st.sampled_from(PNNS)
QUIET = 40.0  # s; a silence, the hesitation of two agents, and claims that conflict
STEP = 0.25  # s


class Pending(NamedTuple):
    """A claim that is not decided yet."""

    replaced: Optional[Ballot]
    ballot: Ballot


class Node:
    """A node with its agent. Its clock is its own."""

    def __init__(self, pnn: int, nonce: str) -> None:
        self.pnn = pnn
        self.offset = 1000.0 * pnn
        self.cut_off = self.stopped = self.recovering = False
        self.copy: Optional[Ballot] = None
        self.received: dict[int, deque[Event]] = {other: deque() for other in PNNS}
        self.begin(nonce)

    def begin(self, nonce: str) -> None:
        self.election = Election(nonce)
        self.frozen = False
        self.loads = 0
        self.claim: Optional[Pending] = None
        self.told: list[Event] = [Connected(self.pnn)]
        self.state = "hold"  # of its calls
        self.is_alive = True


class Elections(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.nonces = (f"agent{number}" for number in itertools.count())
        self.record: Optional[Ballot] = None
        self.led: dict[int, set[str]] = {}  # who has led, by term
        self.nodes = [Node(pnn, next(self.nonces)) for pnn in PNNS]

    # What CTDB does.

    def connected(self, node: Node) -> list[Node]:
        return [each for each in self.nodes if not (each.cut_off or node.cut_off) or each is node]

    def active(self, node: Node) -> frozenset[int]:
        return frozenset(each.pnn for each in self.connected(node) if not each.stopped)

    def send(self, source: Node, event: Event, pnn: Optional[int]) -> None:
        for node in self.connected(source):
            if pnn is None or node.pnn == pnn:
                node.received[source.pnn].append(event)

    def decide(self, node: Node, *, is_late: bool = False) -> None:
        """The end of a claim: it counts if nobody else has claimed since it was made."""
        claim, node.claim = node.claim, None
        if claim is None:
            return
        counts = self.record == claim.replaced
        if counts:
            self.record = claim.ballot
        node.told.append(Claimed(claim.ballot) if counts and not is_late else NotClaimed())

    def leave_claim(self, node: Node, succeeds: bool) -> None:
        """Nobody hears how the claim ends."""
        told = list(node.told)
        if succeeds and not node.cut_off:
            self.decide(node)
        node.claim, node.told = None, told

    def update_copies(self) -> None:
        for node in self.nodes:
            if not node.cut_off and not node.recovering:
                node.copy = self.record

    def end_agent(self, node: Node) -> None:
        if node.is_alive:
            node.is_alive = False
            node.claim = None
            self.send(node, LastWords(node.pnn, node.election.nonce), None)

    # What agents do.

    def turn(self, node: Node) -> None:
        if node.frozen or not node.is_alive:
            return
        nodes = Nodes(self.active(node), recovering=node.recovering or node.cut_off)
        heard = [event for each in node.received.values() for event in each]
        for each in node.received.values():
            each.clear()
        events = [*node.told, nodes, Recorded(node.copy), *heard]
        node.told = []
        for action in node.election.turn(self.now + node.offset, events):
            self.carry_out(node, action)
        if node.loads and node.election.role is Role.LEADER:
            node.loads -= 1
            if node.loads == 0:
                node.told.append(Serving())

    def carry_out(self, node: Node, action: Action) -> None:
        election = node.election
        if isinstance(action, Tell):
            self.send(node, Heard(Here(node.pnn, election.nonce, 1, election.term)), action.pnn)
        elif isinstance(action, Claim):
            assert node.claim is None
            term = (node.copy.term if node.copy is not None else 0) + 1
            node.claim = Pending(node.copy, Ballot(term, node.pnn, election.nonce))
        elif isinstance(action, Lead):
            self.led.setdefault(action.ballot.term, set()).add(action.ballot.nonce)
            node.loads, node.state = 2, "lead"
        elif isinstance(action, StepDown):
            self.end_agent(node)
            node.begin(next(self.nonces))
        elif isinstance(action, Follow):
            node.state = f"follow {action.ballot}"
        elif isinstance(action, Hold):
            node.state = "hold"
        elif isinstance(action, Refuse):
            node.state = "refuse"

    @rule(
        seconds=st.sampled_from([0.0, STEP, 1.0, 5.0, LONGEST_SILENCE]), order=st.permutations(PNNS)
    )
    def pass_time(self, seconds: float, order: list[int]) -> None:
        end = self.now + seconds
        while True:
            for pnn in order:
                self.turn(self.nodes[pnn])
            if self.now >= end:
                return
            self.now += STEP

    @rule(pnn=NODES)
    def one_turn(self, pnn: int) -> None:
        self.now += STEP
        self.turn(self.nodes[pnn])

    @rule(pnn=NODES, is_late=st.booleans())
    def end_claim(self, pnn: int, is_late: bool) -> None:
        """Late: it was given up, and has succeeded all the same."""
        if not self.nodes[pnn].cut_off:
            self.decide(self.nodes[pnn], is_late=is_late)

    @rule(pnn=NODES)
    def copy_record(self, pnn: int) -> None:
        if not self.nodes[pnn].cut_off:
            self.nodes[pnn].copy = self.record

    @rule(pnn=NODES)
    def cut_or_connect(self, pnn: int) -> None:
        self.nodes[pnn].cut_off = not self.nodes[pnn].cut_off

    @rule(pnn=NODES)
    def stop_or_continue(self, pnn: int) -> None:
        self.nodes[pnn].stopped = not self.nodes[pnn].stopped

    @rule(pnn=NODES)
    def recover(self, pnn: int) -> None:
        self.nodes[pnn].recovering = not self.nodes[pnn].recovering

    @rule(pnn=NODES)
    def freeze_or_thaw(self, pnn: int) -> None:
        self.nodes[pnn].frozen = not self.nodes[pnn].frozen

    @rule(pnn=NODES, loses_words=st.booleans(), claim_succeeds=st.booleans())
    def kill(self, pnn: int, loses_words: bool, claim_succeeds: bool) -> None:
        self.leave_claim(self.nodes[pnn], claim_succeeds)
        if loses_words:
            self.nodes[pnn].is_alive = False
        else:
            self.end_agent(self.nodes[pnn])

    @rule(pnn=NODES)
    def start(self, pnn: int) -> None:
        if not self.nodes[pnn].is_alive:
            self.nodes[pnn].begin(next(self.nonces))

    @rule(pnn=NODES, claim_succeeds=st.booleans())
    def end_ctdbd(self, pnn: int, claim_succeeds: bool) -> None:
        self.leave_claim(self.nodes[pnn], claim_succeeds)
        self.nodes[pnn].told += [Disconnected(), Connected(pnn)]

    @invariant()
    def a_term_has_one_leader(self) -> None:
        assert all(len(nonces) == 1 for nonces in self.led.values()), self.led

    @invariant()
    def whoever_leads_has_claimed(self) -> None:
        for node in self.nodes:
            if node.election.role is Role.LEADER:
                assert any(node.election.nonce in nonces for nonces in self.led.values())

    def teardown(self) -> None:
        """Then nothing happens any more. Whoever is dead remains so, but for one."""
        for node in self.nodes:
            node.cut_off = node.stopped = node.recovering = node.frozen = False
        if not any(node.is_alive for node in self.nodes):
            self.nodes[-1].begin(next(self.nonces))
        self.run_quietly(QUIET)
        self.one_leads()
        settled = [node.election.nonce for node in self.nodes]
        self.run_quietly(2 * LONGEST_SILENCE)
        self.one_leads()
        assert settled == [node.election.nonce for node in self.nodes]

    def run_quietly(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += STEP
            for node in self.nodes:
                self.decide(node)
            self.update_copies()
            for node in self.nodes:
                self.turn(node)

    def one_leads(self) -> None:
        alive = [node for node in self.nodes if node.is_alive]
        [leader] = [node for node in alive if node.election.role is Role.LEADER]
        assert leader.state == "lead"
        for node in alive:
            assert node.election.leader == self.record
            if node is not leader:
                assert node.state == f"follow {self.record}"


Elections.TestCase.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
TestElections = Elections.TestCase
