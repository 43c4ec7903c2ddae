"""Who leads, step by step. Any order of such steps: `test_elections.py`."""

from __future__ import annotations

from typing import Optional, Sequence

import pytest

from fsrvpd.cluster.election import (
    ABSENCE,
    CLAIM_AGAIN,
    HERE_INTERVAL,
    HESITATION,
    LONGEST_SILENCE,
    SETTLED,
    Election,
    Role,
)
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

ALL = frozenset({0, 1, 2})
OF_0 = Ballot(7, 0, "zero")
STEP = 0.5  # s


class Agent:
    """An election at node 1, whose time the test moves."""

    def __init__(self) -> None:
        self.election = Election("one")
        self.now = 100.0
        self.actions: list[Action] = []

    def turn(self, *events: Event) -> list[Action]:
        actions = self.election.turn(self.now, events)
        self.actions += actions
        return actions

    def wait(self, seconds: float, *each_time: Event) -> list[Action]:
        """Let time pass, while the same things happen again and again."""
        found: list[Action] = []
        end = self.now + seconds
        while self.now < end:
            self.now += STEP
            found += self.turn(*each_time)
        return found

    def join(self, ballot: Optional[Ballot] = None, *peers: Here) -> list[Action]:
        return self.turn(Connected(1), Nodes(ALL), Recorded(ballot), *map(Heard, peers))

    def lead(self) -> Ballot:
        """Become the leader of a cluster without another agent."""
        self.join()
        assert Claim() in self.wait(SETTLED)
        ballot = Ballot(1, 1, "one")
        assert self.turn(Claimed(ballot), Recorded(ballot)) == [Lead(ballot)]
        assert Tell() in self.turn(Serving())
        return ballot


def zero(term: int = 7, *, nonce: str = "zero", wire: int = 1) -> Here:
    return Here(0, nonce, wire, term)


@pytest.fixture
def agent() -> Agent:
    return Agent()


def without_words(actions: Sequence[Action]) -> list[Action]:
    return [each for each in actions if not isinstance(each, Tell)]


def test_it_says_that_it_is_there_again_and_again(agent: Agent) -> None:
    assert Tell() in agent.join()
    said = agent.wait(10 * HERE_INTERVAL, Heard(zero()), Recorded(OF_0))
    assert said.count(Tell()) == 10


def test_a_new_agent_is_told_at_once(agent: Agent) -> None:
    assert Tell(0) in agent.join(OF_0, zero())
    assert Tell(0) not in agent.turn(Heard(zero()))
    assert agent.turn(Heard(zero(0, nonce="another")))[:3] == [
        Gone(0, "zero"),
        Joined(zero(0, nonce="another")),
        Tell(0),
    ]


def test_its_own_words_are_not_a_peer(agent: Agent) -> None:
    agent.join(None, Here(1, "one", 1))
    assert agent.election.peers == {}


def test_the_first_agent_claims_after_a_second(agent: Agent) -> None:
    agent.join()
    assert Claim() not in agent.wait(SETTLED - STEP)
    assert agent.wait(STEP) == [Claim()]
    assert Claim() not in agent.wait(60)  # as long as that one is not decided
    ballot = Ballot(1, 1, "one")
    assert without_words(agent.turn(Claimed(ballot))) == [Lead(ballot)]
    assert agent.election.role is Role.LEADER
    assert agent.election.term == 0  # until it serves
    agent.turn(Serving())
    assert agent.election.term == 1


def test_nobody_claims_before_the_record_was_read(agent: Agent) -> None:
    agent.turn(Connected(1), Nodes(ALL))
    assert Claim() not in agent.wait(60)


def test_nobody_claims_in_a_recovery(agent: Agent) -> None:
    agent.turn(Connected(1), Nodes(ALL, recovering=True), Recorded(None))
    assert Claim() not in agent.wait(60)
    assert Claim() in agent.turn(Nodes(ALL))


