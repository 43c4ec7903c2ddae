"""All checks of some shares: what is asked, in which order, and what is never asked."""

from __future__ import annotations

from fsrvpd.requestor.checks.findings import Severity
from fsrvpd.requestor.errors import AccessRefused
from tests.unit.requestor.checks.stand_ins import Network, finding, report, reports
from tests.unit.requestor.names.names_of_the_lan import Lan


def test_all_is_well() -> None:
    network = Network()
    found = report(network, r"\\nas.example.org\data\vm")
    assert not found.will_fail
    topics = [each.topic for each in found.findings]
    assert topics == ["name", "login", "agent", "read", "space", "snapshot", "kept"]
    assert found.root is not None
    assert found.root.unc == r"\\nas\data"
    assert network.servers[0].tried == [r"data\vm"]
    assert network.servers[0].closed
    assert network.agents[0].closed


def test_nothing_is_created() -> None:
    network = Network()
    report(network)
    assert network.agents[0].asked == [
        "GetSupportedVersion",
        "IsPathSupported",
        "IsPathShadowCopied",
    ]


def test_shares_of_one_server_share_its_connections() -> None:
    network = Network()
    found = reports(network, r"\\nas\data", r"\\10.0.0.7\more", r"\\fs2\vm")
    assert [each.host for each in network.servers] == ["nas", "fs2"]
    assert [each.host for each in network.agents] == ["nas", "fs2"]
    assert all(each.findings for each in found)


def test_a_name_that_leads_nowhere_stops_nothing_else() -> None:
    network = Network()
    wrong, right = reports(network, r"\\nosuch\data", r"\\nas\data")
    assert wrong.root is None
    assert wrong.will_fail
    assert finding(wrong.findings, "name").next_step
    assert not right.will_fail
    assert [each.host for each in network.servers] == ["nas"]


def test_duplicates_are_told_before_the_night() -> None:
    first, second = reports(Network(), r"\\nas\data", r"\\10.0.0.7\data")
    assert not first.will_fail
    told = [each for each in second.findings if each.severity is Severity.FAIL]
    assert len(told) == 1
    assert "not in one set" in told[0].text


def test_an_address_without_a_name_is_noted() -> None:
    lan = Lan()
    lan.reverse_zone = {}
    [found] = reports(Network(), r"\\10.0.0.7\data", lan=lan)
    assert not found.will_fail
    assert found.findings[0].severity is Severity.NOTE
    assert "/etc/hosts" in found.findings[0].next_step


def test_after_a_refused_login_nothing_is_asked() -> None:
    refused = AccessRefused("nas", "the password is wrong", "see the file of -A")
    network = Network(login=refused)
    found = report(network)
    assert finding(found.findings, "login").text == "nas: the password is wrong"
    assert not network.agents
