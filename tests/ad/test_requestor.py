"""The requestor's login with Kerberos: the credential cache, and no password anywhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Mapping

import pytest

from fsrvpd.protocol.hresult import HResult
from lab.domain import CONTROLLER, CONTROLLER_ADDRESS, MEMBER, MEMBER_ADDRESS
from lab.namespaces import wait_until
from tests.ad.nas import Nas
from tests.interop.nas import TORTURE_SHARE

CLIENT = Path(__file__).with_name("ticket_client.py")
CALLS = 9


def run(nas: Nas, tickets: Mapping[str, str], *arguments: str) -> Any:
    argv = [sys.executable, CLIENT, *arguments]
    done = nas.lab.run(argv, environment={**tickets, "PYTHONPATH": str(CLIENT.parents[2])})
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("options", [[], ["--encrypt"]], ids=["signed", "sealed"])
def test_a_whole_sequence_with_a_ticket(nas: Nas, agent: Nas, options: list[str]) -> None:
    """The agent demands a signature at RPC level, or a seal, and names the account of the
    ticket."""
    before = len(agent.daemon.calls())
    found = run(agent, agent.domain.kinit(agent.admin), MEMBER, TORTURE_SHARE, *options)
    assert found == {"results": [0] * CALLS, "kerberos": True, "names": [MEMBER]}
    wait_until("the last call is logged", lambda: agent.daemon.calls()[-1].opnum == 11)
    calls = agent.daemon.calls()[before:]
    refused = [call for call in calls if call.result == HResult.E_ACCESSDENIED]
    assert len(refused) == (agent is not nas and not options), "it seals once it is told to"
    assert len(calls) == CALLS + len(refused)
    assert "LABDOM\\\\chief" in agent.daemon.tail(CALLS + 2)


def test_who_may_not_back_up_is_refused(agent: Nas) -> None:
    found = run(agent, agent.domain.kinit(agent.ordinary_user), MEMBER, TORTURE_SHARE)
    assert set(found["results"]) == {0x80070005}


def test_without_a_ticket_nothing_else_is_tried(nas: Nas) -> None:
    empty = {"KRB5CCNAME": f"FILE:{nas.lab.directory}/no-tickets", "NTLM_USER_FILE": "/etc/passwd"}
    found = run(nas, empty, MEMBER, TORTURE_SHARE)
    assert found["kind"] == "AccessRefused"
    assert found["error"].startswith(f"{MEMBER}: ")
    assert "klist" in found["error"]


@pytest.mark.parametrize("host", [MEMBER_ADDRESS, "localhost"])
def test_a_host_without_a_principal_is_refused(nas: Nas, host: str) -> None:
    found = run(nas, nas.domain.kinit(nas.admin), host, TORTURE_SHARE)
    assert found["kind"] in ("AccessRefused", "Disconnected")


def test_another_server_than_the_ticket_is_for_is_noticed(nas: Nas) -> None:
    """The name of the controller leads to the member: its ticket is of no use there."""
    hosts = nas.lab.directory / "domain" / "hosts"
    before = hosts.read_text()
    hosts.write_text(before.replace(CONTROLLER_ADDRESS, MEMBER_ADDRESS))
    try:
        found = run(nas, nas.domain.kinit(nas.admin), CONTROLLER, TORTURE_SHARE)
    finally:
        hosts.write_text(before)
    assert found["kind"] == "AccessRefused"
