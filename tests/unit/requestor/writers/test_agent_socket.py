"""The agent's socket: what others have left in it, what hangs, and what a hostile guest says."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.requestor.writers.agent import AgentFailure, GuestGone
from fsrvpd.requestor.writers.agent_socket import FREEZE, STATUS, THAW, AgentSocket
from tests.unit.requestor.writers.fake_agent import FakeAgent

SYNC = "guest-sync-delimited"


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeAgent]:
    with closing(FakeAgent(tmp_path / "agent")) as agent:
        yield agent


@pytest.fixture
def agent(fake: FakeAgent) -> Iterator[AgentSocket]:
    with closing(AgentSocket(fake.path)) as made:
        yield made


def test_frozen_and_thawed(fake: FakeAgent, agent: AgentSocket) -> None:
    agent.prepare(5)
    assert agent.freeze(5) == 1
    assert fake.is_frozen
    agent.thaw(5)
    assert not fake.is_frozen
    assert fake.asked == [SYNC, STATUS, FREEZE, SYNC, STATUS, THAW, STATUS]


def test_what_is_thawed_is_not_thawed_again(fake: FakeAgent, agent: AgentSocket) -> None:
    """The guest's own hooks would run once more."""
    agent.thaw(5)
    assert fake.asked == [SYNC, STATUS]


@pytest.mark.parametrize("before", [b"half an answ", b'{"return": 3}\n', b'\xff{"return": 5}\n\n'])
def test_what_is_left_of_an_earlier_client_is_skipped(
    fake: FakeAgent, agent: AgentSocket, before: bytes
) -> None:
    fake.before = before
    agent.prepare(5)
    assert agent.freeze(5) == 1


def test_the_keeper_gets_the_connection(fake: FakeAgent, agent: AgentSocket) -> None:
    assert agent.recipe == {"socket": fake.path}
    agent.prepare(5)
    assert agent.recipe["connection"] > 2
    json.dumps(agent.recipe)


def test_a_guest_that_is_frozen_already(fake: FakeAgent, agent: AgentSocket) -> None:
    fake.is_frozen = True
    with pytest.raises(AgentFailure, match=r"frozen already.*fsrvpshadow clean"):
        agent.prepare(5)


def test_only_what_was_prepared_is_frozen(fake: FakeAgent, agent: AgentSocket) -> None:
    with pytest.raises(AgentFailure, match="nobody has prepared"):
        agent.freeze(5)
    assert fake.asked == []


def test_an_agent_that_hangs(fake: FakeAgent, agent: AgentSocket) -> None:
    agent.prepare(5)
    fake.answers[FREEZE] = None
    with pytest.raises(AgentFailure, match="does not answer in time"):
        agent.freeze(0.1)
    fake.answers[SYNC] = None
    with pytest.raises(AgentFailure, match="does not answer in time"):
        agent.thaw(0.1)


def test_a_second_client_hears_nothing(fake: FakeAgent, agent: AgentSocket) -> None:
    agent.prepare(5)
    with closing(AgentSocket(fake.path)) as second, pytest.raises(AgentFailure, match="in time"):
        second.prepare(0.1)
    agent.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'{"error": {"class": "GenericError", "desc": "hook failed"}}\n', "hook failed"),
        (b'{"error": "x"}\n', "refused"),
        (b'{"return": "many"}\n', "answered many"),
        (b'{"return": true}\n', "answered True"),
        (b"no JSON\x1b[2J\n", "answered no JSON"),
        (b"[1]\n", "answered"),
        (b"[" * 60_000 + b"\n", "answered"),
        (b"x" * 70_000, "more than 65536 bytes"),
    ],
)
def test_what_a_guest_may_say(
    fake: FakeAgent, agent: AgentSocket, answer: bytes, said: str
) -> None:
    agent.prepare(5)
    fake.answers[FREEZE] = answer
    with pytest.raises(AgentFailure, match=said) as raised:
        agent.freeze(5)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500


def test_a_guest_that_stays_frozen(fake: FakeAgent, agent: AgentSocket) -> None:
    fake.answers[STATUS] = b'{"return": "frozen"}\n'
    with pytest.raises(AgentFailure, match="says frozen after guest-fsfreeze-thaw"):
        agent.thaw(5)


def test_a_guest_that_is_off(tmp_path: Path) -> None:
    with closing(AgentSocket(str(tmp_path / "missing"))) as agent, pytest.raises(GuestGone):
        agent.prepare(5)
    with closing(AgentSocket("x" * 200)) as agent, pytest.raises(AgentFailure, match="too long"):
        agent.thaw(5)
