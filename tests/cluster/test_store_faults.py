"""The cluster's store on real ctdbds: what an answer is worth when ctdbd is stopped, killed, cut
off, or recovers."""

from __future__ import annotations

import contextlib
import random
import time

import pytest

from fsrvpd.errors import StoreError, Superseded
from fsrvpd.store.ctdb.transactions import BELIEVED
from lab import Cluster
from tests.cluster.ctdbds import (
    ONE,
    TWO,
    Nodes,
    Start,
    kill_ctdbd,
    sequence,
    start_ctdbd,
    stopped,
    wait_for_copy,
    wait_for_health,
)
from tests.cluster.store_agent import StoreAgent

EITHER = ({ONE: "before"}, {ONE: "after"})


def test_recoveries_lose_nothing_and_fail_nothing(nodes: Nodes, start: Start) -> None:
    agent = start(nodes.first)
    agent.claim()
    written = 0
    for _ in range(2):
        recovering = nodes.third.popen(["ctdb", "recover"])
        while recovering.poll() is None:
            written += 1
            agent.submit([(ONE, f"{written}")])  # raises if it is refused
        assert dict(agent.load()) == {ONE: f"{written}"}


def test_no_acknowledged_number_is_lost_or_given_twice(nodes: Nodes, start: Start) -> None:
    """Agents take over from each other, who are still there and write, while CTDB recovers."""
    agents = [start(node) for node in nodes]
    chance = random.Random(18)
    acknowledged = submitted = 0
    for number in range(10):
        agent = chance.choice(agents)
        if number % 4 == 1:
            nodes.third.popen(["ctdb", "recover"])
        claim_until_won(agent)
        others = [each for each in agents if each is not agent]
        late = [each.begin_submit([(ONE, "late")]) for each in others]
        found = int(agent.load().get(ONE, "0"))
        assert acknowledged <= found <= submitted
        submitted = found + 1
        with contextlib.suppress(StoreError):
            agent.submit([(ONE, str(submitted))])
            acknowledged = submitted
        for other, told in zip(others, late):
            other.wait("it is told", lambda told=told: bool(told))  # type: ignore[misc]
            assert isinstance(told[0], Superseded)
    assert acknowledged > 5


def claim_until_won(agent: StoreAgent) -> None:
    """A recovery may end a claim that nobody else contests."""
    won: list[bool] = []
    while not won:
        with contextlib.suppress(StoreError):
            agent.claim()
            won.append(True)


def test_a_late_answer_is_believed_after_another_transaction(nodes: Nodes, start: Start) -> None:
    agent = start(nodes.first)
    agent.claim()
    before = sequence(agent)
    with stopped(nodes.third):
        told = agent.begin_submit([(ONE, "late")])
        wait_for_belief_to_end()
    agent.wait("it is done", lambda: bool(told))
    assert told == [None]
    assert sequence(agent) == before + 2
    assert dict(agent.load()) == {ONE: "late"}


def wait_for_belief_to_end() -> None:
    time.sleep(BELIEVED + 0.1)


def test_a_late_answer_is_not_believed_when_another_leads(nodes: Nodes, start: Start) -> None:
    """ctdbd is stopped when all nodes have written, and it has told nobody. When it goes on it
    says that the transaction is done, and it was; but another agent leads meanwhile."""
    first, second, third = start(nodes.first), start(nodes.leader), start(nodes.third)
    first.claim()
    first.submit([(ONE, "before")])
    with contextlib.ExitStack() as stop:
        with stopped(nodes.third):
            told = first.begin_submit([(ONE, "late")])
            wait_for_copy(second, ONE, "late")
            wait_for_copy(first, ONE, "late")
            stop.enter_context(stopped(nodes.first))
        wait_for_copy(third, ONE, "late")
        second.claim()
        second.submit([(TWO, "of the second")])
        wait_for_belief_to_end()
    first.wait("it is told", lambda: bool(told))
    assert isinstance(told[0], Superseded)
    assert first.store.ballot is None
    second.submit([(ONE, "of the second")])
    assert dict(second.load()) == {ONE: "of the second", TWO: "of the second"}


