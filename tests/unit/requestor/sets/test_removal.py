"""Sets that are deleted, by whom and whatever is left of them."""

from __future__ import annotations

from typing import Any

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.errors import Disconnected, RequestorError
from fsrvpd.requestor.ports import SetRecord, SetState
from fsrvpd.requestor.sets.removal import Removal
from tests.unit.protocol.server.driver import Client, guid, location_of
from tests.unit.requestor.memory import Fault
from tests.unit.requestor.world import SHARES, World


@pytest.fixture
def world() -> World:
    return World()


# Deletion.


@pytest.mark.spec("3.2.4.8-4")
@pytest.mark.spec("3.2.4.8-5")
def test_some_copies_are_deleted(world: World) -> None:
    created = world.requestor.create(SHARES, keep=True)
    first, *others = created.copies
    world.requestor.delete(created.set_id, [first.copy_id])
    assert len(world.nas.shares) == 1
    left = [copy.copy_id for record in world.requestor.records() for copy in record.copies]
    assert sorted(left) == sorted(copy.copy_id for copy in others)
    world.requestor.delete(created.set_id)
    created.close()
    world.assert_clean()


def test_what_somebody_else_has_deleted_is_no_error(world: World) -> None:
    with world.requestor.create([SHARES[0]]) as created:
        [each] = world.nas.table
        world.nas.carry_out(
            world.nas.agent.remove_set(each.shadow_copy_set_id, "an admin", world.nas.now)
        )
        world.nas.finish_all()
        assert created.copies
    assert "snapshot-gone" in world.names_of_events()
    assert world.nas.connections == 3  # asked twice, over two connections
    world.assert_clean()


@pytest.mark.spec("3.2.4.8-3")
def test_a_set_that_cannot_be_deleted_is_left_for_clean(world: World) -> None:
    created = world.requestor.create(SHARES)
    world.fs2.reachable = False
    with pytest.raises(RequestorError, match="fs2") as caught:
        created.delete()
    assert caught.value.exit_status == 5
    assert [record.state for record in world.requestor.records()] == [SetState.REMOVING]
    assert len(world.requestor.clean().left) == 1
    world.fs2.reachable = True
    assert len(world.requestor.clean().removed) == 1
    world.assert_clean()


def test_what_another_process_has_begun_is_not_ours(world: World) -> None:
    world.requestor.create([SHARES[0]])
    world.restart_host()
    [mine] = world.requestor.records()
    world.store.write(mine._replace(pid=mine.pid + 1))
    assert world.requestor.clean_own() == ((), (), (), ())
    world.store.write(mine)
    assert len(world.requestor.clean_own().removed) == 1
    world.assert_clean()


def test_a_copy_is_deleted_while_another_server_of_its_set_is_gone(world: World) -> None:
    created = world.requestor.create(SHARES, keep=True)
    created.close()
    first, second, _ = created.copies
    world.fs2.reachable = False
    world.requestor.delete(created.set_id, [first.copy_id])
    world.nas.reachable = False
    with pytest.raises(RequestorError) as caught:
        world.requestor.delete(created.set_id, [second.copy_id])
    assert caught.value.exit_status == 5, "its last copy there: clean goes on"
    for server in world.servers:
        server.reachable = True
    cleaning = world.requestor.clean()
    assert [record.server for record in cleaning.removed] == ["nas"]
    assert [record.server for record in cleaning.kept] == ["fs2"]
    world.requestor.delete(created.set_id)
    world.assert_clean()


def test_a_kept_set_that_was_to_go_goes_everywhere(world: World) -> None:
    """Also if the process was killed before it had come to each server."""
    created = world.requestor.create(SHARES, keep=True)
    created.close()
    kept = {record.server: record for record in world.requestor.records()}
    world.fs2.reachable = world.nas.reachable = False
    with pytest.raises(RequestorError):
        world.requestor.delete(created.set_id)
    world.store.write(kept["fs2"])  # as if killed before it was written
    world.fs2.reachable = world.nas.reachable = True
    assert len(world.requestor.clean().removed) == 2
    world.assert_clean()


def test_a_copy_that_stays_in_a_kept_set_is_not_left_for_clean(world: World) -> None:
    created = world.requestor.create(SHARES, keep=True)
    created.close()
    world.nas.reachable = False
    with pytest.raises(RequestorError, match="no agent answers") as caught:
        world.requestor.delete(created.set_id, [created.copies[0].copy_id])
    assert caught.value.exit_status == 1
    assert "clean" not in str(caught.value)
    world.nas.reachable = True
    assert len(world.requestor.clean().kept) == 2
    world.requestor.delete(created.set_id)
    world.assert_clean()


@pytest.mark.parametrize("exposed", [False, True])
def test_a_server_that_is_gone_is_waited_for_once(world: World, exposed: bool) -> None:
    """It takes a minute."""
    created = world.requestor.create([SHARES[0]])
    if not exposed:
        world.store.write(created.records[0]._replace(state=SetState.COMMITTED))
    world.restart_host()
    world.nas.reachable, world.nas.gone = False, Disconnected
    world.connector.contacted.clear()
    assert len(world.requestor.clean().left) == 1
    assert world.connector.contacted == ["nas"]
    world.nas.reachable = True
    world.requestor.clean()
    world.nas.open_connections = 0  # of the process before
    world.assert_clean()


