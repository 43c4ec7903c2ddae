"""3.1.3 Initialization: what survives of a set when the daemon is restarted."""

from __future__ import annotations

import json

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import format_guid
from fsrvpd.errors import StoreError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import RecreateShares
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.server.document import from_document
from fsrvpd.protocol.settings import CURRENT, WS2012
from tests.unit.protocol.server.driver import Client, Server, client_at, guid, location_of, unc

LIVES = [Status.COMMITTED, Status.EXPOSED, Status.RECOVERED]
DIALECTS = pytest.mark.parametrize("dialect", [CURRENT, WS2012], ids=lambda d: d.name)


@pytest.mark.spec("3.1.3-1")
@pytest.mark.spec("3.1.3-2")
@pytest.mark.spec("3.1.3-3")
def test_a_new_server_has_no_context_and_no_sets(server: Server) -> None:
    assert not server.context_set()
    assert len(server.table) == 0
    assert server.agent.next_deadline() is None
    assert Client(server).start().result == HResult.FSRVP_E_BAD_STATE


@pytest.mark.spec("3.1.3-4")
@pytest.mark.spec("3.1.4-5")
@DIALECTS
@pytest.mark.parametrize("status", LIVES)
def test_what_was_done_lives_on_unchanged(status: Status, dialect: object) -> None:
    client = client_at(status, dialect=dialect)
    before = client.server.state()
    client.server.restart()
    client.server.finish_all()
    after = client.server.state()
    for unchanged in ("table", "published", "clients", "store", "disk", "shares"):
        assert after[unchanged] == before[unchanged]
    assert not client.server.running


@pytest.mark.spec("3.1.3-4")
@pytest.mark.parametrize("status", [Status.STARTED, Status.ADDED])
def test_what_had_touched_nothing_is_forgotten(status: Status) -> None:
    client = client_at(status)
    client.server.restart()
    assert client.server.is_clean()
    assert not client.server.context_set()


@pytest.mark.spec("3.1.3-4")
def test_a_commit_that_was_cut_short_is_searched_for_and_undone() -> None:
    client = client_at(Status.CREATION_IN_PROGRESS)
    client.server.finish()
    assert client.server.disk
    client.server.restart()
    assert len(client.server.table) == 0
    client.server.finish()
    assert client.server.is_clean()


PERSISTENT = context.CTX_NAS_ROLLBACK


@pytest.mark.spec("3.1.3-4")
@pytest.mark.parametrize("status", LIVES)
def test_what_was_answered_survives_a_power_cut(status: Status, client: Client) -> None:
    """Of a set that is Committed or Exposed no more than the intent was synced."""
    client.reach(status, PERSISTENT)
    before = from_document(client.server.store[client.set_id])
    client.server.cut_power()
    client.server.finish_all()
    after = client.server.set(client.set_id)
    assert after is not None
    assert (after.status, after.exposed_names) == (status, before.exposed_names)
    assert [copy.snapshot for copy in after.shadow_copy_list] == [
        copy.snapshot for copy in before.shadow_copy_list
    ]
    assert client.delete() == HResult.ZERO or status is Status.COMMITTED
    assert client.abort() == HResult.ZERO or status is not Status.COMMITTED
    assert client.server.is_clean()


def test_a_commit_of_which_a_snapshot_is_missing_is_undone(client: Client) -> None:
    client.reach(Status.COMMITTED, PERSISTENT, ("data", "home"))
    del client.server.disk[format_guid(client.copy_ids["home"])]
    client.server.cut_power()
    client.server.finish_all()
    assert client.server.set(client.set_id) is None
    assert client.server.is_clean()


def test_a_commit_that_was_refused_is_undone_though_its_snapshots_are_there(
    client: Client,
) -> None:
    client.reach(Status.ADDED, PERSISTENT)
    call = client.send(m.CommitShadowCopySet(client.set_id, 1000))
    client.server.pass_time(1)
    assert client.server.answers[call].result == HResult.FSSAGENT_E_TIMEOUT
    client.server._done(client.server.job)
    assert client.server.disk
    client.server.cut_power()
    client.server.finish_all()
    assert client.server.is_clean()


def test_a_commit_that_is_repeated_after_a_refusal_survives(client: Client) -> None:
    client.reach(Status.ADDED, PERSISTENT)
    client.send(m.CommitShadowCopySet(client.set_id, 1000))
    client.server.pass_time(1)
    again = client.send(m.CommitShadowCopySet(client.set_id, 1000))
    client.server.finish()
    assert client.server.answers[again].result == HResult.ZERO
    client.server.cut_power()
    client.server.finish_all()
    assert client.server.status(client.set_id) is Status.COMMITTED


