"""The cluster's store on real ctdbds: who may write, and how much at a time."""

from __future__ import annotations

from typing import Optional

import pytest

from fsrvpd.core.messages import Guid
from fsrvpd.errors import StoreBusy, StoreError, Superseded
from fsrvpd.protocol.cluster import LEADER, Ballot, read_leader
from fsrvpd.store.ctdb.store import NO_LOCK
from fsrvpd.store.ctdb.transactions import CLAIM_STEP, LARGEST
from tests.cluster.ctdbds import (
    ONE,
    TWO,
    Nodes,
    Start,
    sequence,
    wait_for_holder,
)
from tests.cluster.store_agent import StoreAgent

# Who may write.


def test_a_claim_is_seen_by_all_nodes(nodes: Nodes, start: Start) -> None:
    first, second = start(nodes.first), start(nodes.third)
    assert first.store.holder() is None
    first.claim()
    assert first.store.ballot == Ballot(1, nodes.first.number, first.store.nonce)
    wait_for_holder(second, first.store.ballot)
    before = sequence(first)
    second.claim()
    assert second.store.ballot == Ballot(2, nodes.third.number, second.store.nonce)
    wait_for_holder(first, second.store.ballot)
    assert sequence(first) == before + CLAIM_STEP
    assert first.store.id == second.store.id


def test_an_agent_that_was_superseded_writes_nothing(nodes: Nodes, start: Start) -> None:
    first, second = start(nodes.first), start(nodes.third)
    first.claim()
    first.submit([(ONE, "of the first")])
    second.claim()
    assert dict(second.store.load()) == {ONE: "of the first"}
    waiting = submit_unaware(first)
    first.wait("both are refused", lambda: all(waiting))
    assert {type(failure) for (failure,) in waiting} == {Superseded}
    assert first.store.ballot is None
    second.submit([(TWO, "of the second")])
    for agent in (first, second):
        assert dict(agent.load()) == {ONE: "of the first", TWO: "of the second"}
    with pytest.raises(Superseded):
        first.submit([(ONE, "later")])
    with pytest.raises(Superseded):
        first.ask(first.store.barrier)
    first.claim()
    first.submit([(ONE, "after another claim")])


def submit_unaware(agent: StoreAgent) -> list[list[Optional[StoreError]]]:
    """As when ctdbd has the node's copy locked, so that it cannot say that another has claimed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agent.database, "read", busy)
        return [agent.begin_submit([(ONE, "late")]), agent.begin_submit([(TWO, "late, too")])]


def busy(key: bytes) -> None:
    raise StoreBusy("locked")


def test_who_knows_that_another_has_claimed_does_not_ask(nodes: Nodes, start: Start) -> None:
    first, second = start(nodes.first), start(nodes.third)
    first.claim()
    second.claim()
    asked: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first.database, "commit", lambda *arguments: asked.append(arguments))
        with pytest.raises(Superseded, match=f"the agent of node {nodes.third.number} may write"):
            first.submit([(ONE, "late")])
    assert asked == []


def test_nobody_writes_without_a_claim(nodes: Nodes, start: Start) -> None:
    with pytest.raises(Superseded, match="not claimed"):
        start(nodes.first).submit([(ONE, "x")])


def test_of_two_claims_at_a_time_one_is_won(nodes: Nodes, start: Start) -> None:
    agents = first, second = start(nodes.first), start(nodes.third)
    told = [each.begin(each.store.claim) for each in agents]
    assert first.store.ballot is second.store.ballot is None
    for agent, result in zip(agents, told):
        agent.wait("it is told", lambda result=result: bool(result))  # type: ignore[misc]
    if first.store.ballot is second.store.ballot is None:  # each has refused the other's
        first.claim()
    holders = [each.store.holder() for each in agents]
    assert holders[0] == holders[1]
    [winner] = [each for each in agents if each.store.nonce == holders[0].nonce]
    [loser] = [each for each in agents if each is not winner]
    winner.submit([(ONE, "of the winner")])
    with pytest.raises(Superseded):
        loser.submit([(ONE, "of the loser")])
    assert dict(winner.load()) == {ONE: "of the winner"}


def test_without_a_cluster_lock_nobody_claims(nodes: Nodes, start: Start) -> None:
    agent = start(nodes.first)
    assert agent.database.cluster_lock.endswith("/cluster.lock")
    agent.database.cluster_lock = ""
    with pytest.raises(StoreError) as refused:
        agent.claim()
    assert str(refused.value) == NO_LOCK
    assert agent.store.holder() is None


# How much is in a transaction.


def test_what_comes_meanwhile_shares_the_next_transaction(nodes: Nodes, start: Start) -> None:
    agent = start(nodes.first)
    agent.claim()
    before = sequence(agent)
    told = [
        agent.begin_submit([(Guid(number.to_bytes(16, "big")), str(number))])
        for number in range(100)
    ]
    agent.wait("all are done", lambda: all(told))
    assert told == [[None]] * 100
    assert sequence(agent) == before + 2
    assert len(agent.load()) == 100


def test_a_transaction_has_a_limit(nodes: Nodes, start: Start) -> None:
    agent = start(nodes.first)
    agent.claim()
    before = sequence(agent)
    third = "x" * (LARGEST // 3)
    keys = [Guid(number.to_bytes(16, "big")) for number in range(5)]
    told = [agent.begin_submit([(key, third)]) for key in keys]
    agent.wait("all are done", lambda: all(told))
    assert told == [[None]] * len(keys)
    assert sequence(agent) == before + 3  # one, three, and the last one
    assert dict(agent.load()) == dict.fromkeys(keys, third)
    with pytest.raises(StoreError, match="more than"):
        agent.submit([(ONE, 4 * third)])
    agent.submit([(key, None) for key in keys])
    assert dict(agent.load()) == {}


def test_a_transaction_has_its_own_nonce(nodes: Nodes, start: Start) -> None:
    agent = start(nodes.first)
    agent.claim()
    seen = set()
    for number in range(3):
        agent.submit([(ONE, str(number))])
        leader = read_leader(agent.read(agent.database.read_all)[LEADER])
        assert leader is not None
        assert leader.ballot == agent.store.ballot
        seen.add(leader.transaction)
    assert len(seen) == 3
