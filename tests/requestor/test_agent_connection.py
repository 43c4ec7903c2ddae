"""`SmbConnector` with real servers: a whole sequence, how it is protected, and what it costs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, TypeVar

import pytest

from fsrvpd.core import messages
from fsrvpd.core.messages import Guid, ShareMapping1, new_guid
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.sequence import TIMEOUTS
from fsrvpd.requestor.smb.agent_connection import SmbAgentConnection
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.smb.credentials import Credentials
from lab.accounts import ROOT
from tests.requestor.file_servers import WINDOWS, FileServer, open_network

Result = TypeVar("Result")
CREDENTIALS = Credentials(ROOT.name, ROOT.password)
# Negotiate, two legs of the login, IPC$, the pipe, bind and alter_context.
CONNECT_ROUND_TRIPS = 7
CREATE_CALLS = 10
# The call that is refused, the pipe's end, another pipe, bind and alter_context.
SEAL_ROUND_TRIPS = 5
AGENTS: Mapping[str, Mapping[str, Any]] = {
    "current": {},
    "ws2012-privacy": {"options": WINDOWS},
    "samba": {"own_agent": True},
}


class Client(NamedTuple):
    """A requestor's host, with the server that it talks to."""

    server: FileServer
    thread: ThreadPoolExecutor
    demands_privacy: bool  # at RPC level

    def run(self, function: Callable[[], Result]) -> Result:
        return self.thread.submit(function).result(120)

    def connect(self, *, encrypt: bool = False) -> SmbAgentConnection:
        connector = SmbConnector(CREDENTIALS, encrypt=encrypt)
        connection = self.run(lambda: connector.connect(self.server.address))
        assert isinstance(connection, SmbAgentConnection)
        return connection

    def connections(self) -> int:
        """How many TCP connections to smbd there are."""
        listed = self.server.lab.run(["ss", "-Htn", "sport", "=", ":445"]).stdout
        return len([line for line in listed.splitlines() if line.startswith("ESTAB")])


@pytest.fixture(scope="module", params=AGENTS)
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    opened = open_network(["data"], **AGENTS[request.param])
    with opened as network, network.client.network() as thread:
        yield Client(network.servers[0], thread, request.param == "ws2012-privacy")


class Made(NamedTuple):
    set_id: Guid
    copy_id: Guid
    mapping: ShareMapping1


def must(connection: SmbAgentConnection, request: messages.Request) -> messages.Response:
    response = connection.call(request)
    assert response.result == 0, f"{request}: {response}"
    return response


def create(connection: SmbAgentConnection, unc: str, context: int = 0) -> Made:
    """Every method that creates a set, in the order of 3.2.4."""
    must(connection, messages.IsPathSupported(unc))
    must(connection, messages.GetSupportedVersion())
    must(connection, messages.SetContext(context))
    started = must(connection, messages.StartShadowCopySet(new_guid()))
    assert isinstance(started, messages.GuidResponse)
    added = must(connection, messages.AddToShadowCopySet(new_guid(), started.guid, unc))
    assert isinstance(added, messages.GuidResponse)
    for kind in (
        messages.PrepareShadowCopySet,
        messages.CommitShadowCopySet,
        messages.ExposeShadowCopySet,
    ):
        must(connection, kind(started.guid, TIMEOUTS[messages.Opnum[kind.__name__]]))
    mapped = must(connection, messages.GetShareMapping(added.guid, started.guid, unc, 1))
    assert isinstance(mapped, messages.ShareMappingResponse)
    assert mapped.share_mapping is not None
    must(connection, messages.RecoveryCompleteShadowCopySet(started.guid))
    return Made(started.guid, added.guid, mapped.share_mapping)


def delete(connection: SmbAgentConnection, unc: str, made: Made) -> None:
    must(connection, messages.DeleteShareMapping(made.set_id, made.copy_id, unc))


@pytest.mark.parametrize("encrypt", [False, True], ids=["signed", "sealed"])
def test_a_whole_sequence(client: Client, encrypt: bool) -> None:
    connection = client.connect(encrypt=encrypt)
    unc = client.server.unc("data") + "\\"
    before = calls(client)
    try:
        made = client.run(lambda: create(connection, unc))
        assert made.mapping.shadow_copy_share_name in client.server.shadow_shares()
        client.run(lambda: delete(connection, unc, made))
    finally:
        client.run(connection.close)
    client.server.assert_nothing_is_left()
    assert_answered_by_the_agent(client, before)


def test_what_a_whole_create_costs(client: Client) -> None:
    """One connection, no answer waited for in vain."""
    before = client.connections()
    connection = client.connect()
    unc = client.server.unc("data") + "\\"
    try:
        assert connection.round_trips == CONNECT_ROUND_TRIPS
        made = client.run(lambda: create(connection, unc))
        more = SEAL_ROUND_TRIPS if client.demands_privacy else 0
        assert connection.round_trips == CONNECT_ROUND_TRIPS + CREATE_CALLS + more
        assert client.connections() == before + 1
        client.run(lambda: delete(connection, unc, made))
    finally:
        before_the_end = connection.round_trips
        client.run(connection.close)
        client.run(connection.close)
    assert connection.round_trips == before_the_end + 1, "the log-off ends pipe and share, too"
    assert client.connections() == before


def test_a_server_proves_the_names_that_it_has(client: Client) -> None:
    connection = client.connect()
    try:
        assert connection.host == client.server.address
        assert "lab" in connection.proved_names
        assert client.server.address not in connection.proved_names
        assert not connection.uses_kerberos
    finally:
        client.run(connection.close)


def test_a_refusal_is_a_result(client: Client) -> None:
    connection = client.connect()
    try:
        missing = messages.IsPathSupported(client.server.unc("nosuch") + "\\")
        assert client.run(lambda: connection.call(missing)).result != 0
        assert client.run(lambda: connection.call(messages.GetSupportedVersion())).result == 0
    finally:
        client.run(connection.close)


def calls(client: Client) -> Optional[int]:
    """Without those that were refused, since the agent demands a sealed call."""
    if client.server.daemon is None:
        return None
    found = client.server.daemon.calls()
    return len([call for call in found if call.result != HResult.E_ACCESSDENIED])


def assert_answered_by_the_agent(client: Client, before: Optional[int]) -> None:
    """Ours logs each call; Samba's is a process, where ours does not run."""
    if client.server.daemon is not None:
        assert calls(client) == (before or 0) + CREATE_CALLS + 1
    else:
        running = [argv[0] for argv in client.server.lab.processes().values()]
        assert any(name.endswith("rpcd_fsrvp") for name in running)
