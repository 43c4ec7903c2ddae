"""What becomes of a set, seen from calls and events."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Optional

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Guid, Opnum, parse_guid
from fsrvpd.daemon.agent.driver import Answer
from fsrvpd.daemon.history.sets import SetFollower
from fsrvpd.protocol.actions import Call, Event, Forget
from fsrvpd.protocol.context import ATTR_AUTO_RECOVERY
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import ShadowCopySet, Status, local_address
from fsrvpd.protocol.ports import Caller
from fsrvpd.store.history_records import Backup, SetRecord
from tests.unit.daemon.control.examples import SET, SET_ID, recovered_set

SINK: Any = None
CALLER = Caller("10.0.0.1", "NAS\\backup", "S-1", frozenset(), 0, 0, False)
REQUESTS: dict[Opnum, Any] = {
    Opnum.AddToShadowCopySet: m.AddToShadowCopySet(SET, SET, r"\\nas\data"),
    Opnum.PrepareShadowCopySet: m.PrepareShadowCopySet(SET, 1),
    Opnum.CommitShadowCopySet: m.CommitShadowCopySet(SET, 1),
    Opnum.ExposeShadowCopySet: m.ExposeShadowCopySet(SET, 1),
    Opnum.RecoveryCompleteShadowCopySet: m.RecoveryCompleteShadowCopySet(SET),
}


class World:
    def __init__(self) -> None:
        self.set: Optional[ShadowCopySet] = recovered_set()
        self.dialect = SimpleNamespace(exposed_is_finished=False)
        self.settings: Any = SimpleNamespace(dialect=self.dialect)
        self.now = 100.0
        self.records: list[SetRecord] = []
        self.backups: list[Backup] = []
        self.follower = SetFollower(
            self, lambda: self.now, self.wall, self.records.append, self.backups.append
        )

    def wall(self) -> float:
        return 1000 + self.now

    def find(self, key: Guid) -> Optional[ShadowCopySet]:
        return self.set if key == SET else None

    def answer(self, opnum: Opnum, result: int = 0, reason: str = "") -> None:
        call = Call(CALLER, opnum, REQUESTS[opnum], SINK, self.now)
        response: Any = SimpleNamespace(result=result)
        self.follower.answered(Answer(call, response, reason, 0.25))
        self.now += 1

    def create(self, *opnums: Opnum) -> None:
        for opnum in opnums or REQUESTS:
            self.answer(opnum)

    def forget(self) -> SetRecord:
        self.set = None
        self.follower.carried_out(Forget(SET))
        return self.records[-1]


@pytest.fixture
def world() -> World:
    return World()


def test_the_window_is_between_the_responses_to_prepare_and_commit(world: World) -> None:
    world.create(Opnum.AddToShadowCopySet)
    assert not world.follower.window_is_open
    world.create(Opnum.PrepareShadowCopySet)
    assert world.follower.window_is_open
    world.now += 4
    world.create(Opnum.CommitShadowCopySet)
    assert not world.follower.window_is_open
    assert world.records[-1].freeze == 5.0


def test_it_is_quiet_a_while_after_the_last_call(world: World) -> None:
    assert world.follower.is_quiet(1.0)
    world.create()
    assert world.follower.is_quiet(1.0)  # a second later
    assert not world.follower.is_quiet(1.1)
    world.create(Opnum.AddToShadowCopySet)
    world.now += 60
    assert world.follower.is_quiet(1.0)  # Recovered sets are not being created


def test_without_prepare_it_is_commit_alone(world: World) -> None:
    world.create(Opnum.AddToShadowCopySet, Opnum.CommitShadowCopySet)
    assert world.records[-1].freeze == 0.25


def test_a_completed_set_is_a_backup_of_its_shares(world: World) -> None:
    world.create()
    assert [each.share for each in world.backups] == ["data"]
    record = world.forget()
    assert (record.id, record.outcome, record.result) == (SET_ID, "completed", 0)
    assert record.ended is not None
    assert world.backups[0].committed == record.committed


def test_a_call_that_failed_first_does_not_spoil_it(world: World) -> None:
    world.create(Opnum.AddToShadowCopySet)
    world.answer(Opnum.CommitShadowCopySet, HResult.FSRVP_E_WAIT_TIMEOUT, "slow")
    world.create()
    assert world.records[-1][5:8] == ("completed", 0, "")


def test_a_read_only_set_that_its_client_deletes_after_expose_was_complete(world: World) -> None:
    world.create(*list(REQUESTS)[:-1])
    assert world.forget().outcome == "completed"
    assert world.backups


@pytest.mark.parametrize("restarted", [False, True])
def test_a_writable_set_that_its_client_deletes_after_expose_was_not(
    world: World, restarted: bool
) -> None:
    assert world.set is not None
    world.set.context, world.set.status = ATTR_AUTO_RECOVERY, Status.EXPOSED
    if restarted:
        world.follower.resume([SetRecord(SET_ID, "c", "a", ("data",), 1.0)], parse_guid)
    else:
        world.create(*list(REQUESTS)[:-1])
    record = world.forget()
    assert (record.outcome, record.completed) == ("removed", None)
    assert record.reason == "its client deleted it before RecoveryComplete"
    assert not world.backups


def test_where_exposed_is_the_end_expose_completes(world: World) -> None:
    world.dialect.exposed_is_finished = True
    world.create(*list(REQUESTS)[:-1])
    assert world.records[-1].outcome == "completed"


@pytest.mark.parametrize(
    ("event", "result", "outcome"),
    [
        ("timer-elapsed", 0, "timed-out"),
        ("timer-elapsed", HResult.VSS_E_PROVIDER_VETO, "failed"),
        ("set-removing", 0, "removed"),
        ("set-removing", HResult.VSS_E_INSUFFICIENT_STORAGE, "failed"),
    ],
)
def test_a_set_that_is_not_completed(world: World, event: str, result: int, outcome: str) -> None:
    world.create(Opnum.AddToShadowCopySet)
    if result:
        world.answer(Opnum.CommitShadowCopySet, result, "the disk")
    world.follower.carried_out(Event(event, SET, "the client"))
    record = world.forget()
    assert (record.outcome, record.result) == (outcome, result)
    assert record.reason == ("the disk" if result else "the client")
    assert not world.backups


def test_a_set_of_which_nothing_existed_leaves_no_record(world: World) -> None:
    world.set = None
    world.follower.carried_out(Forget(SET))
    world.answer(Opnum.CommitShadowCopySet, HResult.FSRVP_E_BAD_STATE)
    assert world.records == []


@pytest.mark.parametrize("status", [Status.EXPOSED, Status.RECOVERED])
def test_a_set_of_the_last_run_goes_on(world: World, status: Status) -> None:
    assert world.set is not None
    world.set.status = status
    outcome = "completed" if status is Status.RECOVERED else "running"
    before = SetRecord(SET_ID, "c", "a", ("data",), 1.0, outcome)
    world.follower.resume([before], parse_guid)
    assert world.forget().outcome == "completed"


def test_what_the_agent_does_not_know_any_more_was_interrupted(world: World) -> None:
    gone = SetRecord("{" + "0" * 8 + SET_ID[9:], "c", "a", (), 1.0)
    damaged = gone._replace(id="x")
    world.follower.resume([gone, damaged], parse_guid)
    [record] = world.records
    assert (record.outcome, record.ended) == ("interrupted", world.wall())


def test_what_is_refused_after_its_end_does_not_spoil_it(world: World) -> None:
    world.create()
    world.answer(Opnum.RecoveryCompleteShadowCopySet, HResult.FSRVP_E_BAD_STATE, "again")
    assert (world.records[-1].outcome, world.records[-1].reason) == ("completed", "")


def test_a_self_test_is_no_backup(world: World) -> None:
    assert world.set is not None
    world.set.client_address = local_address("1", self_test=True)
    world.create()
    assert world.backups == []
    assert (world.records[-1].outcome, world.records[-1].client) == ("completed", "self-test")
