"""Limits on sets and shares. MS-FSRVP has none, but a server needs them."""

from __future__ import annotations

import pytest

from fsrvpd.core import messages as m
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from tests.unit.protocol.server.driver import Client, Server

TOO_MANY_SETS = HResult.VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED
TOO_MANY_SHARES = HResult.VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED


@pytest.mark.spec("3.1.4.3-8")
def test_a_client_may_have_so_many_sets() -> None:
    server = Server(max_sets_per_client=2)
    client = Client(server)
    client.reach(Status.RECOVERED)
    client.reach(Status.RECOVERED)
    client.set_context()
    before = server.state()
    assert client.start() == m.GuidResponse(TOO_MANY_SETS)
    assert server.state() == before
    Client(server, "10.0.0.2").reach(Status.RECOVERED)
    assert client.delete() == HResult.ZERO
    assert client.start().result == HResult.ZERO


@pytest.mark.spec("3.1.4.3-8")
def test_the_server_may_have_so_many_sets() -> None:
    server = Server(max_sets=2)
    for number in (1, 2):
        Client(server, f"10.0.0.{number}").reach(Status.RECOVERED)
    client = Client(server, "10.0.0.3")
    client.set_context()
    assert client.start().result == TOO_MANY_SETS


@pytest.mark.spec("3.1.4.3-8")
def test_what_cannot_be_removed_counts() -> None:
    """Otherwise a client could fill a disk by aborting sets that cannot be removed."""
    for limit in ("max_sets", "max_sets_per_client"):
        client = Client(Server(**{limit: 1})).reach(Status.COMMITTED)
        client.send(m.AbortShadowCopySet(client.set_id))
        client.server.fail(HResult.VSS_E_PROVIDER_VETO)
        client.set_context()
        assert client.start().result == TOO_MANY_SETS
        client.server.pass_time(60)
        client.server.finish()
        assert client.start().result == HResult.ZERO


@pytest.mark.spec("3.1.4.4-12")
def test_a_set_holds_64_shares(client: Client) -> None:
    client.reach(Status.STARTED)
    for number in range(64):
        assert client.add(f"share{number}").result == HResult.ZERO
    before = client.server.state()
    assert client.add("one too many").result == TOO_MANY_SHARES
    assert client.server.state() == before
    assert client.prepare() == client.commit() == client.expose() == HResult.ZERO


def test_all_sets_of_the_servers_own_admin_are_one_clients() -> None:
    """Each is created at an address of its own, so that one does not end another."""
    server = Server(max_sets_per_client=2)
    first, second, third = (Client(server, f"local/{number}") for number in range(3))
    first.reach(Status.EXPOSED)
    second.reach(Status.RECOVERED)
    third.set_context()
    assert third.start().result == TOO_MANY_SETS
    assert first.recovery_complete() == HResult.ZERO
