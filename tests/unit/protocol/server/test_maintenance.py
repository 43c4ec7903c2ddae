"""Sets that reach their maximum age, end or survive at a reboot, or lose snapshots or shares."""

from __future__ import annotations

from typing import Optional

import pytest

from fsrvpd.core import messages as m
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import RecreateShares
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.server.maintenance import OVERDUE_CONFIRMATION
from tests.unit.protocol.server.driver import Client, Server, client_at, unc

DAY = 86_400.0
BACKUPS = [context.CTX_BACKUP, context.CTX_FILE_SHARE_BACKUP]
ROLLBACKS = [context.CTX_APP_ROLLBACK, context.CTX_NAS_ROLLBACK]


def recovered(value: int = context.CTX_BACKUP, **settings: int) -> Client:
    return Client(Server(**settings)).reach(Status.RECOVERED, value)


def expire(server: Server) -> None:
    server.carry_out(server.agent.expire(server.now))
    server.finish_all()


def names(server: Server) -> list[str]:
    return [event.name for event in server.events]


# Age.


@pytest.mark.parametrize("value", BACKUPS)
def test_an_auto_release_set_is_removed_after_a_day(value: int) -> None:
    server = recovered(value).server
    server.pass_time(DAY)
    expire(server)
    assert len(server.table) == 1
    server.pass_time(1)
    expire(server)
    assert server.is_clean()
    reasons = [event.text for event in server.events if event.name == "set-removing"]
    assert "fsrvpd:auto release max age = 86400" in reasons[-1]


@pytest.mark.parametrize("value", ROLLBACKS)
def test_a_persistent_set_stays(value: int) -> None:
    server = recovered(value).server
    server.pass_time(1000 * DAY)
    expire(server)
    assert len(server.table) == 1


@pytest.mark.parametrize("value", ROLLBACKS)
def test_a_persistent_set_has_a_limit_of_its_own(value: int) -> None:
    server = recovered(value, persistent_max_age=100).server
    server.pass_time(101)
    expire(server)
    assert server.is_clean()


def test_an_age_of_zero_is_no_limit() -> None:
    server = recovered(auto_release_max_age=0).server
    server.pass_time(1000 * DAY)
    expire(server)
    assert len(server.table) == 1


@pytest.mark.parametrize("jump", [-400 * DAY, 400 * DAY])
def test_the_age_of_a_set_of_this_boot_ignores_the_wall_clock(jump: float) -> None:
    server = recovered().server
    server.jump = jump
    server.restart()
    expire(server)
    server.pass_time(DAY - 1)
    expire(server)
    assert len(server.table) == 1
    server.pass_time(2)
    expire(server)
    assert server.is_clean()


def test_a_clock_that_is_being_set_after_a_reboot_deletes_nothing() -> None:
    server = recovered(context.CTX_APP_ROLLBACK, persistent_max_age=100).server
    server.reboot()
    server.jump += 400 * DAY
    expire(server)
    server.pass_time(OVERDUE_CONFIRMATION / 2)
    server.jump -= 400 * DAY + OVERDUE_CONFIRMATION  # the right time again
    expire(server)
    server.pass_time(OVERDUE_CONFIRMATION)
    expire(server)
    assert len(server.table) == 1


def test_a_set_overdue_by_the_wall_clock_is_removed_an_hour_later() -> None:
    server = recovered(context.CTX_APP_ROLLBACK, persistent_max_age=100).server
    server.pass_time(50)
    server.reboot()
    server.pass_time(51)
    expire(server)
    server.pass_time(OVERDUE_CONFIRMATION - 1)
    expire(server)
    assert len(server.table) == 1
    server.pass_time(1)
    expire(server)
    assert server.is_clean()


def test_a_clock_that_was_set_starts_the_hour_again() -> None:
    server = recovered(context.CTX_APP_ROLLBACK, persistent_max_age=100).server
    server.reboot()
    server.pass_time(DAY)
    expire(server)
    assert names(server)[-1] == "set-overdue"
    server.pass_time(OVERDUE_CONFIRMATION - 1)
    server.jump += DAY
    expire(server)
    assert names(server)[-2:] == ["clock-jumped", "set-overdue"]
    server.pass_time(OVERDUE_CONFIRMATION - 1)
    expire(server)
    assert len(server.table) == 1
    server.pass_time(1)
    expire(server)
    assert server.is_clean()


@pytest.mark.parametrize(("jump", "word"), [(-30 * DAY, "back"), (30 * DAY, "forward")])
def test_a_jump_of_the_clock_is_reported_once(jump: float, word: str) -> None:
    server = recovered().server
    expire(server)
    for _ in range(2):
        server.pass_time(600)
        server.jump = jump
        expire(server)
    reported = [event.text for event in server.events if event.name == "clock-jumped"]
    assert len(reported) == 1
    assert f"system clock jumped {word} {30 * DAY:.0f} s" in reported[0]


