"""Every method that names a set, in every Status: permitted, or refused and without effect."""

from __future__ import annotations

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.settings import CURRENT, WS2012, Dialect
from tests.unit.protocol.server.driver import Client, Server, client_at, guid

S = Status
METHODS = {
    Opnum.AddToShadowCopySet: lambda client: client.add("another").result,
    Opnum.PrepareShadowCopySet: lambda client: client.prepare(),
    Opnum.CommitShadowCopySet: lambda client: client.commit(),
    Opnum.ExposeShadowCopySet: lambda client: client.expose(),
    Opnum.RecoveryCompleteShadowCopySet: lambda client: client.recovery_complete(),
    Opnum.AbortShadowCopySet: lambda client: client.abort(),
    Opnum.GetShareMapping: lambda client: client.mapping().result,
    Opnum.DeleteShareMapping: lambda client: client.delete(),
}
# Taken from MS-FSRVP once more, not from the agent's own table.
PERMITTED = {
    Opnum.AddToShadowCopySet: {S.STARTED, S.ADDED},
    Opnum.PrepareShadowCopySet: {S.ADDED},
    Opnum.CommitShadowCopySet: {S.ADDED, S.CREATION_IN_PROGRESS},
    Opnum.ExposeShadowCopySet: {S.COMMITTED},
    Opnum.RecoveryCompleteShadowCopySet: {S.EXPOSED},
    Opnum.AbortShadowCopySet: {
        S.STARTED,
        S.ADDED,
        S.CREATION_IN_PROGRESS,
        S.COMMITTED,
        S.EXPOSED,
    },
    Opnum.GetShareMapping: {S.EXPOSED, S.RECOVERED},
    Opnum.DeleteShareMapping: {S.EXPOSED, S.RECOVERED},
}
NEXT = {
    Opnum.AddToShadowCopySet: S.ADDED,
    Opnum.CommitShadowCopySet: S.COMMITTED,
    Opnum.ExposeShadowCopySet: S.EXPOSED,
    Opnum.RecoveryCompleteShadowCopySet: S.RECOVERED,
}
REMOVING = {Opnum.AbortShadowCopySet, Opnum.DeleteShareMapping}  # the only mapping
ALL = [(opnum, status) for opnum in METHODS for status in Status]
REFUSED = [(o, s) for o, s in ALL if s not in PERMITTED[o]]
GRANTED = [(o, s) for o, s in ALL if s in PERMITTED[o]]
DIALECTS = pytest.mark.parametrize("dialect", [CURRENT, WS2012], ids=lambda d: d.name)


def name(value: object) -> str:
    return getattr(value, "name", str(value))


def settled(client: Client, status: Status) -> Client:
    """CreationInProgress without a job: its commit has failed."""
    if status is S.CREATION_IN_PROGRESS:
        client.server.fail(HResult.VSS_E_PROVIDER_VETO)
        client.server.finish_all()
    return client


@pytest.mark.spec("3.1.4.4-4")
@pytest.mark.spec("3.1.4.5-2")
@pytest.mark.spec("3.1.4.6-2")
@pytest.mark.spec("3.1.4.7-2")
@pytest.mark.spec("3.1.4.8-4")
@pytest.mark.spec("3.1.4.11-3")
@pytest.mark.spec("3.1.4.12-3")
@pytest.mark.spec("3.1.4.13-2")
@DIALECTS
@pytest.mark.parametrize(("opnum", "status"), REFUSED, ids=name)
def test_a_method_in_another_status_is_a_bad_state_and_changes_nothing(
    opnum: Opnum, status: Status, dialect: Dialect
) -> None:
    client = settled(client_at(status, dialect=dialect), status)
    before = client.server.state()
    expected = HResult.FSRVP_E_BAD_STATE
    if opnum is Opnum.GetShareMapping:
        expected = dialect.mapping_too_early
    assert METHODS[opnum](client) == expected
    assert client.server.state() == before


@DIALECTS
@pytest.mark.parametrize(("opnum", "status"), GRANTED, ids=name)
def test_a_method_in_a_permitted_status_succeeds(
    opnum: Opnum, status: Status, dialect: Dialect
) -> None:
    client = settled(client_at(status, dialect=dialect), status)
    assert METHODS[opnum](client) == HResult.ZERO
    expected = None if opnum in REMOVING else NEXT.get(opnum, status)
    assert client.server.status(client.set_id) is expected


# DeleteShareMapping has a result of its own for a set that does not exist.
UNKNOWN = [
    (opnum, CURRENT, HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH)
    for opnum in METHODS
    if opnum is not Opnum.DeleteShareMapping
]
UNKNOWN += [(o, WS2012, HResult.E_INVALIDARG) for o, _, _ in UNKNOWN]
UNKNOWN += [
    (Opnum.DeleteShareMapping, CURRENT, HResult.FSRVP_E_OBJECT_NOT_FOUND),
    (Opnum.DeleteShareMapping, WS2012, HResult.FSRVP_E_OBJECT_NOT_FOUND),
]


@pytest.mark.spec("3.1.4.4-3")
@pytest.mark.spec("3.1.4.5-1")
@pytest.mark.spec("3.1.4.6-1")
@pytest.mark.spec("3.1.4.7-1")
@pytest.mark.spec("3.1.4.8-2")
@pytest.mark.spec("3.1.4.11-2")
@pytest.mark.spec("3.1.4.12-2")
@pytest.mark.spec("3.1.4.13-1")
@pytest.mark.parametrize(("opnum", "dialect", "expected"), UNKNOWN, ids=name)
def test_an_unknown_set_has_its_own_result(
    opnum: Opnum, dialect: Dialect, expected: HResult
) -> None:
    client = client_at(Status.EXPOSED, dialect=dialect)
    client.set_id = guid(0xBAD)
    before = client.server.state()
    assert METHODS[opnum](client) == expected
    assert client.server.state() == before


@pytest.mark.spec("3.1.4-4")
@pytest.mark.parametrize("opnum", METHODS, ids=name)
def test_a_null_set_id_is_invalid(opnum: Opnum) -> None:
    client = client_at(Status.EXPOSED)
    client.set_id = bytes(16)
    before = client.server.state()
    assert METHODS[opnum](client) == HResult.E_INVALIDARG
    assert client.server.state() == before


@pytest.mark.spec("3.1.4-3")
@pytest.mark.parametrize("opnum", METHODS, ids=name)
def test_a_set_is_not_bound_to_the_connection_or_address_that_made_it(opnum: Opnum) -> None:
    """A backup program may delete what another machine had made."""
    status = next(iter(PERMITTED[opnum]))
    maker = client_at(status)
    other = Client(maker.server, "10.0.0.2")
    other.set_id, other.copy_ids = maker.set_id, maker.copy_ids
    assert METHODS[opnum](other) == HResult.ZERO


def test_a_server_without_sets_knows_none() -> None:
    client = Client(Server())
    client.set_id = guid(7)
    assert client.commit() == HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