def test_snapshots_that_do_not_record_themselves_are_recorded(client: Client) -> None:
    client.server.records_itself = False
    client.reach(Status.COMMITTED, PERSISTENT)
    assert client.server.synced == client.server.store


def test_calls_wait_while_storage_does_not_tell_what_was_committed(client: Client) -> None:
    client.reach(Status.COMMITTED, PERSISTENT)
    client.server.cut_power()
    call = client.send(m.ExposeShadowCopySet(client.set_id, 300_000))
    client.server.fail(HResult.VSS_E_PROVIDER_VETO)
    assert client.server.events[-1].name == "step-unknown"
    assert not client.server.running
    client.server.pass_time(60)
    client.server.finish_all()
    assert client.server.answers[call].result == HResult.ZERO


def test_an_admin_removes_a_set_at_once_that_storage_does_not_tell_of(client: Client) -> None:
    client.reach(Status.COMMITTED, PERSISTENT)
    server = client.server
    server.cut_power()
    view = server.agent.view
    call = client.send(m.ExposeShadowCopySet(client.set_id, 300_000))
    server.fail(HResult.VSS_E_PROVIDER_VETO)
    assert (view.unconcluded, view.retrying) == ({client.set_id}, frozenset())
    server.carry_out(server.agent.remove_set(client.set_id, "an admin wants it", server.now))
    assert server.answers[call].result == HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
    server.fail(HResult.VSS_E_PROVIDER_VETO)
    assert (view.unconcluded, view.retrying) == (frozenset(), {client.set_id})
    server.pass_time(60)
    server.finish()
    assert server.is_clean()


def test_a_set_that_storage_never_tells_of_ends_with_its_timer(client: Client) -> None:
    client.reach(Status.COMMITTED, PERSISTENT)
    client.server.cut_power()
    for _ in range(4):
        if client.server.running:
            client.server.fail(HResult.VSS_E_PROVIDER_VETO)
        client.server.pass_time(60)
    client.server.finish_all()
    assert client.server.is_clean()


@pytest.mark.spec("3.1.3-4")
def test_an_expose_that_was_completed_before_the_crash_is_found(client: Client) -> None:
    client.reach(Status.COMMITTED)
    client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    client.server.shares.add(client.shadow_share)
    client.server.restart()
    client.server.finish()
    assert client.server.status(client.set_id) is Status.EXPOSED
    assert client.server.events[-1].name == "step-found"
    job = client.server.job
    assert isinstance(job, RecreateShares)  # the mounts, which a reboot takes away
    assert (len(job.exports), job.shares) == (1, [])
    client.server.finish()
    assert client.mapping().result == HResult.ZERO


@pytest.mark.spec("3.1.3-4")
def test_an_expose_that_was_cut_short_is_known_to_the_abort(client: Client) -> None:
    client.reach(Status.COMMITTED)
    client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    client.server.shares.add(client.shadow_share)
    client.server.restart()
    assert client.server.status(client.set_id) is Status.COMMITTED
    assert client.abort() == HResult.ZERO
    assert client.server.is_clean()


@pytest.fixture
def half_exposed(client: Client) -> Client:
    """The client was told that the exposure took too long. The daemon has died after the making
    of the share, and is back."""
    client.reach(Status.COMMITTED)
    client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    client.server.pass_time(1)
    client.server.shares.add(client.shadow_share)
    client.server.restart()
    assert client.server.status(client.set_id) is Status.COMMITTED
    assert client.server.shares
    return client


def names_in_store(client: Client) -> list[str]:
    return from_document(client.server.store[client.set_id]).exposed_names


@pytest.mark.spec("3.1.3-4")
def test_shares_of_an_interrupted_exposure_are_removed(half_exposed: Client) -> None:
    client = half_exposed
    assert names_in_store(client) == [client.shadow_share]
    client.server.finish()
    assert not client.server.shares
    assert names_in_store(client) == []
    assert client.server.events[-1].name == "step-undone"
    assert client.server.disk
    assert client.expose() == HResult.ZERO
    assert client.server.shares == {client.shadow_share}


def test_a_withdrawal_is_begun_again_after_a_crash(half_exposed: Client) -> None:
    half_exposed.server.restart()
    half_exposed.server.finish()
    assert not half_exposed.server.shares


