"""3.1.4.9 IsPathSupported, 3.1.4.10 IsPathShadowCopied and 3.1.4.11 GetShareMapping."""

from __future__ import annotations

import pytest

from fsrvpd import filetime
from fsrvpd.core import messages as m
from fsrvpd.errors import PeerError
from fsrvpd.protocol import context
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.settings import CURRENT, WS2012
from tests.unit.protocol.server.driver import Client, client_at, guid, location_of, unc

NOT_FOUND = PeerError(HResult.FSRVP_E_OBJECT_NOT_FOUND, "no such share")
NOT_SUPPORTED = PeerError(HResult.FSRVP_E_NOT_SUPPORTED, "a mount point lies below it")
FOREIGN = PeerError(HResult.E_INVALIDARG, "another host")


def is_copied(client: Client, location: object) -> m.PathShadowCopiedResponse:
    response = client.ask(m.IsPathShadowCopied(unc("data")), location)  # type: ignore[arg-type]
    assert isinstance(response, m.PathShadowCopiedResponse)
    return response


@pytest.mark.spec("3.1.4.9-3")
@pytest.mark.spec("3.1.4.9-4")
def test_a_supported_share_names_the_machine_to_connect_to(client: Client) -> None:
    response = client.ask(m.IsPathSupported(unc("data")), location_of("data"))
    assert response == m.PathSupportedResponse(HResult.ZERO, True, "NAS")


@pytest.mark.spec("3.1.4.9-1")
@pytest.mark.spec("3.1.4.9-2")
@pytest.mark.parametrize("error", [NOT_FOUND, NOT_SUPPORTED, FOREIGN], ids=str)
def test_a_share_that_is_not_supported_is_refused(client: Client, error: PeerError) -> None:
    response = client.ask(m.IsPathSupported(unc("data")), error)
    assert response == m.PathSupportedResponse(error.result, False, None)


@pytest.mark.spec("3.1.4.10-1")
@pytest.mark.parametrize("error", [NOT_FOUND, FOREIGN], ids=str)
def test_asking_about_copies_of_no_share_is_refused(client: Client, error: PeerError) -> None:
    assert is_copied(client, error) == m.PathShadowCopiedResponse(error.result, False, 0)


@pytest.mark.spec("3.1.4.10-4")
def test_storage_of_which_no_copies_can_be_taken_has_none(client: Client) -> None:
    assert is_copied(client, NOT_SUPPORTED) == m.PathShadowCopiedResponse(HResult.ZERO, False, 0)


@pytest.mark.spec("3.1.4.10-2")
@pytest.mark.spec("3.1.4.10-5")
@pytest.mark.parametrize("status", Status)
def test_a_copy_is_present_once_it_is_committed(status: Status) -> None:
    client = client_at(status)
    present = status in (Status.COMMITTED, Status.EXPOSED, Status.RECOVERED)
    assert is_copied(client, location_of("data")).shadow_copy_present == present


@pytest.mark.spec("3.1.4.10-3")
def test_copies_are_found_by_volume_not_by_share(client: Client) -> None:
    client.reach(Status.STARTED)
    client.add("data", volume="pool")
    client.prepare()
    client.commit()
    assert is_copied(client, location_of("home", "pool")).shadow_copy_present
    assert not is_copied(client, location_of("data", "elsewhere")).shadow_copy_present


@pytest.mark.spec("3.1.4.10-3")
def test_the_last_of_several_copies_decides(client: Client) -> None:
    client.reach(Status.RECOVERED)
    first = Client(client.server)
    first.set_id, first.copy_ids = client.set_id, dict(client.copy_ids)
    client.reach(Status.RECOVERED)
    first.delete()
    assert is_copied(client, location_of("data")).shadow_copy_present
    client.delete()
    assert not is_copied(client, location_of("data")).shadow_copy_present


@pytest.mark.spec("3.1.4.10-6")
def test_no_provider_hinders_defragmentation_or_indexing() -> None:
    client = client_at(Status.RECOVERED)
    assert is_copied(client, location_of("data")).shadow_copy_compatibility == 0


# GetShareMapping