def test_a_clock_that_drifts_was_not_set() -> None:
    server = recovered().server
    for _ in range(5):
        server.pass_time(600)
        server.jump += 59
        expire(server)
    assert "clock-jumped" not in names(server)


def test_a_set_from_the_future_is_young() -> None:
    server = recovered(context.CTX_APP_ROLLBACK, persistent_max_age=100).server
    server.reboot()
    server.jump = -400 * DAY
    for _ in range(3):
        server.pass_time(OVERDUE_CONFIRMATION)
        expire(server)
    assert len(server.table) == 1


# Reboot.


@pytest.mark.parametrize("status", [Status.COMMITTED, Status.EXPOSED, Status.RECOVERED])
@pytest.mark.parametrize("value", BACKUPS)
def test_a_set_that_is_not_persistent_ends_with_the_boot(value: int, status: Status) -> None:
    server = Client(Server()).reach(status, value).server
    server.restart()
    assert len(server.table) == 1
    server.reboot()
    server.finish_all()
    assert server.is_clean()
    assert any("the server was rebooted" in event.text for event in server.events)


@pytest.mark.parametrize("value", ROLLBACKS)
def test_a_persistent_set_outlives_the_boot(value: int) -> None:
    client = recovered(value)
    client.server.reboot()
    assert client.server.status(client.set_id) is Status.RECOVERED


@pytest.mark.parametrize("status", [Status.COMMITTED, Status.EXPOSED, Status.RECOVERED])
@pytest.mark.parametrize("value", BACKUPS)
def test_a_move_to_the_other_host_of_a_pair_ends_no_set(value: int, status: Status) -> None:
    client = Client(Server()).reach(status, value)
    client.server.reboot(reboot_ends_sets=False)
    client.server.finish_all()
    assert client.server.status(client.set_id) is status


@pytest.mark.parametrize("value", [*BACKUPS, *ROLLBACKS])
def test_a_set_outlives_a_node_of_a_cluster_and_not_the_cluster(value: int) -> None:
    client = Client(Server(life="first")).reach(Status.RECOVERED, value)
    server = client.server
    server.reboot()
    server.finish_all()
    assert server.status(client.set_id) is Status.RECOVERED
    server.reboot(life="second")
    server.finish_all()
    if context.is_persistent(value):
        assert server.status(client.set_id) is Status.RECOVERED
    else:
        assert server.is_clean()
        assert any("the cluster was stopped" in event.text for event in server.events)


def test_its_age_still_ends_a_set_that_was_moved() -> None:
    server = recovered(context.CTX_BACKUP, auto_release_max_age=100).server
    server.reboot(reboot_ends_sets=False)
    server.pass_time(200)
    expire(server)
    assert len(server.table) == 1  # the clock of the other host may be wrong
    server.pass_time(OVERDUE_CONFIRMATION)
    expire(server)
    server.finish_all()
    assert server.is_clean()


# Snapshots and shares that somebody else removed.


def test_a_complete_set_continues_without_a_missing_snapshot() -> None:
    client = Client(Server()).reach(Status.RECOVERED, shares=("data", "more"))
    server, gone = client.server, client.copy_ids["data"]
    server.carry_out(server.agent.snapshot_gone(client.set_id, gone, server.now))
    server.finish_all()
    [copy] = server.table.get(client.set_id).shadow_copy_list  # type: ignore[union-attr]
    assert copy.shadow_copy_id == client.copy_ids["more"]
    assert len(server.shares) == 1
    assert client.mapping("data").result == HResult.E_INVALIDARG
    assert client.mapping("more").result == HResult.ZERO


def test_a_set_ends_with_its_last_snapshot() -> None:
    client = recovered()
    server, gone = client.server, client.copy_ids["data"]
    server.carry_out(server.agent.snapshot_gone(client.set_id, gone, server.now))
    server.finish_all()
    assert server.is_clean()


@pytest.mark.parametrize("status", [Status.COMMITTED, Status.EXPOSED])
def test_an_incomplete_set_ends_with_any_of_its_snapshots(status: Status) -> None:
    client = Client(Server()).reach(status, shares=("data", "more"))
    server, gone = client.server, client.copy_ids["data"]
    server.carry_out(server.agent.snapshot_gone(client.set_id, gone, server.now))
    server.finish_all()
    assert server.is_clean()