def test_an_agent_that_is_cut_off_is_told_when_its_node_is_back(
    ctdb: Cluster, nodes: Nodes, start: Start
) -> None:
    """Its transaction hangs as long as the cut lasts, and what it wrote to its own disk counts
    less than the claim of the other side."""
    first, second = start(nodes.first), start(nodes.leader)
    first.claim()
    first.submit([(ONE, "before")])
    port = f"private{nodes.first.number}"
    ctdb.lab.run(["ip", "link", "set", port, "down"])
    try:
        told = first.begin_submit([(ONE, "of the side that was cut off")])
        second.claim()
        second.submit([(TWO, "of the other side")])
        first.loop.run_once(0)
        assert told == []
    finally:
        ctdb.lab.run(["ip", "link", "set", port, "up"])
    first.wait("it is told", lambda: bool(told))
    assert isinstance(told[0], Superseded)
    wait_for_health(ctdb)
    found = {ONE: second.load()[ONE], TWO: "of the other side"}
    for agent in (first, second, start(nodes.third)):
        assert dict(agent.load()) == found
    second.submit([(ONE, "of the other side")])


def test_an_agent_whose_node_was_stopped(nodes: Nodes, start: Start) -> None:
    """As by `ctdb stop`: the node answers, and takes no part."""
    first, second = start(nodes.first), start(nodes.leader)
    first.claim()
    first.submit([(ONE, "before")])
    nodes.first.ctdb("stop")
    try:
        told = first.begin_submit([(ONE, "of the node that was stopped")])
        second.claim()
        second.submit([(TWO, "of the other")])
        first.loop.run_once(0)
        assert told == []
    finally:
        nodes.first.ctdb("continue")
    first.wait("it is told", lambda: bool(told))
    assert isinstance(told[0], Superseded)
    first.wait("it has what the other wrote", lambda: TWO in first.load())
    assert dict(first.load()) == {ONE: "before", TWO: "of the other"}


def test_a_ctdbd_that_is_killed_in_a_transaction(ctdb: Cluster, nodes: Nodes, start: Start) -> None:
    """What the agent hears says nothing; the cluster has the transaction on all nodes, or on
    none."""
    first, second, third = start(nodes.first), start(nodes.leader), start(nodes.third)
    first.claim()
    first.submit([(ONE, "before")])
    with stopped(nodes.third):
        told = first.begin_submit([(ONE, "after")])
        kill_ctdbd(nodes.first)
    first.wait("it is told", lambda: bool(told))
    assert isinstance(told[0], StoreError)
    assert first.store.ballot is None
    with pytest.raises(StoreError):
        first.claim()
    second.claim()
    found = dict(second.load())
    assert found in EITHER
    second.submit([(TWO, "of the second")])
    assert dict(third.load()) == {**found, TWO: "of the second"}
    first.close()
    start_ctdbd(nodes.first)
    wait_for_health(ctdb)
    assert dict(start(nodes.first).load()) == {**found, TWO: "of the second"}


def test_another_ctdbd_that_is_killed_in_a_transaction(
    ctdb: Cluster, nodes: Nodes, start: Start
) -> None:
    """A recovery completes it, so nobody says that it is done: the nonce is found."""
    agent, other = start(nodes.first), start(nodes.third)
    agent.claim()
    with stopped(nodes.third):
        told = agent.begin_submit([(ONE, "in the end")])
        wait_for_copy(agent, ONE, "in the end")
        claim = other.begin(other.store.claim)
        kill_ctdbd(nodes.third)
    agent.wait("it is done", lambda: bool(told))
    assert told == [None]
    assert dict(agent.load()) == {ONE: "in the end"}
    other.wait("its claim is told", lambda: bool(claim))
    assert isinstance(claim[0], StoreError)
    other.close()
    start_ctdbd(nodes.third)
    wait_for_health(ctdb)
    assert dict(start(nodes.third).load()) == {ONE: "in the end"}


def test_a_life_ends_when_all_nodes_were_down(ctdb: Cluster, nodes: Nodes, start: Start) -> None:
    agent, other = start(nodes.first), start(nodes.third)
    agent.claim()
    ballot = agent.store.ballot
    assert ballot is not None
    assert agent.read(agent.life.name) == ""
    agent.ask(lambda done: agent.life.begin(ballot, done))
    life = agent.read(agent.life.name)
    assert len(life) == 36
    agent.ask(lambda done: agent.life.begin(ballot, done))
    other.wait("it has not changed", lambda: other.life.name() == life)
    agent.submit([(ONE, "kept")])
    for each in (agent, other):
        each.close()
    for node in nodes:
        kill_ctdbd(node)
    for node in nodes:
        start_ctdbd(node)
    wait_for_health(ctdb)
    again = start(nodes.third)
    assert dict(again.load()) == {ONE: "kept"}
    again.claim()
    assert again.store.ballot is not None
    assert again.store.ballot.term == ballot.term + 1
    assert again.read(again.life.name) == ""
