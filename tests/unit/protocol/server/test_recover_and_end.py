"""3.1.4.7 RecoveryComplete, 3.1.4.8 Abort and 3.1.4.12 DeleteShareMapping."""

from __future__ import annotations

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import format_guid
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Remove, Seal
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.settings import CURRENT, WS2012
from tests.unit.protocol.server.driver import Client, Server, client_at, guid, unc

UNFINISHED = [status for status in Status if status is not Status.RECOVERED]


# RecoveryComplete


@pytest.mark.spec("3.1.4.7-3")
@pytest.mark.spec("3.1.4.7-5")
@pytest.mark.parametrize("recovery", [0, context.ATTR_AUTO_RECOVERY, context.ATTR_NO_AUTO_RECOVERY])
def test_recovery_complete_stops_the_timer_and_frees_the_context(
    client: Client, recovery: int
) -> None:
    client.reach(Status.EXPOSED, recovery)
    assert client.recovery_complete() == HResult.ZERO
    shadow_copy_set = client.server.set(client.set_id)
    assert shadow_copy_set is not None
    assert shadow_copy_set.status is Status.RECOVERED
    assert shadow_copy_set.recovered_at == client.server.wall_clock()
    assert not client.server.context_set()
    client.server.pass_time(1_000_000)
    assert client.server.status(client.set_id) is Status.RECOVERED


@pytest.mark.spec("3.1.4.7-4")
def test_what_was_writable_becomes_read_only_before_the_answer(client: Client) -> None:
    client.reach(Status.EXPOSED, context.ATTR_AUTO_RECOVERY)
    call = client.send(m.RecoveryCompleteShadowCopySet(client.set_id))
    assert client.server.timer() is None
    job = client.server.job
    assert isinstance(job, Seal)
    assert job.snapshots == list(client.server.disk.values())
    assert job.names == [client.shadow_share]
    assert call not in client.server.answers
    client.server.finish()
    assert client.server.answers[call].result == HResult.ZERO


@pytest.mark.spec("3.1.4.7-4")
@pytest.mark.parametrize("recovery", [0, context.ATTR_NO_AUTO_RECOVERY])
def test_what_was_never_writable_needs_no_sealing(client: Client, recovery: int) -> None:
    client.reach(Status.EXPOSED, recovery)
    client.send(m.RecoveryCompleteShadowCopySet(client.set_id))
    assert not client.server.running
    assert client.server.status(client.set_id) is Status.RECOVERED


@pytest.mark.spec("3.1.4.7-6")
def test_a_set_that_cannot_be_sealed_stays_exposed_and_can_be_tried_again(client: Client) -> None:
    client.reach(Status.EXPOSED, context.ATTR_AUTO_RECOVERY)
    call = client.send(m.RecoveryCompleteShadowCopySet(client.set_id))
    client.server.fail(HResult.VSS_E_PROVIDER_VETO)
    assert client.server.answers[call].result == HResult.VSS_E_PROVIDER_VETO
    assert client.server.status(client.set_id) is Status.EXPOSED
    assert client.server.timer() == 180
    assert client.recovery_complete() == HResult.ZERO


@pytest.mark.spec("3.1.4.7-6")
def test_sealing_that_hangs_is_answered_before_the_client_gives_up(client: Client) -> None:
    client.reach(Status.EXPOSED, context.ATTR_AUTO_RECOVERY)
    call = client.send(m.RecoveryCompleteShadowCopySet(client.set_id))
    client.server.pass_time(179)
    assert client.server.answers[call].result == HResult.FSRVP_E_WAIT_TIMEOUT
    client.server.finish()
    assert client.server.status(client.set_id) is Status.EXPOSED
    assert client.recovery_complete() == HResult.ZERO


# AbortShadowCopySet


@pytest.mark.spec("3.1.4.8-3")
@pytest.mark.spec("3.1.4.8-5")
@pytest.mark.spec("3.1.4.8-6")
@pytest.mark.parametrize("dialect", [CURRENT, WS2012], ids=lambda d: d.name)
@pytest.mark.parametrize("status", UNFINISHED)
def test_abort_leaves_nothing_of_a_set_in_any_status(status: Status, dialect: object) -> None:
    client = client_at(status, dialect=dialect)
    assert client.abort() == HResult.ZERO
    assert client.server.is_clean()
    assert not client.server.context_set()
    assert client.server.agent.next_deadline() is None