def test_a_missing_share_is_recreated() -> None:
    client = recovered()
    server = client.server
    server.shares.clear()
    server.carry_out(server.agent.share_gone(client.set_id, [client.shadow_share], server.now))
    server.finish_all()
    assert server.shares == {client.shadow_share}
    assert client.mapping().result == HResult.ZERO


def test_a_share_made_again_is_as_open_as_it_was() -> None:
    writable = context.CTX_BACKUP | context.ATTR_AUTO_RECOVERY
    for status, read_only in ((Status.EXPOSED, False), (Status.RECOVERED, True)):
        client = Client(Server()).reach(status, writable)
        server = client.server
        server.carry_out(server.agent.share_gone(client.set_id, [client.shadow_share], server.now))
        assert isinstance(server.job, RecreateShares)
        assert [share.read_only for share in server.job.shares] == [read_only]


def test_a_copy_that_is_not_mounted_is_mounted_and_its_share_is_left_alone() -> None:
    client = recovered()
    server = client.server
    [shadow_copy_set] = server.table
    [export] = shadow_copy_set.exports()
    server.carry_out(server.agent.mount_gone(client.set_id, [export.mount_point], server.now))
    assert isinstance(server.job, RecreateShares)
    assert (server.job.shares, server.job.exports) == ([], [export])
    assert server.agent.mount_gone(client.set_id, [export.mount_point], server.now) == []
    server.finish()
    assert server.events[-1].name == "share-restored"
    assert server.events[-1].text == f"{export.mount_point} recreated"


def test_a_share_that_cannot_be_made_again_costs_no_set() -> None:
    client = recovered()
    server = client.server
    server.carry_out(server.agent.share_gone(client.set_id, [client.shadow_share], server.now))
    server.fail(HResult.E_UNEXPECTED)
    assert server.events[-1].name == "share-not-restored"
    assert server.status(client.set_id) is Status.RECOVERED


def test_calls_wait_while_a_share_is_made_again() -> None:
    client = client_at(Status.EXPOSED)
    server = client.server
    server.carry_out(server.agent.share_gone(client.set_id, [client.shadow_share], server.now))
    mapping = m.GetShareMapping(client.copy_ids["data"], client.set_id, unc("data"), 1)
    waiting = client.send(mapping)
    exposing = client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    assert waiting not in server.answers
    server.finish()
    assert server.answers[waiting].result == HResult.ZERO
    assert server.answers[exposing].result == HResult.FSRVP_E_BAD_STATE
    assert server.timer() is not None


def test_a_set_with_a_job_is_left_alone() -> None:
    client = client_at(Status.EXPOSED)
    server = client.server
    [(key, revision)] = server.agent.view.stable_revisions().items()
    assert server.agent.view.unchanged_since(key, revision) is server.table.get(key)
    client.send(m.DeleteShareMapping(key, client.copy_ids["data"], unc("data")))
    assert server.agent.view.stable_revisions() == {}
    assert server.agent.view.unchanged_since(key, revision) is None
    assert server.agent.share_gone(key, [client.shadow_share], server.now) == []


def test_a_set_that_has_changed_meanwhile_is_another() -> None:
    client = Client(Server()).reach(Status.RECOVERED, shares=("data", "home"))
    [(key, revision)] = client.server.agent.view.stable_revisions().items()
    assert client.delete("home") == HResult.ZERO
    assert client.server.agent.view.unchanged_since(key, revision) is None
    [(key, revision)] = client.server.agent.view.stable_revisions().items()
    assert client.server.agent.view.unchanged_since(key, revision) is not None


@pytest.mark.parametrize("status", [None, *Status])
def test_a_client_that_has_left_for_good_ends_what_it_was_creating(
    status: Optional[Status],
) -> None:
    client = Client(Server(parallel_sets=False))
    if status is None:
        client.set_context()
    else:
        client.reach(status)
    server = client.server
    server.carry_out(server.agent.abandon("10.0.0.2", "it left", server.now))
    assert server.context_set() is (status is not Status.RECOVERED)
    server.carry_out(server.agent.abandon("10.0.0.1", "it left", server.now))
    server.finish_all()
    assert not server.context_set()
    assert len(server.table) == (status is Status.RECOVERED)


def test_an_admin_does_not_wait_for_the_next_attempt_to_remove_a_set() -> None:
    client = recovered()
    server = client.server

    def delete() -> None:
        server.carry_out(server.agent.remove_set(client.set_id, "an admin deleted it", server.now))

    delete()
    server.fail(HResult.E_UNEXPECTED)
    assert server.events[-1].name == "removal-failed"
    assert not server.running
    delete()
    delete()
    server.finish()
    assert server.events[-1].name == "set-removed"
    assert server.agent.next_deadline() is None