@pytest.mark.spec("3.1.4.11-6")
@pytest.mark.spec("3.1.4.11-8")
@pytest.mark.parametrize("status", [Status.EXPOSED, Status.RECOVERED])
def test_the_mapping_names_share_copy_set_and_time(status: Status) -> None:
    client = client_at(status)
    shadow_copy_set = client.server.set(client.set_id)
    assert shadow_copy_set is not None
    created = filetime.from_unix(shadow_copy_set.shadow_copy_list[0].created)
    expected = m.ShareMapping1(
        client.set_id, client.copy_ids["data"], unc("data"), client.shadow_share, created
    )
    assert client.mapping() == m.ShareMappingResponse(HResult.ZERO, 1, expected)


@pytest.mark.spec("3.1.4.11-7")
def test_the_shadow_copy_share_is_a_bare_name() -> None:
    mapping = client_at(Status.EXPOSED).mapping().share_mapping
    assert mapping.shadow_copy_share_name.startswith("data@{")
    assert "\\" not in mapping.shadow_copy_share_name


@pytest.mark.spec("3.1.4.11-1")
@pytest.mark.parametrize("level", [0, 2, 0xFFFFFFFF])
def test_any_other_level_is_invalid(level: int) -> None:
    client = client_at(Status.EXPOSED)
    before = client.server.state()
    assert client.mapping(level=level).result == HResult.E_INVALIDARG
    assert client.server.state() == before


@pytest.mark.spec("3.1.4.11-1")
def test_the_level_is_looked_at_before_the_set(client: Client) -> None:
    client.set_id = guid(0xBAD)
    assert client.mapping(level=2).result == HResult.E_INVALIDARG


@pytest.mark.spec("3.1.4.11-3")
@pytest.mark.parametrize(
    ("dialect", "result"),
    [(CURRENT, HResult.FSRVP_E_BAD_STATE), (WS2012, 0x80042311)],
)
def test_before_expose_the_dialects_differ(dialect: object, result: int) -> None:
    client = client_at(Status.COMMITTED, dialect=dialect)
    assert client.mapping() == m.ShareMappingResponse(result, 1, None)


@pytest.mark.spec("3.1.4.11-4")
@pytest.mark.spec("3.1.4.11-5")
@pytest.mark.parametrize("dialect", [CURRENT, WS2012], ids=lambda d: d.name)
def test_an_unknown_copy_or_share_is_invalid_and_leaves_the_timer(dialect: object) -> None:
    client = client_at(Status.EXPOSED, dialect=dialect)
    copy_id = client.copy_ids["data"]
    client.server.pass_time(10)
    before = client.server.state()
    for request in (
        m.GetShareMapping(guid(0xBAD), client.set_id, unc("data"), 1),
        m.GetShareMapping(copy_id, client.set_id, unc("other"), 1),
        m.GetShareMapping(copy_id, client.set_id, "\\\\elsewhere\\data", 1),
        m.GetShareMapping(m.NULL_GUID, client.set_id, unc("data"), 1),
    ):
        assert client.ask(request) == m.ShareMappingResponse(HResult.E_INVALIDARG, 1, None)
        assert client.server.state() == before


@pytest.mark.spec("3.1.4.11-2")
def test_the_set_is_looked_at_before_the_name(client: Client) -> None:
    request = m.GetShareMapping(guid(1), guid(0xBAD), "nonsense", 1)
    assert client.ask(request).result == HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH


@pytest.mark.spec("3.1.4.11-9")
def test_get_share_mapping_starts_the_timer_at_1800_seconds() -> None:
    client = client_at(Status.EXPOSED)
    client.server.pass_time(100)
    client.mapping()
    assert client.server.timer() == 1800


def test_a_mapping_of_a_recovered_set_starts_no_timer(client: Client) -> None:
    """Not its own, and not that of the next set of the same client."""
    client.reach(Status.RECOVERED)
    old = Client(client.server)
    old.set_id, old.copy_ids = client.set_id, dict(client.copy_ids)
    client.reach(Status.STARTED, context.CTX_NAS_ROLLBACK)
    assert old.mapping().result == HResult.ZERO
    assert client.server.timer() == 180
