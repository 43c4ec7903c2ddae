"""A change is durable before its call is answered; otherwise the call fails."""

from __future__ import annotations

import logging
import uuid
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Guid, Opnum
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.agent.share_lookups import Location
from fsrvpd.errors import StoreError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Call, Commit, Failed, Job, Outcome, Succeeded
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Caller, Share, ShareLocation, Snapshot
from fsrvpd.protocol.server import document
from fsrvpd.protocol.server.agent import Agent
from fsrvpd.protocol.settings import WS2012, AgentSettings
from tests.unit.daemon.fake_loop import FakeLoop

CALLER = Caller("192.0.2.7", "NAS\\backup", "S-1-5-21-1-2-3-1000", frozenset(), 0, 0, False)
SHARE = Share("data", "/vol/data", False)
PLACE = ShareLocation(SHARE, "btrfs:1", "/vol", "btrfs", "/vol/data")
DISK_FULL = StoreError("state.sqlite3 cannot be written: disk full")
Done = Callable[[Optional[StoreError]], None]
SNAPSHOT = Snapshot("btrfs", "btrfs:1", "/vol/.s/1", "/vol/.s/1", 1.8e9)


class Store:
    """`done` is called at once, or when the test says so."""

    def __init__(self, history: list[str]) -> None:
        self.confirms_answers = False
        self.is_late = False
        self.failure: Optional[Exception] = None
        self.in_flight: list[Done] = []
        self.history = history

    def submit(
        self, changes: Sequence[tuple[Guid, Optional[str]]], *, durable: bool, done: Done
    ) -> None:
        assert not self.in_flight, "two at once"
        if isinstance(self.failure, StoreError):
            done(self.failure)
            return
        if self.failure is not None:
            raise self.failure
        self.history.append(f"{'write' if durable else 'note'} {len(changes)}")
        if self.is_late:
            self.in_flight.append(done)
        else:
            done(None)

    def finish(self, failure: Optional[StoreError] = None) -> None:
        """End the transaction that is in flight."""
        self.in_flight.pop()(failure)

    def load(self) -> Mapping[Guid, str]:
        return {}

    def close(self) -> None:
        return None


class World:
    """Runner and client at once; `history` is the order in which they and the store were
    reached."""

    def __init__(self) -> None:
        self.history: list[str] = []
        self.store = Store(self.history)
        self.answers: list[Any] = []
        self.jobs: list[Job] = []
        self.done: list[Callable[[Outcome], None]] = []  # callbacks of the jobs
        self.loop = FakeLoop()
        self.agent = agent = Agent(
            AgentSettings("NAS"), lambda: uuid.uuid4().bytes_le, lambda: 1.8e9, {"nas"}
        )
        lookups: Any = self
        self.driver = AgentDriver(self.loop, agent, self.store, self, lookups)

    def find(self, unc: str, caller: str, done: Callable[[Location], None]) -> None:
        done(PLACE)

    def submit(self, job: Job, done: Callable[[Outcome], None]) -> None:
        self.history.append(f"run {type(job).__name__}")
        self.jobs.append(job)
        self.done.append(done)

    def finish(self, outcome: Outcome) -> None:
        """End the job that started last."""
        self.done[-1](outcome)
        self.loop.run_once(0)
        self.loop.run_once(0)

    def reply(self, call: Call, response: m.Response) -> None:
        self.history.append(f"answer {call.opnum.name}")
        self.answers.append(response)

    def call(self, request: m.Request, *, flush: bool = True) -> Any:
        opnum = Opnum[type(request).__name__]
        self.driver.call(Call(CALLER, opnum, request, self, self.loop.time()))
        if flush:
            self.loop.run_once(0)
        return self.answers[-1] if self.answers else None

    def committing(self, value: int = context.CTX_NAS_ROLLBACK) -> Guid:
        """A set, of a persistent context, whose commit was just requested."""
        self.call(m.SetContext(value))
        key: Guid = self.call(m.StartShadowCopySet(b"c" * 16)).guid
        self.call(m.AddToShadowCopySet(b"c" * 16, key, r"\\nas\data"))
        self.history.clear()
        self.call(m.CommitShadowCopySet(key, 60_000))
        return key


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.loop.close()


