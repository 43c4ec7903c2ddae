"""One server: the login, and the agent behind it."""

from __future__ import annotations

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.requestor.checks.findings import Severity
from fsrvpd.requestor.errors import AccessRefused, NoAgent
from tests.unit.requestor.checks.stand_ins import Network, finding, report, reports
from tests.unit.requestor.names.names_of_the_lan import Lan

NO_AGENT = NoAgent("nas", "there is no pipe FssagentRpc", "start the agent")


def test_the_login_says_who_and_how() -> None:
    text = finding(report(Network()).findings, "login").text
    assert text == r"as LAB\backup by NTLM; SMB 3.1.1, signed"


def test_a_server_without_an_agent_can_still_be_read() -> None:
    found = report(Network(agent=NO_AGENT))
    agent = finding(found.findings, "agent")
    assert agent.severity is Severity.FAIL
    assert "there is no pipe" in agent.text
    assert "Install-WindowsFeature FS-VSS-Agent" in agent.next_step
    assert "fsrvpctl doctor" in agent.next_step
    assert finding(found.findings, "read").severity is Severity.OK
    assert "snapshot" not in [each.topic for each in found.findings]


@pytest.mark.parametrize("host", ["lab.file.core.windows.net", "lab.zone1.file.storage.azure.net"])
def test_azure_files_is_recognised(host: str) -> None:
    lan = Lan()
    lan.forward_zone[host] = (("10.1.1.1",), host)
    [found] = reports(Network(agent=NO_AGENT), rf"\\{host}\data", lan=lan)
    agent = finding(found.findings, "agent")
    assert "Azure Files has none" in agent.text
    assert "share snapshot" in agent.next_step


def test_the_login_at_rpc_level_can_fail_too() -> None:
    error = AccessRefused("nas", "the agent demands privacy", "give --encrypt")
    agent = finding(report(Network(agent=error)).findings, "agent")
    assert agent.text == "nas: the agent demands privacy"
    assert agent.next_step == "give --encrypt"


@pytest.mark.parametrize(
    "answer", [m.VersionResponse(0, 2, 3), m.VersionResponse(0x80070057), m.VersionResponse(0)]
)
def test_another_version_is_a_failure(answer: m.VersionResponse) -> None:
    found = report(Network(answers={Opnum.GetSupportedVersion: answer}))
    assert finding(found.findings, "agent").severity is Severity.FAIL


def test_an_agent_that_denies_access_is_there() -> None:
    found = report(Network(answers={Opnum.GetSupportedVersion: m.VersionResponse(0x80070005)}))
    assert finding(found.findings, "agent").severity is Severity.OK
