"""3.1.4.13 PrepareShadowCopySet, 3.1.4.5 Commit and 3.1.4.6 Expose, whose jobs take time."""

from __future__ import annotations

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import format_guid
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Call, Commit, Expose, Prepare, Remove
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.server.document import from_document
from tests.unit.protocol.server.driver import SKEW, Client, client_at

PREPARE, COMMIT, EXPOSE = (
    m.PrepareShadowCopySet,
    m.CommitShadowCopySet,
    m.ExposeShadowCopySet,
)
BEFORE = {PREPARE: Status.ADDED, COMMIT: Status.ADDED, EXPOSE: Status.COMMITTED}
JOB = {PREPARE: Prepare, COMMIT: Commit, EXPOSE: Expose}
TIMEOUT_RESULT = {
    PREPARE: HResult.FSRVP_E_WAIT_TIMEOUT,
    COMMIT: HResult.FSSAGENT_E_TIMEOUT,
    EXPOSE: HResult.FSRVP_E_WAIT_TIMEOUT,
}
EACH = pytest.mark.parametrize("method", [PREPARE, COMMIT, EXPOSE], ids=lambda c: c.__name__)


def begin(method: type, milliseconds: int = 10_000) -> tuple[Client, Call]:
    """Return a client whose call of the method waits for its job, and the call."""
    client = client_at(BEFORE[method])
    client.server.pass_time(50)
    call = client.send(method(client.set_id, milliseconds))
    return client, call


@pytest.mark.spec("3.1.4.5-3")
@pytest.mark.spec("3.1.4.6-3")
@pytest.mark.spec("3.1.4.13-3")
@pytest.mark.spec("3.1.4.5-5")
@pytest.mark.spec("3.1.4.6-9")
@pytest.mark.spec("3.1.4.13-4")
@EACH
def test_the_timer_is_stopped_and_the_call_waits_for_the_job(method: type) -> None:
    client, call = begin(method)
    assert isinstance(client.server.job, JOB[method])
    assert client.server.timer() is None
    client.server.pass_time(9)
    assert call not in client.server.answers


@pytest.mark.spec("3.1.4.5-9")
@pytest.mark.spec("3.1.4.6-12")
@pytest.mark.spec("3.1.4.13-8")
@EACH
def test_success_starts_the_timer(method: type) -> None:
    client, call = begin(method)
    client.server.finish()
    assert client.server.answers[call] == m.StatusResponse(HResult.ZERO)
    assert client.server.timer() == (1800 if method is PREPARE else 180)


@pytest.mark.spec("3.1.4.5-7")
@pytest.mark.spec("3.1.4.6-11")
@pytest.mark.spec("3.1.4.13-6")
@EACH
def test_a_job_that_hangs_is_answered_for_on_time(method: type) -> None:
    client, call = begin(method, milliseconds=10_000)
    client.server.pass_time(9.999)
    assert call not in client.server.answers
    client.server.pass_time(0.001)
    assert client.server.answers[call] == m.StatusResponse(TIMEOUT_RESULT[method])
    assert client.server.timer() == 180


@EACH
def test_a_time_out_of_zero_is_honoured(method: type) -> None:
    client, call = begin(method, milliseconds=0)
    client.server.pass_time(0)
    assert client.server.answers[call].result == TIMEOUT_RESULT[method]


@pytest.mark.spec("3.1.4.5-8")
@pytest.mark.spec("3.1.4.6-13")
@pytest.mark.spec("3.1.4.13-7")
@EACH
@pytest.mark.parametrize(
    "error", [HResult.VSS_E_PROVIDER_VETO, HResult.VSS_E_INSUFFICIENT_STORAGE, HResult.E_UNEXPECTED]
)
def test_a_failure_is_returned_as_it_is(method: type, error: HResult) -> None:
    client, call = begin(method)
    client.server.fail(error)
    assert client.server.answers[call] == m.StatusResponse(error)
    assert client.server.timer() == 180
    expected = Status.CREATION_IN_PROGRESS if method is COMMIT else BEFORE[method]
    assert client.server.status(client.set_id) is expected


@pytest.mark.spec("3.1.4.5-6")
@pytest.mark.spec("3.1.4.6-10")
@pytest.mark.spec("3.1.4.13-5")
@EACH
def test_a_wait_that_fails_leaves_the_status_before(method: type) -> None:
    client, call = begin(method)
    client.server.fail(HResult.FSRVP_E_WAIT_FAILED)
    assert client.server.answers[call].result == HResult.FSRVP_E_WAIT_FAILED
    assert client.server.timer() == 180
    assert client.server.status(client.set_id) is BEFORE[method]