@pytest.mark.spec("3.1.4.8-1")
def test_abort_of_the_null_set_is_invalid(client: Client) -> None:
    assert client.ask(m.AbortShadowCopySet(m.NULL_GUID)).result == HResult.E_INVALIDARG


@pytest.mark.spec("3.1.4.8-3")
def test_shares_and_snapshots_go_in_one_job(client: Client) -> None:
    client.reach(Status.EXPOSED, shares=("data", "home"))
    call = client.send(m.AbortShadowCopySet(client.set_id))
    assert client.server.set(client.set_id) is None
    assert not client.server.context_set()
    assert call not in client.server.answers
    job = client.server.job
    assert isinstance(job, Remove)
    assert set(job.names) == client.server.shares
    assert job.snapshots == list(client.server.disk.values())
    assert '"removing":true' in client.server.store[client.set_id]


@pytest.mark.spec("3.1.4.8-3")
@pytest.mark.parametrize("send", [m.PrepareShadowCopySet, m.CommitShadowCopySet])
def test_abort_while_a_job_runs_ends_its_waiters_and_cleans_up_after_it(
    client: Client, send: type
) -> None:
    client.reach(Status.ADDED)
    waiting = client.send(send(client.set_id, 60_000))
    queued = client.send(m.ExposeShadowCopySet(client.set_id, 60_000))
    call = client.send(m.AbortShadowCopySet(client.set_id))
    assert client.server.answers[waiting].result == HResult.FSRVP_E_BAD_STATE
    unknown = HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
    assert client.server.answers[queued].result == unknown
    assert call not in client.server.answers
    client.server.finish_all()
    assert client.server.answers[call].result == HResult.ZERO
    assert client.server.is_clean()


@pytest.mark.spec("3.1.4.8-3")
def test_abort_during_expose_seal_and_delete(server: Server) -> None:
    requests = {
        Status.COMMITTED: lambda c: m.ExposeShadowCopySet(c.set_id, 60_000),
        Status.EXPOSED: lambda c: m.RecoveryCompleteShadowCopySet(c.set_id),
        Status.STARTED: lambda c: m.DeleteShareMapping(c.set_id, c.copy_ids["data"], unc("data")),
    }
    for status, request in requests.items():
        client = Client(server)
        reached = Status.EXPOSED if status is Status.STARTED else status
        client.reach(reached, context.ATTR_AUTO_RECOVERY, ("data", "home"))
        waiting = client.send(request(client))
        assert client.abort() == HResult.ZERO
        assert server.answers[waiting].result == HResult.FSRVP_E_BAD_STATE
        assert server.is_clean()
        assert not server.table._published


@pytest.mark.spec("3.1.4.8-3")
def test_an_abort_that_fails_says_so_and_is_tried_again(client: Client) -> None:
    client.reach(Status.EXPOSED)
    call = client.send(m.AbortShadowCopySet(client.set_id))
    client.server.fail(HResult.VSS_E_PROVIDER_VETO)
    assert client.server.answers[call].result == HResult.VSS_E_PROVIDER_VETO
    assert client.set_context() == HResult.ZERO
    client.server.pass_time(59)
    assert not client.server.running
    client.server.pass_time(1)
    client.server.finish()
    assert not client.server.agent.view.removing
    assert not client.server.store


@pytest.mark.spec("3.1.4.8-3")
def test_an_abort_that_failed_can_be_called_again(client: Client) -> None:
    client.reach(Status.EXPOSED)
    client.send(m.AbortShadowCopySet(client.set_id))
    client.server.fail(HResult.VSS_E_PROVIDER_VETO)
    assert client.abort() == HResult.ZERO
    assert client.server.is_clean()
    assert client.server.agent.next_deadline() is None


@pytest.mark.spec("3.1.4.8-3")
def test_an_abort_that_hangs_is_answered_before_the_client_gives_up(client: Client) -> None:
    client.reach(Status.EXPOSED)
    call = client.send(m.AbortShadowCopySet(client.set_id))
    client.server.pass_time(179)
    assert client.server.answers[call].result == HResult.FSRVP_E_WAIT_TIMEOUT
    again = client.send(m.AbortShadowCopySet(client.set_id))
    client.server.finish()
    assert client.server.answers[again].result == HResult.ZERO
    assert client.server.is_clean()


# DeleteShareMapping


