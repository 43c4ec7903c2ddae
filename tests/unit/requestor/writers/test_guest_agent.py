"""The writer of a guest."""

from __future__ import annotations

from typing import Any, Mapping

import pytest

from fsrvpd.requestor.writers import guest_agent
from fsrvpd.requestor.writers.agent import Agent, AgentFailure, GuestGone, NoAnswer
from fsrvpd.requestor.writers.agent_socket import AgentSocket
from fsrvpd.requestor.writers.guest_agent import (
    GuestAgentWriter,
    agent_of,
    thaw,
    thaw_late,
)
from fsrvpd.requestor.writers.ports import ThawRecipe, Writer, WriterFailed
from fsrvpd.requestor.writers.virsh import Virsh


class FakeAgent:
    """Thaws after so many attempts that fail."""

    guest = "vm"
    late = 0.0
    recipe: Mapping[str, Any] = {"domain": "vm"}

    def __init__(self, *failures: AgentFailure, number: int = 1) -> None:
        self.failures = list(failures)
        self.number = number
        self.done: list[str] = []
        self.was_frozen = True

    def prepare(self, timeout: float) -> None:
        self.done.append("prepare")

    def freeze(self, timeout: float) -> int:
        self.done.append(f"freeze {timeout:g}")
        return self.number

    def thaw(self, timeout: float) -> bool:
        self.done.append("thaw")
        if self.failures:
            raise self.failures.pop(0)
        return self.was_frozen

    def close(self) -> None:
        self.done.append("close")


HANGS = AgentFailure("vm", "it hangs")
LOST = NoAnswer("vm", "virsh timed out")


def writer(agent: Agent) -> GuestAgentWriter:
    made = GuestAgentWriter("guests", agent, priority=3, required=False, timeout=2.0)
    as_writer: Writer = made
    assert (as_writer.name, as_writer.kind, as_writer.priority) == ("guests", "guest-agent", 3)
    return made


def test_its_life() -> None:
    agent = FakeAgent()
    made = writer(agent)
    made.prepare()
    made.freeze()
    made.thaw()
    made.complete([])
    made.close()
    assert agent.done == ["prepare", "freeze 2", "thaw", "close"]
    assert made.thaw_recipe() == ThawRecipe("guest-agent", "guests", {"domain": "vm"})


def test_zero_is_not_frozen() -> None:
    with pytest.raises(AgentFailure, match="frozen 0 file systems"):
        writer(FakeAgent(number=0)).freeze()


def test_it_thaws_until_the_guest_says_so() -> None:
    agent = FakeAgent(HANGS, HANGS)
    writer(agent).thaw()
    assert agent.done == ["thaw"] * 3


def test_one_that_somebody_else_has_thawed_makes_no_backup() -> None:
    agent = FakeAgent()
    agent.was_frozen = False
    made = writer(agent)
    made.freeze()
    made.thaw()
    with pytest.raises(WriterFailed, match="vm was thawed before the copies were made"):
        made.complete([])


def test_one_that_an_attempt_that_failed_has_thawed_does() -> None:
    agent = FakeAgent(HANGS)
    agent.was_frozen = False
    made = writer(agent)
    made.freeze()
    made.thaw()
    made.complete([])


def test_one_that_is_off_is_thawed() -> None:
    agent = FakeAgent(GuestGone("vm", "it is off"), HANGS)
    writer(agent).thaw()
    assert agent.done == ["thaw"]


def test_one_that_went_off_while_it_was_frozen_makes_no_backup() -> None:
    """Or was migrated, and is frozen elsewhere now."""
    for failures in ([GuestGone("vm", "it is off")], [GuestGone("vm", "it is off"), HANGS]):
        made = writer(FakeAgent(*failures))
        made.freeze()
        made.thaw()
        with pytest.raises(WriterFailed, match=r"vm does not run here.*virsh domfsthaw"):
            made.complete([])


class LateAgent(FakeAgent):
    """A freeze that was given up comes when it has been asked so often."""

    late = 600.0

    def __init__(self, asked: int, error: AgentFailure = LOST) -> None:
        super().__init__()
        self.asked, self.error = asked, error

    def freeze(self, timeout: float) -> int:
        raise self.error

    def thaw(self, timeout: float) -> bool:
        self.done.append("thaw")
        return len(self.done) == self.asked


def test_a_freeze_that_comes_late_is_thawed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_agent, "_PAUSE", 0.0)
    agent = LateAgent(5)
    made = writer(agent)
    with pytest.raises(AgentFailure):
        made.freeze()
    made.thaw()
    assert agent.done == ["thaw"] * 5


def test_a_freeze_that_was_refused_comes_no_more() -> None:
    agent = LateAgent(5, HANGS)
    made = writer(agent)
    with pytest.raises(AgentFailure):
        made.freeze()
    made.thaw()
    assert agent.done == ["thaw"]


def test_a_freeze_that_never_comes_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guest_agent, "_PAUSE", 0.0)
    agent = LateAgent(0)
    agent.late = 0.05
    made = writer(agent)
    with pytest.raises(AgentFailure):
        made.freeze()
    made.thaw()
    assert set(agent.done) == {"thaw"}


def test_one_that_does_not_thaw_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_agent, "_GIVE_UP", 0.0)
    with pytest.raises(WriterFailed, match=r"vm may be frozen: it hangs.*clean") as raised:
        writer(FakeAgent(HANGS)).thaw()
    assert raised.value.exit_status == 5


def test_agents_of_recipes() -> None:
    assert agent_of({"socket": "/x", "connection": 7}).recipe == {"socket": "/x"}
    assert isinstance(agent_of({"socket": "/x"}), AgentSocket)
    assert isinstance(agent_of({"domain": "vm"}), Virsh)
    assert agent_of({"domain": "vm"}).recipe == {"domain": "vm", "uri": "qemu:///system"}
    assert agent_of({"domain": "vm", "uri": "test:///"}).recipe["uri"] == "test:///"


@pytest.mark.parametrize(("late", "attempts"), [(0.0, 1), (300.0, 4)])
def test_a_freeze_that_was_under_way_when_its_client_ended(
    monkeypatch: pytest.MonkeyPatch, late: float, attempts: int
) -> None:
    """libvirt may carry it out after it was asked whether the guest is frozen."""
    monkeypatch.setattr(guest_agent, "_PAUSE", 0.0)

    class Late(FakeAgent):
        def thaw(self, timeout: float) -> bool:
            self.was_frozen = len(self.done) == 3
            return super().thaw(timeout)

    agent = Late()
    agent.late = late
    monkeypatch.setattr(guest_agent, "agent_of", lambda values: agent)
    thaw_late(ThawRecipe("guest-agent", "guests", {"domain": "vm"}))
    assert agent.done == [*["thaw"] * attempts, "close"]


def test_by_a_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = ThawRecipe("guest-agent", "guests", {"domain": "vm"})
    for failure in (GuestGone("vm", "it is off"), HANGS):
        agent = FakeAgent(failure)
        monkeypatch.setattr(guest_agent, "agent_of", lambda values, made=agent: made)
        if failure is HANGS:
            with pytest.raises(AgentFailure):
                thaw(recipe)
        else:
            thaw(recipe)
        assert agent.done == ["thaw", "close"]
