"""Creation that is refused, interrupted or has to wait: undone on every server."""

from __future__ import annotations

import pytest

from fsrvpd.core.messages import Opnum, parse_guid
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.errors import (
    AccessRefused,
    Disconnected,
    NoAgent,
    Refused,
    RequestorError,
    ServerBusy,
)
from fsrvpd.requestor.events import Report
from fsrvpd.requestor.ports import SetRecord
from fsrvpd.requestor.sets.removal import KEPT
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.sets.waiting import Waiting
from tests.unit.protocol.server.driver import Client
from tests.unit.requestor.memory import MISSING, Killed, unc
from tests.unit.requestor.world import CREATION, SHARES, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.spec("3.2.4.4-2")
@pytest.mark.spec("3.2.4.4-3")
@pytest.mark.spec("3.2.4.5-2")
@pytest.mark.spec("3.2.4.6-2")
@pytest.mark.parametrize("opnum", [each for each in Opnum if int(each) in CREATION])
@pytest.mark.parametrize("server", ["nas", "fs2"])
def test_a_refusal_anywhere_undoes_everything(world: World, opnum: Opnum, server: str) -> None:
    which = {"nas": world.nas, "fs2": world.fs2}[server]
    which.refuse[opnum] = HResult.VSS_E_PROVIDER_VETO
    with pytest.raises(Refused) as caught:
        world.requestor.create(SHARES)
    assert server in caught.value.object
    assert opnum.name in caught.value.cause
    assert caught.value.exit_status == 1
    which.refuse.clear()
    if opnum is not Opnum.RecoveryCompleteShadowCopySet:
        world.assert_clean()
    world.requestor.clean()
    world.assert_clean()


def test_a_share_that_is_missing_holds_no_server(world: World) -> None:
    with pytest.raises(Refused, match="no such share"):
        world.requestor.create([SHARES[0], unc("fs2", MISSING)])
    assert set(world.nas.calls) == {Opnum.IsPathSupported}
    world.assert_clean()


def test_a_user_without_the_right(world: World) -> None:
    world.nas.refuse[Opnum.IsPathSupported] = HResult.E_ACCESSDENIED
    with pytest.raises(AccessRefused):
        world.requestor.create(SHARES)
    assert world.nas.calls == [Opnum.IsPathSupported]
    world.assert_clean()


def test_no_agent(world: World) -> None:
    with pytest.raises(NoAgent):
        world.requestor.create([SHARES[0], unc("nowhere", "x")])
    world.assert_clean()


def test_a_set_has_shares(world: World) -> None:
    with pytest.raises(RequestorError, match="no share is named"):
        world.requestor.create([])


# A server that is busy.


def test_a_busy_server_is_refused_at_once() -> None:
    world = World(parallel_sets=False)
    Client(world.fs2, "10.0.0.2").set_context()
    with pytest.raises(ServerBusy) as caught:
        world.requestor.create(SHARES)
    assert caught.value.exit_status == 4
    assert caught.value.object == "fs2"
    assert world.store.kept == {}


def test_a_busy_server_is_waited_for_and_no_other_is_held_meanwhile() -> None:
    world = World(parallel_sets=False)
    Client(world.fs2, "10.0.0.2").set_context()
    held: list[bool] = []
    world.waiting.on_wait = lambda: held.append(world.nas.context_set("10.0.0.1"))
    with world.requestor.create(SHARES, wait=400):
        assert held
        assert not any(held)
    assert "waiting" in world.names_of_events()
    world.assert_clean()


def test_waiting_ends(world: World) -> None:
    world.fs2.refuse[Opnum.StartShadowCopySet] = HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
    with pytest.raises(ServerBusy):
        world.requestor.create(SHARES, wait=100)
    assert world.waiting.slept == pytest.approx(100)
    assert world.store.kept == {}


def test_who_waits_for_another_run_waits_no_longer_for_a_busy_server(world: World) -> None:
    """The time begins before the locks of servers are taken."""
    held: list[bool] = []
    waiting = world.waiting

    def begun(seconds: float, report: Report) -> Waiting:
        held.append("server nas" in world.store.locks)
        return waiting(seconds, report)

    requestor = Requestor(world.connector, world.store, world.names, waiting=begun)
    with requestor.create(SHARES[:1], wait=100):
        assert held == [False]
    world.assert_clean()


# Windows, which takes no set for half an hour after an abort of an added or exposed one: note 6.