@pytest.mark.spec("3.1.4.12-1")
def test_null_ids_and_names_are_invalid() -> None:
    client = client_at(Status.RECOVERED)
    copy_id = client.copy_ids["data"]
    for request in (
        m.DeleteShareMapping(m.NULL_GUID, copy_id, unc("data")),
        m.DeleteShareMapping(client.set_id, m.NULL_GUID, unc("data")),
        m.DeleteShareMapping(client.set_id, copy_id, ""),
    ):
        before = client.server.state()
        assert client.ask(request).result == HResult.E_INVALIDARG
        assert client.server.state() == before


@pytest.mark.spec("3.1.4.12-4")
@pytest.mark.spec("3.1.4.12-5")
@pytest.mark.parametrize(
    ("dialect", "result"),
    [(CURRENT, HResult.FSRVP_E_OBJECT_NOT_FOUND), (WS2012, HResult.E_INVALIDARG)],
)
def test_an_unknown_copy_or_share_is_not_found(dialect: object, result: HResult) -> None:
    client = client_at(Status.EXPOSED, dialect=dialect)
    before = client.server.state()
    for request in (
        m.DeleteShareMapping(client.set_id, guid(0xBAD), unc("data")),
        m.DeleteShareMapping(client.set_id, client.copy_ids["data"], unc("other")),
    ):
        assert client.ask(request).result == result
        assert client.server.state() == before


@pytest.mark.spec("3.1.4.12-6")
@pytest.mark.spec("3.1.4.12-7")
@pytest.mark.spec("3.1.4.12-8")
@pytest.mark.spec("3.1.4.12-9")
@pytest.mark.spec("3.1.4.12-10")
@pytest.mark.parametrize("status", [Status.EXPOSED, Status.RECOVERED])
def test_the_last_mapping_takes_the_copy_and_the_last_copy_the_set(
    client: Client, status: Status
) -> None:
    client.reach(status, shares=("data", "home"))
    server = client.server
    assert client.delete("data") == HResult.ZERO
    (left,) = server.set(client.set_id).shadow_copy_list  # type: ignore[union-attr]
    assert left.shadow_copy_id == client.copy_ids["home"]
    assert set(server.disk) == {format_guid(client.copy_ids["home"])}
    assert len(server.shares) == 1
    assert server.table.has_shadow_copy("vol-home")
    assert not server.table.has_shadow_copy("vol-data")
    assert client.delete("home") == HResult.ZERO
    assert server.is_clean()
    assert not server.context_set()


@pytest.mark.spec("3.1.4.12-6")
def test_the_name_may_come_in_another_case_and_without_backslash() -> None:
    client = client_at(Status.RECOVERED)
    request = m.DeleteShareMapping(client.set_id, client.copy_ids["data"], "\\\\NAS\\DATA")
    assert client.ask(request).result == HResult.ZERO


@pytest.mark.spec("3.1.4.12-8")
def test_a_kept_snapshot_outlives_its_share(client: Client) -> None:
    client.reach(Status.STARTED)
    client.add("data", keep="Yes")
    client.prepare()
    client.commit()
    client.expose()
    client.recovery_complete()
    client.server.restart()
    assert client.delete() == HResult.ZERO
    assert client.server.disk
    assert not client.server.shares
    assert not client.server.store


def test_deleting_does_not_touch_the_timer_of_an_exposed_set(client: Client) -> None:
    client.reach(Status.EXPOSED, shares=("data", "home"))
    client.server.pass_time(30)
    client.delete("data")
    assert client.server.timer() == 150


def test_a_deletion_that_fails_says_so_and_is_tried_again() -> None:
    client = client_at(Status.RECOVERED)
    request = m.DeleteShareMapping(client.set_id, client.copy_ids["data"], unc("data"))
    call = client.send(request)
    client.server.fail(HResult.VSS_E_PROVIDER_VETO)
    assert client.server.answers[call].result == HResult.VSS_E_PROVIDER_VETO
    assert client.server.set(client.set_id) is not None
    client.server.pass_time(60)
    client.server.finish()
    assert client.server.is_clean()


def test_the_timer_may_expire_during_a_deletion(client: Client) -> None:
    """The counters of the table survive it."""
    client.reach(Status.EXPOSED, shares=("data", "home"))
    client.send(m.DeleteShareMapping(client.set_id, client.copy_ids["data"], unc("data")))
    client.server.pass_time(180)
    assert client.server.set(client.set_id) is None
    client.server.finish_all()
    assert client.server.is_clean()
    assert not client.server.table._published
    assert not client.server.table._clients


