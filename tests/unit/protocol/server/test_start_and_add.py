"""3.1.4.3 StartShadowCopySet and 3.1.4.4 AddToShadowCopySet."""

from __future__ import annotations

import pytest

from fsrvpd.core import messages as m
from fsrvpd.errors import PeerError
from fsrvpd.protocol import context
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import MappedShare, Status
from fsrvpd.protocol.settings import CURRENT, WS2012
from tests.unit.protocol.server.driver import Client, Server, client_at, guid, location_of, unc


@pytest.mark.spec("3.1.4.3-1")
def test_start_without_a_context_is_a_bad_state(client: Client) -> None:
    before = client.server.state()
    assert client.start() == m.GuidResponse(HResult.FSRVP_E_BAD_STATE)
    assert client.server.state() == before


@pytest.mark.spec("3.1.4.3-1")
def test_start_after_the_context_timer_elapsed_is_a_bad_state(client: Client) -> None:
    client.set_context()
    client.server.pass_time(180)
    assert client.start().result == HResult.FSRVP_E_BAD_STATE


@pytest.mark.spec("3.1.4.3-1")
@pytest.mark.parametrize(
    ("parallel", "result"),
    [
        (True, HResult.FSRVP_E_BAD_STATE),
        (False, HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS),
    ],
)
def test_a_context_is_of_no_use_to_another_address(parallel: bool, result: int) -> None:
    server = Server(parallel_sets=parallel)
    Client(server).set_context()
    assert Client(server, "10.0.0.2").start().result == result


@pytest.mark.spec("3.1.4.3-2")
@pytest.mark.parametrize("status", [s for s in Status if s is not Status.RECOVERED])
def test_start_while_a_set_is_unfinished_is_refused(status: Status) -> None:
    client = client_at(status)
    before = client.server.state()
    in_progress = HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
    assert client.start() == m.GuidResponse(in_progress)
    assert client.server.state() == before


@pytest.mark.spec("3.1.4.3-2")
def test_recovered_sets_do_not_stand_in_the_way(client: Client) -> None:
    client.reach(Status.RECOVERED)
    client.reach(Status.RECOVERED)
    assert len(client.server.table) == 2


@pytest.mark.spec("3.1.4.3-6")
def test_a_null_client_id_is_invalid(client: Client) -> None:
    client.set_context()
    before = client.server.state()
    response = client.ask(m.StartShadowCopySet(m.NULL_GUID))
    assert response == m.GuidResponse(HResult.E_INVALIDARG)
    assert client.server.state() == before


@pytest.mark.spec("3.1.4.3-4")
def test_the_set_is_new_started_empty_and_has_the_context(client: Client) -> None:
    client.set_context(context.CTX_APP_ROLLBACK)
    made = client.start()
    shadow_copy_set = client.server.set(made.guid)
    assert shadow_copy_set is not None
    assert made.guid not in (m.NULL_GUID, guid(1))
    assert shadow_copy_set.status is Status.STARTED
    assert shadow_copy_set.context == context.CTX_APP_ROLLBACK
    assert shadow_copy_set.shadow_copy_list == []


@pytest.mark.spec("3.1.4.3-3")
@pytest.mark.spec("3.1.4.3-5")
def test_start_restarts_the_timer_at_180_seconds(client: Client) -> None:
    client.set_context()
    client.server.pass_time(100)
    client.start()
    assert client.server.timer() == 180


@pytest.mark.spec("3.1.4.3-7")
@pytest.mark.parametrize("status", [Status.ADDED, Status.EXPOSED])
def test_an_abort_does_not_block_the_next_start(status: Status) -> None:
    """Windows' thirty minutes of note 6 are not copied."""
    client = client_at(status)
    assert client.abort() == HResult.ZERO
    client.reach(Status.RECOVERED)


# AddToShadowCopySet


def add(client: Client, location: object, share: str = "data") -> m.GuidResponse:
    request = m.AddToShadowCopySet(guid(2), client.set_id, unc(share))
    response = client.ask(request, location)  # type: ignore[arg-type]
    assert isinstance(response, m.GuidResponse)
    return response