@EACH
def test_the_time_out_of_a_job_without_waiters_does_not_prolong_the_timer(method: type) -> None:
    client, _ = begin(method)
    client.server.pass_time(10)
    client.server.pass_time(100)
    client.server.fail(HResult.VSS_E_PROVIDER_VETO)
    assert client.server.timer() == 80


@EACH
def test_a_set_whose_job_hangs_is_removed_when_the_timer_expires(method: type) -> None:
    client, _ = begin(method)
    client.server.pass_time(10 + 180)
    assert client.server.set(client.set_id) is None
    assert not client.server.context_set()
    client.server.finish_all()
    assert client.server.is_clean()


@EACH
def test_after_a_failure_the_method_can_be_called_again(method: type) -> None:
    client, _ = begin(method)
    client.server.fail(HResult.VSS_E_PROVIDER_VETO)
    assert client.ask(method(client.set_id, 1000)).result == HResult.ZERO


@EACH
def test_a_call_repeated_while_the_job_runs_waits_for_its_end(method: type) -> None:
    client, first = begin(method)
    client.server.pass_time(10)
    second = client.send(method(client.set_id, 60_000))
    assert client.server.timer() is None
    client.server.pass_time(50)
    client.server.finish()
    assert client.server.answers[first].result == TIMEOUT_RESULT[method]
    assert client.server.answers[second].result == HResult.ZERO


@EACH
def test_the_timer_rests_until_the_last_call_has_its_answer(method: type) -> None:
    client, _ = begin(method, milliseconds=10_000)
    second = client.send(method(client.set_id, 60_000))
    client.server.pass_time(10)
    assert client.server.timer() is None
    client.server.pass_time(50)
    assert client.server.answers[second].result == TIMEOUT_RESULT[method]
    assert client.server.timer() == 180


@EACH
def test_a_call_in_the_queue_has_its_time_out_from_the_moment_it_came(method: type) -> None:
    client, _ = begin(method, milliseconds=100_000)
    other = m.DeleteShareMapping(client.set_id, client.copy_ids["data"], "\\\\nas\\data")
    call = client.send(other)
    client.server.pass_time(80)
    client.server.pass_time(19)
    late = client.send(PREPARE(client.set_id, 500))
    client.server.pass_time(0.5)
    assert client.server.answers[late].result == HResult.FSRVP_E_WAIT_TIMEOUT
    client.server.pass_time(51)
    assert client.server.answers[call].result == HResult.FSRVP_E_WAIT_TIMEOUT


def test_calls_behind_a_job_run_in_their_order() -> None:
    client = client_at(Status.ADDED)
    calls = [
        client.send(PREPARE(client.set_id, 9000)),
        client.send(COMMIT(client.set_id, 9000)),
        client.send(EXPOSE(client.set_id, 9000)),
        client.send(m.RecoveryCompleteShadowCopySet(client.set_id)),
        client.send(PREPARE(client.set_id, 9000)),
    ]
    client.server.finish_all()
    results = [client.server.answers[call].result for call in calls]
    assert results == [0, 0, 0, 0, HResult.FSRVP_E_BAD_STATE]
    assert list(client.server.answers)[-5:] == calls


# Commit


@pytest.mark.spec("3.1.4.5-4")
def test_commit_is_in_progress_while_its_job_runs() -> None:
    client, _ = begin(COMMIT)
    assert client.server.status(client.set_id) is Status.CREATION_IN_PROGRESS


@pytest.mark.spec("3.1.4.5-4")
@pytest.mark.parametrize("prepared", [True, False])
def test_the_store_knows_of_a_commit_before_it_begins(client: Client, prepared: bool) -> None:
    client.reach(Status.ADDED)
    if prepared:
        client.send(PREPARE(client.set_id, 1000))
        client.server.finish_all()
    known = dict(client.server.store)
    client.send(COMMIT(client.set_id, 1000))
    assert from_document(client.server.store[client.set_id]).may_have_unrecorded_snapshots
    assert (client.server.store == known) is prepared, "nothing is written while all stands still"