def test_a_server_that_rests_after_an_abort_is_busy_and_can_be_waited_for(world: World) -> None:
    world.nas.rests_after_abort = True
    world.nas.refuse[Opnum.PrepareShadowCopySet] = HResult.VSS_E_PROVIDER_VETO
    with pytest.raises(Refused):
        world.requestor.create(SHARES[:1])
    world.nas.refuse.clear()
    with pytest.raises(ServerBusy, match="aborted a short while ago") as caught:
        world.requestor.create(SHARES[:1])
    assert caught.value.exit_status == 4
    with world.requestor.create(SHARES[:1], wait=2000):
        assert 1700 < world.waiting.slept < 2000
    world.assert_clean()


@pytest.mark.parametrize("opnum", [Opnum.StartShadowCopySet, Opnum.GetShareMapping])
def test_what_is_started_or_exposed_is_undone_without_such_a_rest(
    world: World, opnum: Opnum
) -> None:
    for server in world.servers:
        server.rests_after_abort = True
    world.fs2.refuse[opnum] = HResult.VSS_E_PROVIDER_VETO
    with pytest.raises(Refused):
        world.requestor.create(SHARES)
    world.fs2.refuse.clear()
    with world.requestor.create(SHARES):
        pass
    world.assert_clean()


# Bad luck.


def test_a_full_disk_stops_before_the_server_is_asked(world: World) -> None:
    world.store.full = True
    with pytest.raises(RequestorError, match="disk is full"):
        world.requestor.create(SHARES)
    assert Opnum.SetContext not in world.nas.calls
    world.assert_clean()


def test_a_set_that_cannot_be_recorded_as_kept_is_removed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = world.store.write

    def full_at_the_end(record: SetRecord) -> None:
        if record.pid == KEPT and record.server == "fs2":
            raise RequestorError("state", "the disk is full", "df -h")
        write(record)

    monkeypatch.setattr(world.store, "write", full_at_the_end)
    with pytest.raises(RequestorError, match="disk is full") as caught:
        world.requestor.create(SHARES, keep=True)
    assert caught.value.exit_status == 1
    world.assert_clean()


@pytest.mark.spec("3.2.4.9-1")
@pytest.mark.spec("3.2.4.9-2")
def test_ctrl_c_undoes_everything(world: World) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    for hooks in ({"freeze": interrupt}, {"thaw": interrupt}):
        with pytest.raises(KeyboardInterrupt):
            world.requestor.create(SHARES, **hooks)
        world.assert_clean()


@pytest.mark.spec("3.2.5-1")
def test_a_server_that_dies_while_it_exposes_and_returns(world: World) -> None:
    def die(request: object) -> None:
        if type(request).__name__ == "ExposeShadowCopySet":
            world.fs2.on_call = lambda request: None
            world.fs2.restart()
            world.fs2.finish_all()
            raise Disconnected("fs2", "the connection broke", "look at the server")

    world.fs2.on_call = die
    with pytest.raises(RequestorError) as caught:
        world.requestor.create(SHARES)
    assert "fs2" in str(caught.value)
    assert caught.value.exit_status == 1
    world.assert_clean()


def test_a_server_that_goes_for_good_is_left_for_clean(world: World) -> None:
    def go(request: object) -> None:
        if type(request).__name__ == "ExposeShadowCopySet":
            world.fs2.reachable = False

    world.fs2.on_call = go
    with pytest.raises(RequestorError) as caught:
        world.requestor.create(SHARES)
    assert caught.value.exit_status == 5
    assert "fs2" in caught.value.cause
    assert [record.server for record in world.requestor.records()] == ["fs2"]
    world.fs2.on_call = lambda request: None
    world.fs2.reachable = True
    world.restart_host()
    world.requestor.clean()
    world.assert_clean()


@pytest.mark.spec("3.2.3-2")
def test_killed_and_cleaned(world: World) -> None:
    def kill() -> None:
        world.connector.process.alive = False
        raise Killed

    with pytest.raises(Killed):
        world.requestor.create(SHARES, thaw=kill)
    world.restart_host()
    assert len(world.requestor.clean(dry_run=True).removed) == 2
    assert len(world.requestor.records()) == 2
    assert len(world.requestor.clean().removed) == 2
    world.assert_clean()


def test_the_id_of_a_set_as_people_write_it(world: World) -> None:
    with world.requestor.create([SHARES[0]]) as created:
        assert parse_guid(created.id) == created.set_id