@pytest.mark.spec("3.1.4.4-1")
@pytest.mark.spec("3.1.4.4-2")
@pytest.mark.parametrize(
    "result",
    [HResult.FSRVP_E_OBJECT_NOT_FOUND, HResult.FSRVP_E_NOT_SUPPORTED, HResult.E_INVALIDARG],
    ids=["no such share", "no provider, or a mount point below", "not our host"],
)
def test_a_share_that_cannot_be_copied_is_refused_with_the_reason(
    client: Client, result: HResult
) -> None:
    client.reach(Status.STARTED)
    before = client.server.state()
    refused = PeerError(result, "because")
    assert add(client, refused) == m.GuidResponse(result)
    assert client.server.state() == before


@pytest.mark.spec("3.1.4.4-1")
def test_the_share_is_looked_at_before_the_set(client: Client) -> None:
    refused = PeerError(HResult.FSRVP_E_OBJECT_NOT_FOUND, "because")
    client.set_id = guid(0xBAD)
    assert add(client, refused).result == HResult.FSRVP_E_OBJECT_NOT_FOUND


@pytest.mark.spec("3.1.4.4-3")
@pytest.mark.parametrize(
    ("dialect", "result"),
    [(CURRENT, HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH), (WS2012, HResult.E_INVALIDARG)],
)
def test_add_to_an_unknown_set(dialect: object, result: HResult) -> None:
    client = client_at(Status.STARTED, dialect=dialect)
    client.set_id = guid(0xBAD)
    before = client.server.state()
    assert add(client, location_of("data")) == m.GuidResponse(result)
    assert client.server.state() == before


@pytest.mark.spec("3.1.4.4-5")
@pytest.mark.spec("3.1.4.4-6")
def test_a_second_share_of_the_volume_exists_already_and_shortens_the_timer(
    client: Client,
) -> None:
    client.reach(Status.STARTED)
    client.add("data", volume="pool")
    assert client.server.timer() == 1800
    before = client.document()
    assert client.add("home", volume="pool").result == HResult.FSRVP_E_OBJECT_ALREADY_EXISTS
    assert client.server.timer() == 180
    assert client.document() == before
    assert client.prepare() == HResult.ZERO


@pytest.mark.spec("3.1.4.4-6")
def test_the_same_share_twice_exists_already(client: Client) -> None:
    client.reach(Status.ADDED)
    assert client.add("data").result == HResult.FSRVP_E_OBJECT_ALREADY_EXISTS


@pytest.mark.spec("3.1.4.4-7")
@pytest.mark.spec("3.1.4.4-8")
@pytest.mark.spec("3.1.4.4-9")
def test_a_copy_holds_volume_time_and_one_mapping(client: Client) -> None:
    client.reach(Status.STARTED)
    client.server.pass_time(12.5)
    made = client.add("data", volume="pool")
    shadow_copy_set = client.server.set(client.set_id)
    assert shadow_copy_set is not None
    assert shadow_copy_set.status is Status.ADDED
    (copy,) = shadow_copy_set.shadow_copy_list
    assert copy.shadow_copy_id == made.guid
    assert made.guid not in (m.NULL_GUID, guid(2), client.set_id)
    assert copy.volume_name == "pool"
    assert copy.created == client.server.wall_clock()
    (mapped,) = copy.share_mapping_list
    assert isinstance(mapped, MappedShare)
    assert (mapped.share_name, mapped.share) == (unc("data"), "data")
    assert (mapped.shadow_copy_share_name, mapped.is_exposed) == ("", False)


@pytest.mark.spec("3.1.4.4-5")
@pytest.mark.spec("3.1.4.4-10")
def test_add_starts_the_timer_at_1800_seconds(client: Client) -> None:
    client.reach(Status.STARTED)
    client.server.pass_time(170)
    client.add("data")
    assert client.server.timer() == 1800
    client.server.pass_time(1700)
    client.add("home")
    assert client.server.timer() == 1800


@pytest.mark.spec("3.1.4.4-11")
def test_the_clients_copy_id_is_ignored(client: Client) -> None:
    client.reach(Status.STARTED)
    request = m.AddToShadowCopySet(m.NULL_GUID, client.set_id, unc("data"))
    assert client.ask(request, location_of("data")).result == HResult.ZERO
