"""A store that is done in a later turn of the loop: what one turn asks for waits together."""

from __future__ import annotations

import contextlib
from typing import Iterator, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.errors import StoreError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Call, Failed, Succeeded
from fsrvpd.protocol.hresult import HResult
from tests.unit.daemon.agent.test_driver import CALLER, DISK_FULL, SNAPSHOT, World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.store.confirms_answers = made.store.is_late = True
    yield made
    made.loop.close()


def test_no_job_runs_and_no_answer_is_sent_before_the_store_is_done(world: World) -> None:
    world.committing()
    assert world.history == ["write 1"]
    world.store.finish()
    assert world.history == ["write 1", "run Commit"]
    world.finish(Succeeded((SNAPSHOT,), is_found=True))
    assert world.history == ["write 1", "run Commit", "write 1"]
    world.store.finish()
    assert world.history[3:] == ["answer CommitShadowCopySet"]


def test_later_turns_wait_behind_and_share_the_next_transaction(world: World) -> None:
    key = world.committing()
    world.store.finish()
    world.finish(Succeeded((SNAPSHOT,)))
    world.history.clear()
    world.call(m.GetSupportedVersion())
    world.call(m.AbortShadowCopySet(key))
    assert not world.history, "an answer has overtaken a change"
    world.store.finish()
    methods = ("CommitShadowCopySet",)
    assert world.history == [*(f"answer {each}" for each in methods), "write 1"]
    world.store.finish()
    assert world.history[2:] == ["answer GetSupportedVersion", "run Remove"]


def test_a_job_is_not_run_whose_intent_is_refused_late(world: World) -> None:
    world.committing()
    world.store.finish(DISK_FULL)
    assert "run Commit" not in world.history
    assert world.driver.store_failure == str(DISK_FULL)
    while world.store.in_flight:
        world.store.finish(DISK_FULL)
    assert world.answers[-1] == m.StatusResponse(HResult.E_UNEXPECTED)


def test_a_late_failure_refuses_what_waited_for_it_alone(world: World) -> None:
    world.committing()
    world.store.finish()
    world.finish(Succeeded((SNAPSHOT,)))
    world.call(m.GetSupportedVersion())
    world.store.finish(DISK_FULL)
    assert [each.result for each in world.answers[-2:]] == [HResult.E_UNEXPECTED, HResult.ZERO]


def test_a_store_that_says_done_twice_answers_once(world: World) -> None:
    world.committing()
    world.store.finish()
    world.finish(Succeeded((SNAPSHOT,)))
    [done] = world.store.in_flight
    world.store.finish()
    before = list(world.history)
    done(None)
    assert world.history == before


def test_keeping_a_set_is_said_when_it_is_durable(world: World) -> None:
    key = world.committing()
    world.store.finish()
    world.finish(Succeeded((SNAPSHOT,)))
    world.store.finish()
    told: list[Optional[StoreError]] = []
    world.driver.keep_set(key, told.append)
    world.loop.run_once(0)
    assert not told
    world.store.finish()
    assert told == [None]


def test_the_end_waits_for_the_store(world: World) -> None:
    world.committing()
    world.store.finish()
    world.history.clear()
    world.done[-1](Succeeded((SNAPSHOT,)))
    world.loop.call_soon(lambda: world.loop.call_soon(world.store.finish))
    assert world.driver.wait_for_jobs(10) == 0
    assert world.history == ["write 1", "answer CommitShadowCopySet"]


STEPS = st.sampled_from(["call", "commit", "abort", "succeed", "fail", "done", "refused", "turn"])


class Client:
    """Of one call."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers = 0

    def reply(self, call: Call, response: m.Response) -> None:
        self.answers += 1
        self.world.reply(call, response)


class AnyOrder:
    """Clients, jobs and the store take steps in any order."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clients: list[Client] = []
        self.keys: list[bytes] = []
        self.ended = 0

    def step(self, name: str) -> None:
        world = self.world
        if name == "call":
            self.ask(m.GetSupportedVersion())
        elif name == "commit" and self.keys:
            self.ask(m.CommitShadowCopySet(self.keys[-1], 60_000))
        elif name == "abort" and self.keys:
            self.ask(m.AbortShadowCopySet(self.keys[-1]))
        elif name in ("succeed", "fail") and len(world.done) > self.ended:
            ok = name == "succeed"
            world.done[self.ended](
                Succeeded((SNAPSHOT,)) if ok else Failed(HResult.VSS_E_PROVIDER_VETO, "no")
            )
            self.ended += 1
        elif name in ("done", "refused") and world.store.in_flight:
            world.store.finish(None if name == "done" else DISK_FULL)
        elif name == "turn":
            world.loop.run_once(0)

    def ask(self, request: m.Request) -> None:
        self.clients.append(Client(self.world))
        opnum = Opnum[type(request).__name__]
        call = Call(CALLER, opnum, request, self.clients[-1], self.world.loop.time())
        self.world.driver.call(call)

    def settle(self) -> None:
        for _ in range(60):
            for name in ("turn", "done", "succeed"):
                self.step(name)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_in_any_order_each_call_is_answered_once_and_after_its_change(steps: list[str]) -> None:
    world = World()
    with contextlib.closing(world.loop):
        world.call(m.SetContext(context.CTX_NAS_ROLLBACK))
        key = world.call(m.StartShadowCopySet(b"c" * 16)).guid
        world.call(m.AddToShadowCopySet(b"c" * 16, key, r"\\nas\data"))
        world.store.confirms_answers = world.store.is_late = True
        order = AnyOrder(world)
        order.keys.append(key)
        for name in steps:
            in_flight, seen = list(world.store.in_flight), len(world.history)
            order.step(name)
            if in_flight and world.store.in_flight == in_flight:
                assert len(world.history) == seen, "something has overtaken a transaction"
        order.settle()
        assert [client.answers for client in order.clients] == [1] * len(order.clients)