def test_the_intent_is_written_before_the_job_runs(world: World) -> None:
    world.committing()
    assert world.history == ["write 1", "run Commit"]


def test_the_outcome_is_written_before_the_answer(world: World) -> None:
    world.committing()
    world.history.clear()
    [job] = world.jobs
    assert isinstance(job, Commit)
    world.finish(Succeeded())
    assert world.history == ["write 1", "answer CommitShadowCopySet"]


FOUND = Succeeded((SNAPSHOT,), is_found=True)


def test_what_a_restart_finds_is_written_after_the_answer(world: World) -> None:
    """Applications wait for the answer to a commit."""
    key = world.committing()
    world.history.clear()
    world.finish(FOUND)
    assert world.history == ["answer CommitShadowCopySet", "note 1"]
    world.history.clear()
    world.call(m.ExposeShadowCopySet(key, 60_000))
    assert world.history == ["run Expose"]
    world.finish(Succeeded())
    assert world.history[1:] == ["answer ExposeShadowCopySet", "note 1"]


def test_its_document_is_made_after_the_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes 50 us, in which applications would wait."""
    world.committing()
    world.history.clear()
    monkeypatch.setattr(document.json, "dumps", lambda *_, **__: world.history.append("made"))
    world.finish(FOUND)
    assert world.history == ["answer CommitShadowCopySet", "made", "note 1"]


def test_it_is_written_before_where_the_store_confirms_answers(world: World) -> None:
    """On a cluster the transaction shows that no other agent has taken over."""
    world.store.confirms_answers = True
    key = world.committing()
    world.history.clear()
    world.finish(FOUND)
    assert world.history == ["write 1", "answer CommitShadowCopySet"]
    world.history.clear()
    world.call(m.ExposeShadowCopySet(key, 60_000))
    world.finish(Succeeded())
    assert world.history == ["run Expose", "write 1", "answer ExposeShadowCopySet"]


def test_no_power_cut_is_guarded_against_that_ends_the_set_itself(world: World) -> None:
    key = world.committing(context.CTX_BACKUP)
    world.finish(FOUND)
    world.call(m.ExposeShadowCopySet(key, 60_000))
    world.finish(Succeeded())
    world.history.clear()
    world.call(m.RecoveryCompleteShadowCopySet(key))
    assert world.history == ["note 1", "answer RecoveryCompleteShadowCopySet"]


def test_a_refusal_is_recorded_before_it_is_sent(world: World) -> None:
    """A power cut may bring back what the failed commit has made and removed."""
    world.committing()
    world.history.clear()
    world.finish(Failed(HResult.VSS_E_PROVIDER_VETO, "no"))
    assert world.history == ["write 1", "answer CommitShadowCopySet", "run Remove"]


def test_what_touches_nothing_yet_is_not_written(world: World) -> None:
    world.call(m.SetContext(0))
    key = world.call(m.StartShadowCopySet(b"c" * 16)).guid
    world.call(m.AddToShadowCopySet(b"c" * 16, key, r"\\nas\data"))
    answers = ("SetContext", "StartShadowCopySet", "AddToShadowCopySet")
    assert world.history == [f"answer {method}" for method in answers]


def test_the_changes_of_one_turn_share_one_transaction(world: World) -> None:
    key = world.committing()
    world.finish(Succeeded((SNAPSHOT,)))
    world.history.clear()
    world.call(m.ExposeShadowCopySet(key, 0), flush=False)
    world.driver._on_timer()  # the exposure is refused
    world.call(m.AbortShadowCopySet(key))
    assert world.history[0] == "write 2"


def test_a_removal_waits_for_its_intent_and_not_for_its_end(world: World) -> None:
    """If a power cut undoes the write, the intent leads to the same result again."""
    key = world.committing()
    world.finish(Succeeded((SNAPSHOT,)))
    world.history.clear()
    world.call(m.AbortShadowCopySet(key))
    assert world.history == ["write 1", "run Remove"]
    world.finish(Succeeded())
    assert world.history[2:] == ["note 1", "answer AbortShadowCopySet"]


def test_what_cannot_be_written_is_refused(world: World) -> None:
    key = world.committing()
    world.store.failure = DISK_FULL
    world.finish(Succeeded((SNAPSHOT,)))
    assert world.answers[-1] == m.StatusResponse(HResult.E_UNEXPECTED)
    assert world.call(m.AbortShadowCopySet(key)) == m.StatusResponse(HResult.E_UNEXPECTED)


def test_no_job_runs_without_a_durable_intent(world: World) -> None:
    world.call(m.SetContext(0))
    key = world.call(m.StartShadowCopySet(b"c" * 16)).guid
    world.call(m.AddToShadowCopySet(b"c" * 16, key, r"\\nas\data"))
    world.store.failure = DISK_FULL
    response = world.call(m.CommitShadowCopySet(key, 60_000))
    assert response.result == HResult.E_UNEXPECTED
    assert not [job for job in world.jobs if isinstance(job, Commit)]


def test_calls_are_counted_by_method_and_failures_by_name(world: World) -> None:
    world.call(m.GetSupportedVersion())
    world.call(m.StartShadowCopySet(b"c" * 16))
    assert world.driver.calls == {"GetSupportedVersion": 1, "StartShadowCopySet": 1}
    assert world.driver.failures == {"FSRVP_E_BAD_STATE (0x80042301)": 1}


class Deaf:
    """A client whose response cannot be sent because of a bug in fsrvpd."""

    def reply(self, call: Call, response: m.Response) -> None:
        raise ZeroDivisionError


def test_an_answer_that_cannot_be_sent_holds_up_no_other(world: World, caplog: Any) -> None:
    world.driver.call(Call(CALLER, Opnum.GetSupportedVersion, m.GetSupportedVersion(), Deaf(), 0.0))
    assert world.call(m.GetSupportedVersion()).result == HResult.ZERO
    assert "please report this" in caplog.text
    assert world.call(m.SetContext(0)).result == HResult.ZERO, "the driver carries nothing out"


def test_a_store_that_fails_unexpectedly_refuses_calls_as_one_that_is_full(
    world: World, caplog: Any
) -> None:
    world.committing()
    world.store.failure = ZeroDivisionError()
    world.finish(Succeeded((SNAPSHOT,)))
    assert world.answers[-1].result == HResult.E_UNEXPECTED
    assert "please report this" in caplog.text
    world.store.failure = None
    assert world.call(m.GetSupportedVersion()).result == HResult.ZERO


def test_the_message_sequence_timer_is_armed_and_ends(world: World, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    world.call(m.SetContext(0))
    world.call(m.StartShadowCopySet(b"c" * 16))
    [found] = world.driver.view.sets
    world.loop.advance(179)
    assert world.driver.view.sets == [found]
    world.loop.advance(2)
    world.loop.advance(2)
    assert world.driver.view.sets == []
    assert "timer-elapsed" in caplog.text


def test_a_call_that_comes_puts_off_the_timer_at_no_cost(world: World) -> None:
    for _ in range(1000):
        world.call(m.SetContext(0))
        world.loop.now += 1
    assert len(world.loop._timers) == 1


def test_running_jobs_are_waited_for_and_no_longer_than_asked(world: World) -> None:
    world.committing()
    assert world.driver.running_jobs == 1
    world.loop.now -= 10
    world.loop.call_soon(lambda: world.finish(Succeeded((SNAPSHOT,))))
    assert world.driver.wait_for_jobs(10) == 0
    assert world.history[-1] == "answer CommitShadowCopySet"


def test_what_a_job_did_that_was_waited_for_is_recorded(world: World) -> None:
    """The loop does not run again before the store is closed."""
    world.committing()
    world.history.clear()
    world.done[-1](Succeeded((SNAPSHOT,)))
    assert world.driver.wait_for_jobs(10) == 0
    assert world.history == ["write 1", "answer CommitShadowCopySet"]


def test_what_follows_a_job_that_was_waited_for_is_waited_for_as_well(world: World) -> None:
    world.committing()
    world.history.clear()
    world.done[-1](Failed(HResult.VSS_E_PROVIDER_VETO, "no"))
    world.loop.call_soon(lambda: world.loop.call_soon(lambda: world.done[-1](Succeeded())))
    assert world.driver.wait_for_jobs(10) == 0
    assert world.history == ["write 1", "answer CommitShadowCopySet", "run Remove"]


def test_what_the_last_turn_collected_is_carried_out_before_the_end(world: World) -> None:
    world.committing()
    outcome = Succeeded((SNAPSHOT,))
    world.loop.call_soon(lambda: world.driver._take_outcome(world.jobs[-1], outcome))
    world.loop.run_once(0)
    world.history.clear()
    assert world.driver.wait_for_jobs(10) == 0
    assert world.history == ["write 1", "answer CommitShadowCopySet"]


def test_observers_are_told_how_long_a_call_took(world: World) -> None:
    seen: list[tuple[Opnum, float]] = []
    world.driver.observe(lambda answer: seen.append((answer.call.opnum, answer.seconds)))
    world.committing()
    world.loop.now += 3
    world.finish(Succeeded((SNAPSHOT,)))
    assert seen[-1] == (Opnum.CommitShadowCopySet, 3.0)


def test_a_refusal_says_what_to_type_and_a_usual_answer_is_none(world: World, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    world.call(m.StartShadowCopySet(b"c" * 16))
    assert "event=call-refused opnum=2" in caplog.text
    assert " next: fsrvpctl fsrvpd watch-events" in caplog.text
    world.driver.configure(AgentSettings("NAS", dialect=WS2012))
    key = world.committing()
    world.call(m.GetShareMapping(b"c" * 16, key, r"\\nas\data", 1), flush=False)
    world.finish(Succeeded((SNAPSHOT,)))
    assert world.answers[-1].result == HResult.VSS_E_BAD_STATE_2012
    assert caplog.text.count("event=call-refused") == 1


def test_an_observer_that_raises_costs_no_client_its_reply(world: World, caplog: Any) -> None:
    def fail(answer: object) -> None:
        raise ZeroDivisionError

    world.driver.observe(fail)
    assert world.call(m.SetContext(0)).result == HResult.ZERO
    assert "please report this" in caplog.text


def test_a_timer_that_fails_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fail(now: float) -> Any:
        raise ZeroDivisionError

    world.call(m.SetContext(0))
    world.call(m.StartShadowCopySet(b"c" * 16))
    with monkeypatch.context() as context:
        context.setattr(world.driver._agent, "tick", fail)
        world.loop.advance(181)
    assert "please report this" in caplog.text
    world.loop.advance(0)
    world.loop.advance(0)
    assert world.driver.view.sets == []


def test_a_call_that_fails_unexpectedly_is_answered(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fail(*_: object) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as context:
        context.setattr(world.agent._state.sessions, "begin", fail)
        assert world.call(m.SetContext(0)).result == HResult.E_UNEXPECTED
    assert "SetContext of NAS\\backup at 192.0.2.7 failed unexpectedly" in caplog.text
    assert world.call(m.SetContext(0)).result == HResult.ZERO


def test_when_the_end_of_a_job_fails_all_who_waited_are_answered(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Two that wait for the commit, one behind it and one for the removal that follows."""

    def fail(*_: object) -> Any:
        raise ZeroDivisionError

    key = world.committing()
    world.call(m.CommitShadowCopySet(key, 60_000))
    world.call(m.ExposeShadowCopySet(key, 60_000))
    before = len(world.answers)
    monkeypatch.setattr(world.agent._state.table, "set_status", fail)
    world.finish(Succeeded((SNAPSHOT,)))
    results = [answer.result for answer in world.answers[before:]]
    assert results == [HResult.E_UNEXPECTED] * 3
    assert "the end of Commit of set" in caplog.text
    monkeypatch.undo()
    assert world.call(m.GetSupportedVersion()).result == HResult.ZERO


def test_no_call_is_answered_twice_when_the_end_of_a_job_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit was answered before the call behind it failed."""

    def fail(*_: object) -> Any:
        raise ZeroDivisionError

    key = world.committing()
    world.call(m.ExposeShadowCopySet(key, 60_000))
    before = len(world.answers)
    monkeypatch.setattr(world.agent._state, "begin", fail)
    world.finish(Succeeded((SNAPSHOT,)))
    results = [answer.result for answer in world.answers[before:]]
    assert results == [HResult.ZERO, HResult.E_UNEXPECTED]
