"""Agents of three nodes in one process: from their messages to who leads and who is followed."""

from __future__ import annotations

import heapq
import itertools
from typing import Callable, Optional

import pytest

from fsrvpd.cluster import wire
from fsrvpd.cluster.events import Claimed, Connected, Disconnected, Nodes, NotClaimed
from fsrvpd.cluster.membership import Membership, OwnState
from fsrvpd.cluster.wire import ForwardedAnswer, ForwardedCall, RequestId
from fsrvpd.errors import StoreError
from fsrvpd.protocol.cluster import Ballot


class Time:
    """Fulfils `Timers`; the clock stands still until it is run."""

    def __init__(self) -> None:
        self.now = 100.0
        self._numbers = itertools.count()
        self._due: list[tuple[float, int, Callable[[], object]]] = []

    def call_later(self, delay: float, callback: Callable[[], object]) -> object:
        entry = (self.now + delay, next(self._numbers), callback)
        heapq.heappush(self._due, entry)
        return entry

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, callback = heapq.heappop(self._due)
            callback()
        self.now = end


class Network:
    """CTDB: delivers messages, keeps the leader's record."""

    def __init__(self) -> None:
        self.time = Time()
        self.record: Optional[Ballot] = None
        self.agents = [Agent(self, pnn) for pnn in range(3)]

    def deliver(self, pnn: int, data: bytes) -> None:
        agent = self.agents[pnn]
        if agent.is_running:
            self.time.call_later(0.001, lambda: agent.membership.take_message(data))


class Agent:
    """One node: a `Link` and a `Place`."""

    def __init__(self, network: Network, pnn: int) -> None:
        self.network = network
        self.pnn = pnn
        self.nonce = f"agent{pnn}"
        self.is_running = True
        self.state = ""
        self.members: list[int] = []
        self.calls: list[ForwardedCall] = []
        self.answers: list[ForwardedAnswer] = []
        self.is_damaged = False
        self.membership = Membership(
            self.nonce, self, self, self.own_state, network.time, lambda: network.time.now
        )

    def own_state(self) -> OwnState:
        return OwnState(frozenset({"clus", f"10.0.0.{self.pnn}"}), 1e9, 1 << 30, "cafe")

    def start(self) -> None:
        self.membership.start()
        self.membership.take_event(Connected(self.pnn))
        self.poll()

    def stop(self) -> None:
        """As kill -9, after which ctdbd sends the last words."""
        self.is_running = False
        words = self.membership.last_words(self.pnn)
        for pnn in range(3):
            self.network.deliver(pnn, words)

    def send(self, node: int, data: bytes) -> None:
        if self.is_running:
            self.network.deliver(node, data)

    def broadcast(self, data: bytes) -> None:
        for pnn in range(3):
            self.send(pnn, data)

    def poll(self) -> None:
        self.membership.take_event(Nodes(frozenset({0, 1, 2})))

    def claim(self) -> None:
        term = 1 if self.network.record is None else self.network.record.term + 1
        self.network.record = ballot = Ballot(term, self.pnn, self.nonce)
        self.membership.take_event(Claimed(ballot) if self.is_running else NotClaimed())

    def holder(self) -> Optional[Ballot]:
        if self.is_damaged:
            raise StoreError("the record is damaged")
        return self.network.record

    def lead(self, ballot: Ballot) -> None:
        self.state = "lead"
        self.membership.serves()

    def follow(self, ballot: Ballot, version: int) -> None:
        self.state = f"follow {ballot.node}, version {version}"

    def hold(self, why: str) -> None:
        self.state = "hold"

    def refuse(self, why: str) -> None:
        self.state = "refuse"

    def step_down(self, why: str) -> None:
        self.state = "end"

    def members_changed(self) -> None:
        self.members = [here.pnn for here in self.membership.peers()]

    def take_call(self, call: ForwardedCall) -> None:
        self.calls.append(call)

    def take_answer(self, answer: ForwardedAnswer) -> None:
        self.answers.append(answer)


@pytest.fixture
def network() -> Network:
    made = Network()
    for agent in made.agents:
        agent.start()
    made.time.run(2)
    return made


def states(network: Network) -> list[str]:
    return [agent.state for agent in network.agents]


def test_one_leads_and_the_others_follow(network: Network) -> None:
    follow = f"follow 0, version {wire.VERSION}"
    assert states(network) == ["lead", follow, follow]
    assert network.agents[2].membership.leader == Ballot(1, 0, "agent0")
    assert [agent.members for agent in network.agents] == [[1, 2], [0, 2], [0, 1]]
    network.time.run(600)
    assert states(network) == ["lead", follow, follow]


def test_the_names_of_all_are_the_names_of_each(network: Network) -> None:
    names = {"clus", "10.0.0.0", "10.0.0.1", "10.0.0.2"}
    assert all(agent.membership.own_names() == names for agent in network.agents)


def test_last_words_have_another_one_lead(network: Network) -> None:
    network.agents[0].stop()
    network.time.run(0.5)
    follow = f"follow 1, version {wire.VERSION}"
    assert states(network)[1:] == ["lead", follow]
    assert not network.agents[1].membership.is_there("agent0")
    assert network.agents[1].membership.is_there("agent2")


def test_a_leader_whose_ctdbd_ends_steps_down(network: Network) -> None:
    network.agents[0].membership.take_event(Disconnected())
    network.time.run(1)
    assert states(network)[0] == "end"


def test_a_door_whose_ctdbd_ends_comes_back(network: Network) -> None:
    door = network.agents[1].membership
    door.take_event(Disconnected())
    network.time.run(1)
    assert (states(network)[1], door.pnn) == ("refuse", -1)
    door.take_event(Connected(1))
    network.agents[1].poll()
    network.time.run(3)
    assert (states(network)[1], door.pnn) == (f"follow 0, version {wire.VERSION}", 1)


def test_a_record_that_cannot_be_read_changes_nothing(network: Network) -> None:
    network.agents[0].is_damaged = True
    network.time.run(60)
    assert states(network)[0] == "lead"


def test_calls_and_answers_are_passed_on_and_nonsense_is_dropped(network: Network) -> None:
    answer = ForwardedAnswer(RequestId("agent1", 1), b"stub")
    network.agents[0].send(1, wire.encode(answer))
    network.agents[0].send(1, b"nonsense")
    network.time.run(1)
    assert network.agents[1].answers == [answer]