@pytest.mark.spec("3.1.4.5-4")
def test_commit_takes_one_snapshot_a_copy(client: Client) -> None:
    client.reach(Status.COMMITTED, shares=("data", "home"))
    wanted = {format_guid(copy_id) for copy_id in client.copy_ids.values()}
    assert set(client.server.disk) == wanted


def test_how_far_apart_the_snapshots_were_taken_is_kept(client: Client) -> None:
    client.reach(Status.COMMITTED, shares=("data", "home"))
    client.server.restart()
    [restored] = client.server.table
    assert restored.snapshot_skew == SKEW


@pytest.mark.parametrize("writable", [True, False])
def test_snapshots_are_writable_with_auto_recovery_only(client: Client, writable: bool) -> None:
    client.reach(Status.ADDED, context.ATTR_AUTO_RECOVERY if writable else 0)
    client.send(COMMIT(client.set_id, 1000))
    assert isinstance(client.server.job, Commit)
    assert [each.writable for each in client.server.job.requests] == [writable]


@pytest.mark.spec("3.1.4.5-10")
def test_snapshots_that_come_too_late_are_removed(client: Client) -> None:
    client.reach(Status.ADDED)
    client.send(COMMIT(client.set_id, 1000))
    client.server.pass_time(2)
    client.server.finish()
    assert client.server.disk
    assert isinstance(client.server.job, Remove)
    client.server.finish()
    assert not client.server.disk
    assert client.server.status(client.set_id) is Status.CREATION_IN_PROGRESS
    client.send(m.AbortShadowCopySet(client.set_id))
    assert client.server.is_clean(), "nothing is left to be looked for"


@pytest.mark.spec("3.1.4.5-2")
def test_commit_after_one_that_timed_out_takes_new_snapshots(client: Client) -> None:
    client.reach(Status.ADDED)
    client.send(COMMIT(client.set_id, 1000))
    client.server.pass_time(2)
    client.server.finish()
    early = client.server.disk[format_guid(client.copy_ids["data"])]
    client.server.pass_time(3)
    assert client.commit() == HResult.ZERO
    late = client.server.disk[format_guid(client.copy_ids["data"])]
    assert late.created > early.created
    assert client.expose() == HResult.ZERO


@pytest.mark.parametrize("error", [HResult.FSRVP_E_WAIT_FAILED, HResult.VSS_E_PROVIDER_VETO])
def test_what_a_failed_commit_has_left_is_looked_for(client: Client, error: HResult) -> None:
    client.reach(Status.ADDED, shares=("data", "home"))
    client.send(COMMIT(client.set_id, 1000))
    assert isinstance(client.server.job, Commit)
    client.server.take(client.server.job.requests[0])
    client.server.fail(error)
    client.server.finish_all()
    assert not client.server.disk
    assert client.commit() == HResult.ZERO
    assert len(client.server.disk) == 2


@pytest.mark.parametrize("how", ["late", "failed", "wait failed"])
def test_a_set_whose_commit_cannot_be_rolled_back_is_removed(client: Client, how: str) -> None:
    client.reach(Status.ADDED)
    client.send(COMMIT(client.set_id, 1000))
    assert isinstance(client.server.job, Commit)
    if how == "late":
        client.server.pass_time(2)
        client.server.finish()
    else:
        client.server.take(client.server.job.requests[0])
        waiting = how == "wait failed"
        error = HResult.FSRVP_E_WAIT_FAILED if waiting else HResult.VSS_E_PROVIDER_VETO
        client.server.fail(error)
    client.server.fail(HResult.VSS_E_PROVIDER_VETO)
    assert client.server.set(client.set_id) is None
    client.server.fail(HResult.VSS_E_PROVIDER_VETO)
    assert client.server.disk
    client.server.pass_time(60)
    client.server.finish()
    assert client.server.is_clean()


def test_a_set_aborted_while_what_it_left_is_looked_for_is_looked_for_again(
    client: Client,
) -> None:
    client.reach(Status.ADDED)
    client.send(COMMIT(client.set_id, 1000))
    assert isinstance(client.server.job, Commit)
    client.server.take(client.server.job.requests[0])
    client.server.fail(HResult.FSRVP_E_WAIT_FAILED)
    client.send(m.AbortShadowCopySet(client.set_id))
    client.server.fail(HResult.VSS_E_PROVIDER_VETO)  # the search
    client.server.finish()
    assert client.server.is_clean()