def test_a_deletion_is_tried_again_once_the_set_has_no_other_job(client: Client) -> None:
    client.reach(Status.EXPOSED, context.ATTR_AUTO_RECOVERY, ("data", "home"))
    request = m.DeleteShareMapping(client.set_id, client.copy_ids["data"], unc("data"))
    client.send(request)
    client.server.fail(HResult.VSS_E_PROVIDER_VETO)
    client.server.pass_time(59)
    client.send(m.RecoveryCompleteShadowCopySet(client.set_id))
    client.server.pass_time(1)
    assert isinstance(client.server.job, Seal)
    client.server.finish()
    client.server.pass_time(60)
    client.server.finish()
    assert set(client.server.disk) == {format_guid(client.copy_ids["home"])}


def test_an_abort_ends_deletions_that_are_to_be_tried_again(client: Client) -> None:
    client.reach(Status.EXPOSED, shares=("data", "home", "rest"))
    for share in ("data", "home"):
        client.send(m.DeleteShareMapping(client.set_id, client.copy_ids[share], unc(share)))
        if share == "data":
            client.server.fail(HResult.VSS_E_PROVIDER_VETO)
    assert client.abort() == HResult.ZERO
    assert client.server.is_clean()
    assert client.server.agent.next_deadline() is None


@pytest.mark.parametrize("status", [Status.EXPOSED, Status.RECOVERED])
@pytest.mark.parametrize("end", ["an admin", "age", "reboot", "restart within"])
def test_kept_snapshots_outlive_a_complete_set_however_it_ends(status: Status, end: str) -> None:
    """What was not completed is no backup, and is removed."""
    client = Client(Server(auto_release_max_age=1000, sequence_timeout=5000))
    client.set_context()
    client.start()
    client.add("data", keep="yes")
    client.add("home")
    assert client.prepare() == client.commit() == client.expose() == HResult.ZERO
    if status is Status.RECOVERED:
        assert client.recovery_complete() == HResult.ZERO
    server = client.server
    if end == "age":
        server.pass_time(1001)
        server.carry_out(server.agent.expire(server.now))
    elif end == "reboot":
        server.reboot()
    else:
        server.carry_out(server.agent.remove_set(client.set_id, end, server.now))
        if end == "restart within":
            server.restart()
    server.finish_all()
    assert server.shares == set()
    assert server.store == {}
    kept = {format_guid(client.copy_ids["data"])} if status is Status.RECOVERED else set()
    assert set(server.disk) == kept


@pytest.mark.parametrize("by", ["fsrvp:keep", "keep-set"])
def test_kept_copies_of_a_complete_backup_survive_a_power_cut(client: Client, by: str) -> None:
    """The set ends with the boot, and its intent alone would have them removed."""
    server = client.server
    client.reach(Status.STARTED)
    client.add("data", **({"keep": "yes"} if by == "fsrvp:keep" else {}))
    assert client.prepare() == client.commit() == client.expose() == HResult.ZERO
    assert client.recovery_complete() == HResult.ZERO
    if by == "keep-set":
        server.carry_out(server.agent.keep_set(client.set_id, server.now))
    server.cut_power()
    server.finish_all()
    assert server.set(client.set_id) is None
    assert set(server.disk) == {format_guid(client.copy_ids["data"])}


def test_a_copy_that_is_being_deleted_is_no_longer_kept(client: Client) -> None:
    """Its snapshot goes with the mapping, whatever an admin asks meanwhile."""
    server = client.server
    client.reach(Status.RECOVERED)
    client.send(m.DeleteShareMapping(client.set_id, client.copy_ids["data"], unc("data")))
    server.carry_out(server.agent.keep_set(client.set_id, server.now))
    kept = server.set(client.set_id)
    assert kept is not None
    assert [copy.keep for copy in kept.shadow_copy_list] == [False]
    server.finish_all()
    assert server.is_clean()


@pytest.mark.parametrize("value", [context.CTX_BACKUP, context.ATTR_AUTO_RECOVERY])
def test_a_copy_to_keep_that_is_still_writable_goes_with_its_last_share(
    client: Client, value: int
) -> None:
    client.set_context(value)
    client.start()
    client.add("data", keep="yes")
    assert client.prepare() == client.commit() == client.expose() == HResult.ZERO
    assert client.delete() == HResult.ZERO
    assert bool(client.server.disk) == (not context.is_writable(value))
    assert client.server.agent.view.kept_ended == len(client.server.disk)
