"""3.1.3 Initialization: what of a set lives on when the daemon is started anew."""

from __future__ import annotations

import json

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import format_guid
from fsrvpd.protocol import context
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status, from_document
from fsrvpd.protocol.settings import CURRENT, WS2012
from tests.unit.protocol.driver import Client, Server, client_at, guid, place_of, unc

LIVES = [Status.COMMITTED, Status.EXPOSED, Status.RECOVERED]
DIALECTS = pytest.mark.parametrize("dialect", [CURRENT, WS2012], ids=lambda d: d.name)


@pytest.mark.spec("3.1.3-1")
@pytest.mark.spec("3.1.3-2")
@pytest.mark.spec("3.1.3-3")
def test_a_new_server_has_no_context_and_no_sets(server: Server) -> None:
    assert not server.context_set()
    assert len(server.agent.table) == 0
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
    assert len(client.server.agent.table) == 0
    client.server.finish()
    assert client.server.is_clean()


@pytest.mark.spec("3.1.3-4")
def test_an_expose_that_was_cut_short_is_known_to_the_abort(client: Client) -> None:
    client.reach(Status.COMMITTED)
    client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    client.server.shares.add(client.shadow_share)  # the registry was quicker than the power cut
    client.server.restart()
    assert client.server.status(client.set_id) is Status.COMMITTED
    assert client.abort() == HResult.ZERO
    assert client.server.is_clean()


@pytest.fixture
def half_exposed(client: Client) -> Client:
    """The daemon has died between the making of the share and its answer, and is back."""
    client.reach(Status.COMMITTED)
    client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    client.server.shares.add(client.shadow_share)
    client.server.restart()
    assert client.server.status(client.set_id) is Status.COMMITTED
    assert client.server.shares
    return client


def names_in_store(client: Client) -> list[str]:
    return from_document(client.server.store[client.set_id]).exposed_names


@pytest.mark.spec("3.1.3-4")
def test_a_share_that_nobody_was_told_of_is_withdrawn(half_exposed: Client) -> None:
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
    ticket = client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    client.server.finish()
    assert ticket not in client.server.answers
    client.server.finish()
    assert client.server.answers[ticket].result == HResult.ZERO
    assert client.server.shares == {client.shadow_share}


def test_an_abort_takes_what_is_being_withdrawn(half_exposed: Client) -> None:
    ticket = half_exposed.send(m.AbortShadowCopySet(half_exposed.set_id))
    half_exposed.server.finish_all()
    assert half_exposed.server.answers[ticket].result == HResult.ZERO
    assert half_exposed.server.is_clean()


@pytest.fixture
def not_withdrawn(half_exposed: Client) -> Client:
    half_exposed.server.fail(HResult.E_UNEXPECTED)
    event = half_exposed.server.events[-1]
    assert event.name == "shares-not-withdrawn"
    assert "made anew when the client exposes it" in event.text
    assert names_in_store(half_exposed) == [half_exposed.shadow_share]
    return half_exposed


def test_shares_that_could_not_be_withdrawn_go_with_the_set(not_withdrawn: Client) -> None:
    not_withdrawn.server.pass_time(180)
    not_withdrawn.server.finish()
    assert not_withdrawn.server.is_clean()


def test_shares_that_could_not_be_withdrawn_are_exposed_anew(not_withdrawn: Client) -> None:
    assert not_withdrawn.expose() == HResult.ZERO
    assert not_withdrawn.server.shares == {not_withdrawn.shadow_share}


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
    if dialect is WS2012 and status is Status.EXPOSED:
        assert client.server.timer() is None
        return
    assert client.server.timer() == seconds
    client.server.pass_time(seconds)
    client.server.finish()
    assert client.server.is_clean()


@DIALECTS
@pytest.mark.parametrize("status", LIVES)
def test_the_client_goes_on_where_it_was(status: Status, dialect: object) -> None:
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


def test_sets_finished_under_another_dialect_do_not_fight_for_the_turn() -> None:
    """Of several Exposed sets of a client the latest may go on; without a turn, and so
    without a timer, the others would stay for ever."""
    client = Client(Server(dialect=WS2012))
    for _ in range(3):
        client.server.pass_time(1)
        client.reach(Status.EXPOSED)
    client.server.store = dict(reversed(list(client.server.store.items())))
    client.server.restart(dialect=CURRENT)
    assert [s.shadow_copy_set_id for s in client.server.agent.table] == [client.set_id]
    client.server.finish_all()
    assert len(client.server.disk) == 1
    assert client.recovery_complete() == HResult.ZERO


def test_sets_made_in_parallel_do_not_fight_for_the_servers_one_turn(server: Server) -> None:
    for number in (1, 2, 3):
        server.pass_time(1)
        client = Client(server, f"10.0.0.{number}").reach(Status.COMMITTED)
    server.restart(parallel_sets=False)
    assert [s.shadow_copy_set_id for s in server.agent.table] == [client.set_id]
    server.finish_all()
    assert client.expose() == HResult.ZERO


def test_questions_are_answered_from_what_was_restored() -> None:
    client = client_at(Status.RECOVERED)
    client.server.restart()
    response = client.ask(m.IsPathShadowCopied(unc("data")), place_of("data"))
    assert response == m.PathShadowCopiedResponse(HResult.ZERO, True, 0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "[]",
        lambda text: text[:-1],
        lambda text: text.replace('"format":', '"format":9'),
        lambda text: text.replace("Recovered", "Resting"),
        lambda text: json.dumps({**json.loads(text), "set": None}),
        lambda text: json.dumps({**json.loads(text), "set": format_guid(guid(5))}),
        lambda text: json.dumps({**json.loads(text), "copies": [{}]}),
    ],
)
def test_a_document_that_cannot_be_read_is_left_alone_and_told_of(spoil: object) -> None:
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