def test_a_copy_of_others_of_which_nobody_knows_whether_it_is_deleted(world: World) -> None:
    with world.requestor.create([SHARES[0]]) as created:
        [record] = created.records
        assert record.server_set_id is not None
        ids = record.server_set_id, record.copies[0].copy_id
        world.nas.faults = {len(world.nas.calls) + 1: Fault.LOST_ANSWER}
        with pytest.raises(Disconnected, match="not known; type the same line again") as caught:
            world.requestor.delete_unrecorded(SHARES[0], *ids)
        assert caught.value.exit_status == 5
        with pytest.raises(RequestorError, match="has no copy"):
            world.requestor.delete_unrecorded(SHARES[0], *ids)
    world.assert_clean()


def test_an_unknown_copy_of_a_set_is_an_error(world: World) -> None:
    with world.requestor.create(SHARES) as created:
        calls = len(world.nas.calls)
        with pytest.raises(RequestorError, match="no such copy"):
            world.requestor.delete(created.set_id, [created.copies[0].copy_id, bytes(16)])
        assert len(world.nas.calls) == calls
    world.assert_clean()


@pytest.mark.spec("3.2.4.8-1")
def test_an_unknown_set_is_an_error(world: World) -> None:
    with pytest.raises(RequestorError, match="no such set"):
        world.requestor.delete(bytes(16))


def test_a_second_process_deletes_a_set_that_is_in_use(world: World) -> None:
    created = world.requestor.create(SHARES)
    world.new_requestor().delete(created.set_id)
    created.delete()
    world.assert_clean()


def test_a_set_that_is_being_created_is_not_deleted(world: World) -> None:
    def delete() -> None:
        [record] = world.requestor.records()
        with pytest.raises(RequestorError, match="in use"):
            world.new_requestor().delete(record.set_id)
        assert world.new_requestor().clean().in_use == (record,)

    with world.requestor.create([SHARES[0]], freeze=delete):
        pass
    world.assert_clean()


def test_a_set_that_was_completed_while_others_were_cleaned_is_kept(world: World) -> None:
    """What `clean` read before it had the lock of the set says that it is being created."""
    read_before: list[SetRecord] = []

    def read() -> None:
        read_before.extend(world.requestor.records())

    created = world.requestor.create(SHARES, keep=True, freeze=read)
    created.close()
    cleaning = Removal(world.connector, world.store, world.events.append).clean(read_before)
    assert not cleaning.removed
    assert [record.state for record in cleaning.kept] == [SetState.RECOVERED] * 2
    world.requestor.delete(created.set_id)
    world.assert_clean()


def test_a_disk_that_fills_during_the_backup_leaves_nothing_on_a_server(world: World) -> None:
    with world.requestor.create(SHARES):
        world.store.full = True
    world.assert_clean()


def test_copies_of_other_clients(world: World) -> None:
    assert not world.requestor.foreign_copies(SHARES[0]).present
    other = Client(world.nas, "10.0.0.2")
    other.set_context()
    other.start()
    added = other.ask(m.AddToShadowCopySet(guid(2), other.set_id, SHARES[0]), location_of("a"))
    other.prepare()
    other.commit()
    other.expose()
    other.recovery_complete()
    assert world.requestor.foreign_copies(SHARES[0]).present
    world.requestor.delete_unrecorded(SHARES[0], other.set_id, added.guid)
    with pytest.raises(RequestorError, match="has no copy"):
        world.requestor.delete_unrecorded(SHARES[0], other.set_id, added.guid)
    world.assert_clean()


def test_an_agent_that_forgets_a_copy_whose_share_is_there_is_not_believed(world: World) -> None:
    """Samba's agent may be several processes, of which one is behind the others."""
    created = world.requestor.create(SHARES)
    world.nas.refuse[Opnum.DeleteShareMapping] = HResult.FSRVP_E_OBJECT_NOT_FOUND
    with pytest.raises(RequestorError, match="still has its share a@") as caught:
        created.delete()
    assert caught.value.exit_status == 5
    assert [record.server for record in world.requestor.records()] == ["nas"]
    [left] = world.requestor.clean().left
    assert "still has its share" in str(left.error)
    world.nas.refuse.clear()
    assert len(world.requestor.clean().removed) == 1
    world.assert_clean()


def test_a_set_is_kept_no_more_on_any_server_before_one_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed deletion leaves would be kept for ever otherwise."""
    created = world.requestor.create(SHARES, keep=True)
    created.close()
    seen: list[SetState] = []
    connect = world.connector.connect

    def connect_and_look(host: str, **more: Any) -> Any:
        seen.extend(record.state for record in world.requestor.records())
        return connect(host, **more)

    monkeypatch.setattr(world.connector, "connect", connect_and_look)
    world.requestor.delete(created.set_id)
    assert set(seen) == {SetState.REMOVING}
    world.assert_clean()