def test_the_agent_of_a_lower_node_goes_first(agent: Agent) -> None:
    agent.join(None, zero(0))
    assert Claim() not in agent.wait(HESITATION - STEP, Heard(zero(0)))
    assert Claim() in agent.wait(STEP, Heard(zero(0)))  # that one cannot


def test_the_agent_of_an_inactive_node_is_not_waited_for(agent: Agent) -> None:
    agent.turn(Connected(1), Nodes(frozenset({1, 2})), Recorded(None), Heard(zero(0)))
    assert Claim() in agent.wait(SETTLED, Heard(zero(0)))


def test_a_refused_claim_is_made_again(agent: Agent) -> None:
    agent.join()
    agent.wait(SETTLED)
    assert Claim() not in agent.turn(NotClaimed())
    assert Claim() in agent.wait(CLAIM_AGAIN)


def test_a_leader_is_followed_once_it_serves(agent: Agent) -> None:
    agent.join(OF_0, zero(0))
    assert agent.election.leader is None
    assert agent.wait(10 * LONGEST_SILENCE, Heard(zero(0))).count(Claim()) == 0
    assert Follow(OF_0, 4) in agent.turn(Heard(zero(wire=4)))
    assert without_words(agent.wait(60, Heard(zero()))) == []  # and said once
    assert agent.election.leader == OF_0


def test_a_leader_is_followed_before_its_record_is_here(agent: Agent) -> None:
    agent.join(Ballot(6, 2, "two"), zero())
    assert Follow(OF_0, 1) in agent.actions


@pytest.mark.parametrize(
    "end", [LastWords(0, "zero"), Nodes(frozenset({1, 2})), Heard(zero(0, nonce="another"))]
)
def test_a_dead_leader_is_replaced(agent: Agent, end: Event) -> None:
    agent.join(OF_0, zero())
    agent.wait(10, Heard(zero()))
    actions = agent.turn(end)
    assert Hold("nobody leads") in actions
    if not isinstance(end, Heard):
        assert Claim() in actions  # else the new agent of node 0 goes first
    assert Claim() in agent.actions + agent.wait(HESITATION)


def test_another_agent_of_its_node_is_the_end_of_a_leader_that_was_never_heard(
    agent: Agent,
) -> None:
    agent.join(OF_0)
    agent.now += STEP
    agent.turn(Heard(zero(0, nonce="another")))
    assert Claim() in agent.wait(HESITATION, Heard(zero(0, nonce="another")))


def test_an_earlier_process_of_the_own_node_does_not_lead(agent: Agent) -> None:
    agent.join(Ballot(7, 1, "earlier"))
    assert Claim() in agent.wait(SETTLED)


def test_a_silent_leader_is_replaced_after_15_s(agent: Agent) -> None:
    agent.join(OF_0, zero())
    assert Claim() not in agent.wait(LONGEST_SILENCE - STEP)
    assert without_words(agent.wait(STEP)) == [Gone(0, "zero"), Hold("nobody leads"), Claim()]


def test_a_leader_that_was_never_heard_has_15_s(agent: Agent) -> None:
    agent.join(OF_0)
    assert Claim() not in agent.wait(LONGEST_SILENCE - STEP)
    assert Claim() in agent.wait(STEP)


def test_who_was_stopped_itself_blames_nobody(agent: Agent) -> None:
    agent.join(OF_0, zero())
    agent.now += 3600
    assert without_words(agent.turn()) == []
    assert Claim() not in agent.wait(ABSENCE, Heard(zero()))
    assert agent.election.leader == OF_0


def test_the_silence_of_a_node_that_was_away_begins_with_its_return(agent: Agent) -> None:
    agent.join(Ballot(6, 2, "two"), Here(2, "two", 1, 6))
    agent.turn(Nodes(frozenset({1}), recovering=True))
    agent.wait(60)
    assert Claim() not in agent.turn(Nodes(ALL), Recorded(OF_0))
    assert Claim() not in agent.wait(LONGEST_SILENCE - STEP)