def test_an_expose_waits_for_the_withdrawal(half_exposed: Client) -> None:
    client = half_exposed
    call = client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    client.server.finish()
    assert call not in client.server.answers
    client.server.finish()
    assert client.server.answers[call].result == HResult.ZERO
    assert client.server.shares == {client.shadow_share}


def test_an_abort_covers_shares_that_are_being_unexposed(half_exposed: Client) -> None:
    call = half_exposed.send(m.AbortShadowCopySet(half_exposed.set_id))
    half_exposed.server.finish_all()
    assert half_exposed.server.answers[call].result == HResult.ZERO
    assert half_exposed.server.is_clean()


@pytest.fixture
def not_unexposed(half_exposed: Client) -> Client:
    half_exposed.server.fail(HResult.E_UNEXPECTED)
    event = half_exposed.server.events[-1]
    assert event.name == "shares-not-withdrawn"
    assert "recreated when the client exposes it" in event.text
    assert names_in_store(half_exposed) == [half_exposed.shadow_share]
    return half_exposed


def test_shares_that_could_not_be_unexposed_are_removed_with_the_set(not_unexposed: Client) -> None:
    not_unexposed.server.pass_time(180)
    not_unexposed.server.finish()
    assert not_unexposed.server.is_clean()


def test_shares_that_could_not_be_unexposed_are_exposed_again(not_unexposed: Client) -> None:
    assert not_unexposed.expose() == HResult.ZERO
    assert not_unexposed.server.shares == {not_unexposed.shadow_share}


def test_a_removal_that_was_cut_short_is_ended(client: Client) -> None:
    client.reach(Status.EXPOSED)
    client.send(m.AbortShadowCopySet(client.set_id))
    client.server.restart()
    assert client.server.set(client.set_id) is None
    client.server.finish()
    assert client.server.is_clean()


def test_what_was_aborted_during_a_job_does_not_come_back(client: Client) -> None:
    client.reach(Status.COMMITTED)
    client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    client.send(m.AbortShadowCopySet(client.set_id))
    client.server.restart()
    assert client.server.set(client.set_id) is None
    client.server.finish()
    assert client.server.is_clean()


def test_deletions_that_were_cut_short_are_all_ended(client: Client) -> None:
    client.reach(Status.RECOVERED, shares=("data", "home", "rest"))
    for share in ("data", "home"):
        request = m.DeleteShareMapping(client.set_id, client.copy_ids[share], unc(share))
        client.send(request)
        client.server.fail(HResult.VSS_E_PROVIDER_VETO)
    client.server.restart()
    client.server.finish_all()
    assert set(client.server.disk) == {format_guid(client.copy_ids["rest"])}
    assert client.delete("rest") == HResult.ZERO
    assert client.server.is_clean()


@DIALECTS
@pytest.mark.parametrize(("status", "seconds"), [(Status.COMMITTED, 180), (Status.EXPOSED, 1800)])
def test_a_client_gets_the_time_its_last_answer_promised(
    status: Status, seconds: int, dialect: object
) -> None:
    client = client_at(status, dialect=dialect)
    client.server.restart()
    client.server.finish_all()
    if dialect is WS2012 and status is Status.EXPOSED:
        assert client.server.timer() is None
        return
    assert client.server.timer() == seconds
    client.server.pass_time(seconds)
    client.server.finish()
    assert client.server.is_clean()


@DIALECTS
@pytest.mark.parametrize("status", LIVES)
def test_the_client_continues_where_it_was(status: Status, dialect: object) -> None:
    client = client_at(status, dialect=dialect)
    client.server.restart()
    if status is Status.COMMITTED:
        assert client.expose() == HResult.ZERO
    if status is not Status.RECOVERED:
        assert client.mapping().result == HResult.ZERO
        assert client.recovery_complete() == HResult.ZERO
    assert client.delete() == HResult.ZERO
    assert client.server.is_clean()


def test_the_same_client_can_take_over_after_a_restart() -> None:
    client = client_at(Status.EXPOSED)
    client.server.restart()
    assert client.start().result == HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
    assert client.set_context() == HResult.ZERO
    client.server.finish_all()
    assert client.server.is_clean()


def test_writable_copies_are_still_sealed_after_a_restart(client: Client) -> None:
    client.reach(Status.EXPOSED, context.ATTR_AUTO_RECOVERY)
    client.server.restart()
    client.send(m.RecoveryCompleteShadowCopySet(client.set_id))
    assert type(client.server.job).__name__ == "Seal"