@pytest.mark.parametrize("error", [HResult.FSRVP_E_WAIT_FAILED, HResult.VSS_E_PROVIDER_VETO])
def test_a_commit_that_fails_after_the_abort_is_searched_for_once(
    client: Client, error: HResult
) -> None:
    client.reach(Status.ADDED)
    client.send(COMMIT(client.set_id, 1000))
    client.send(m.AbortShadowCopySet(client.set_id))
    assert isinstance(client.server.job, Commit)
    client.server.take(client.server.job.requests[0])
    client.server.fail(error)
    client.server.finish()
    assert client.server.is_clean()


@pytest.mark.parametrize("fails", [True, False])
def test_what_prepare_left_is_removed_without_a_commit(client: Client, fails: bool) -> None:
    """A provider may clone in Prepare; of two copies one may have done so when the other failed."""
    client.reach(Status.ADDED)
    client.send(PREPARE(client.set_id, 1000))
    client.send(m.AbortShadowCopySet(client.set_id))
    assert isinstance(client.server.job, Prepare)
    client.server.take(client.server.job.requests[0])
    if fails:
        client.server.fail(HResult.FSRVP_E_WAIT_FAILED)
    client.server.finish_all()
    assert client.server.is_clean()


# Expose


@pytest.mark.spec("3.1.4.6-4")
@pytest.mark.spec("3.1.4.6-8")
def test_every_mapping_is_exposed_under_the_name_of_share_and_copy(client: Client) -> None:
    client.reach(Status.STARTED)
    client.add("data")
    client.add("hidden$")
    client.prepare()
    client.commit()
    assert client.expose() == HResult.ZERO
    ids = {share: format_guid(copy_id) for share, copy_id in client.copy_ids.items()}
    assert client.server.shares == {f"data@{ids['data']}", f"hidden$@{ids['hidden$']}$"}
    shadow_copy_set = client.server.set(client.set_id)
    assert shadow_copy_set is not None
    mappings = [c.share_mapping_list[0] for c in shadow_copy_set.shadow_copy_list]
    assert {mapped.shadow_copy_share_name for mapped in mappings} == client.server.shares
    assert all(mapped.is_exposed for mapped in mappings)


@pytest.mark.spec("3.1.4.6-5")
@pytest.mark.spec("3.1.4.6-6")
@pytest.mark.parametrize("recovery", [0, context.ATTR_AUTO_RECOVERY, context.ATTR_NO_AUTO_RECOVERY])
@pytest.mark.parametrize("value", sorted(context.NAMES), ids=hex)
def test_the_share_clones_its_base_and_is_writable_with_auto_recovery_only(
    client: Client, value: int, recovery: int
) -> None:
    client.reach(Status.COMMITTED, value | recovery)
    client.send(EXPOSE(client.set_id, 1000))
    assert isinstance(client.server.job, Expose)
    (share,) = client.server.job.shares
    assert (share.base, share.name) == ("data", client.shadow_share)
    assert share.read_only == (recovery != context.ATTR_AUTO_RECOVERY)
    (export,) = client.server.job.exports
    assert export.snapshot == client.server.disk[format_guid(client.copy_ids["data"])]
    assert (share.path, share.read_only) == (export.mount_point, not export.writable)


@pytest.mark.spec("3.1.4.6-7")
def test_nothing_is_exposed_before_the_whole_set_is(client: Client) -> None:
    client.reach(Status.COMMITTED, shares=("data", "home"))
    client.send(EXPOSE(client.set_id, 1000))
    assert client.server.status(client.set_id) is Status.COMMITTED
    assert isinstance(client.server.job, Expose)
    assert len(client.server.job.shares) == 2


@pytest.mark.spec("3.1.4.6-14")
def test_shares_that_come_too_late_are_removed(client: Client) -> None:
    client.reach(Status.COMMITTED)
    client.send(EXPOSE(client.set_id, 1000))
    client.server.pass_time(2)
    client.server.finish()
    assert client.server.shares
    client.server.finish()
    assert not client.server.shares
    assert client.server.disk
    assert client.server.status(client.set_id) is Status.COMMITTED
    assert client.expose() == HResult.ZERO
    assert client.server.shares == {client.shadow_share}


def test_the_names_are_durable_before_an_exposure_is_refused(client: Client) -> None:
    """A restart removes the shares of these names, though it would find them."""
    client.reach(Status.COMMITTED)
    client.send(EXPOSE(client.set_id, 1000))
    client.server.pass_time(1)
    assert client.shadow_share in client.server.store[client.set_id]