def test_a_leader_of_which_last_words_were_heard_stays_dead(agent: Agent) -> None:
    agent.join(OF_0, zero())
    agent.turn(LastWords(0, "zero"))
    assert agent.turn(Heard(zero())) == []
    assert agent.election.leader is None


def test_it_does_not_give_its_place_back(agent: Agent) -> None:
    ballot = agent.lead()
    agent.wait(60, Heard(zero(0)), Recorded(ballot))
    assert agent.election.role is Role.LEADER


def test_a_recovery_does_not_end_a_leader(agent: Agent) -> None:
    agent.lead()
    agent.turn(Nodes(frozenset({1}), recovering=True))
    assert agent.election.role is Role.LEADER


@pytest.mark.parametrize(
    "end",
    [
        Disconnected(),
        Nodes(frozenset({0, 2})),
        Nodes(ALL, has_lock=False),
        Superseded(),
        Recorded(Ballot(2, 0, "zero")),
        Recorded(Ballot(1, 0, "zero")),
        Heard(zero(2)),
    ],
)
def test_a_leader_that_may_have_lost_its_place_ends(agent: Agent, end: Event) -> None:
    agent.lead()
    assert isinstance(without_words(agent.turn(end))[-1], StepDown)
    assert agent.election.role is Role.ENDED
    assert agent.wait(60, Heard(zero()), Nodes(ALL), Recorded(None)) == []


@pytest.mark.parametrize(
    "before", [Disconnected(), Nodes(frozenset({0})), Nodes(ALL, has_lock=False)]
)
def test_a_claim_that_succeeds_too_late_ends_the_process(agent: Agent, before: Event) -> None:
    agent.join()
    agent.wait(SETTLED)
    actions = agent.turn(before) + agent.turn(Claimed(Ballot(1, 1, "one")))
    assert isinstance(without_words(actions)[-1], StepDown)
    assert not [each for each in actions if isinstance(each, Lead)]


def test_a_claim_that_was_given_up_and_is_there_ends_the_process(agent: Agent) -> None:
    agent.join()
    agent.wait(SETTLED)
    agent.turn(NotClaimed())
    agent.turn(Recorded(Ballot(1, 1, "one")))
    assert agent.election.role is Role.ENDED


def test_a_claim_that_is_seen_before_it_is_answered_is_no_reason(agent: Agent) -> None:
    agent.join()
    agent.wait(SETTLED)
    ballot = Ballot(1, 1, "one")
    assert without_words(agent.turn(Recorded(ballot))) == []
    assert without_words(agent.turn(Claimed(ballot))) == [Lead(ballot)]


def test_an_inactive_node_refuses_until_it_is_active(agent: Agent) -> None:
    agent.join(OF_0, zero())
    assert Refuse("this node is not active in CTDB") in agent.turn(Nodes(frozenset({0})))
    assert agent.election.role is Role.ALONE
    assert without_words(agent.wait(10, Heard(zero()))) == []
    assert isinstance(agent.turn(Nodes(ALL))[0], Hold)
    assert agent.election.leader == OF_0


def test_an_end_of_ctdbd_is_no_end_of_a_door(agent: Agent) -> None:
    agent.join(OF_0, zero())
    assert Refuse("ctdbd has ended") in agent.turn(Disconnected())
    assert agent.wait(10) == []
    agent.turn(Connected(1), Nodes(ALL), Heard(zero()))
    assert agent.election.leader == OF_0


def test_without_a_cluster_lock_nobody_leads(agent: Agent) -> None:
    agent.turn(Connected(1), Nodes(ALL, has_lock=False), Recorded(None))
    assert Refuse("CTDB has no cluster lock") in agent.actions
    assert Claim() not in agent.wait(60)


def test_turns_are_close_while_nobody_leads(agent: Agent) -> None:
    agent.join()
    assert agent.election.next_turn() - agent.now < SETTLED
    agent.join(OF_0, zero())
    assert agent.election.next_turn() - agent.now == HERE_INTERVAL