def test_sets_finished_under_another_dialect_do_not_fight_for_the_session() -> None:
    """Of several Exposed sets of a client the latest may go on; without a turn, and so
    without a timer, the others would stay for ever."""
    client = Client(Server(dialect=WS2012))
    for _ in range(3):
        client.server.pass_time(1)
        client.reach(Status.EXPOSED)
    client.server.store = dict(reversed(list(client.server.store.items())))
    client.server.restart(dialect=CURRENT)
    assert [s.shadow_copy_set_id for s in client.server.table] == [client.set_id]
    client.server.finish_all()
    assert len(client.server.disk) == 1
    assert client.recovery_complete() == HResult.ZERO


def test_sets_made_in_parallel_do_not_fight_for_the_servers_only_session(server: Server) -> None:
    for number in (1, 2, 3):
        server.pass_time(1)
        client = Client(server, f"10.0.0.{number}").reach(Status.COMMITTED)
    server.restart(parallel_sets=False)
    assert [s.shadow_copy_set_id for s in server.table] == [client.set_id]
    server.finish_all()
    assert client.expose() == HResult.ZERO


def test_questions_are_answered_from_what_was_restored() -> None:
    client = client_at(Status.RECOVERED)
    client.server.restart()
    response = client.ask(m.IsPathShadowCopied(unc("data")), location_of("data"))
    assert response == m.PathShadowCopiedResponse(HResult.ZERO, True, 0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "[]",
        lambda text: text[:-1],
        lambda text: text.replace('"format":', '"format":9'),
        lambda text: text.replace("Recovered", "Resting"),
        lambda text: json.dumps({**json.loads(text), "shadow_copy_set_id": None}),
        lambda text: json.dumps({**json.loads(text), "shadow_copy_set_id": format_guid(guid(5))}),
        lambda text: json.dumps({**json.loads(text), "shadow_copies": [{}]}),
        lambda text: json.dumps({**json.loads(text), "started": "yesterday"}),
        lambda text: json.dumps({**json.loads(text), "context": "a text"}),
        lambda text: json.dumps({**json.loads(text), "client_address": []}),
        lambda text: json.dumps({**json.loads(text), "removing": True, "shadow_copies": [7]}),
        lambda text: text.replace('"volume_name":"', '"volume_name":["').replace(
            '","volume_root"', '"],"volume_root"'
        ),
        lambda text: text.replace('"is_exposed":true', '"is_exposed":7'),
        lambda text: "[" * 100_000,
    ],
)
def test_a_document_that_cannot_be_read_is_kept_and_reported(spoil: object) -> None:
    good = client_at(Status.RECOVERED)
    bad = Client(good.server).reach(Status.RECOVERED)
    good.server.store[bad.set_id] = spoil(good.server.store[bad.set_id])  # type: ignore[operator]
    good.server.events.clear()
    good.server.restart()
    assert good.server.status(good.set_id) is Status.RECOVERED
    assert good.server.set(bad.set_id) is None
    assert bad.set_id in good.server.store
    (event,) = good.server.events
    assert (event.name, event.shadow_copy_set_id) == ("set-unreadable", bad.set_id)
    assert not good.server.running


def test_a_store_of_a_development_version_is_refused_and_nothing_is_changed() -> None:
    client = client_at(Status.RECOVERED)
    other = Client(client.server).reach(Status.ADDED)
    older = client.server.store[client.set_id].replace('"format":3', '"format":2')
    client.server.store[client.set_id] = older
    before = dict(client.server.store), dict(client.server.disk), set(client.server.shares)
    with pytest.raises(StoreError, match=r"format 2.*fsrvpctl fsrvpd delete-set ID") as refused:
        client.server.restart()
    assert "nothing was changed" in str(refused.value)
    assert before == (client.server.store, client.server.disk, client.server.shares)
    assert not client.server.running
    assert client.server.set(other.set_id) is None


@pytest.mark.parametrize("status", LIVES)
@pytest.mark.parametrize("writable", [False, True])
def test_what_the_servers_own_admin_was_not_told_of_is_removed(
    status: Status, writable: bool
) -> None:
    """His command has ended with the daemon; a writable set waits for `complete-set`."""
    client = Client(Server(), "local/1")
    client.reach(status, context.ATTR_AUTO_RECOVERY if writable else context.CTX_BACKUP)
    client.server.restart()
    client.server.finish_all()
    assert client.server.is_clean() is not (writable or status is Status.RECOVERED)
