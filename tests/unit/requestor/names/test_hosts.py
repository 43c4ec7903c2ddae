"""One name for each server, whichever of its names or addresses was written."""

from __future__ import annotations

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.hosts import Hosts
from fsrvpd.requestor.names.records import Step
from tests.unit.requestor.names.names_of_the_lan import Lan

FORMS_OF_NAS = ("nas", "nas.example.org", "10.0.0.7", "2001:db8::7")


@pytest.fixture
def lan() -> Lan:
    return Lan()


@pytest.mark.parametrize("written", FORMS_OF_NAS)
@pytest.mark.parametrize(("fqdn", "name"), [(False, "nas"), (True, "nas.example.org")])
def test_every_form_leads_to_one_name(lan: Lan, written: str, fqdn: bool, name: str) -> None:
    host = Hosts(lan).named(written, fqdn=fqdn)
    assert host.name == name
    assert host.addresses == {"10.0.0.7", "2001:db8::7"}
    assert not host.is_address


def test_the_way_is_told(lan: Lan) -> None:
    steps = Hosts(lan).named("10.0.0.7", fqdn=False).steps
    assert steps == (
        Step("reverse DNS", "10.0.0.7", "nas.example.org"),
        Step("short name", "nas.example.org", "nas"),
    )
    assert str(steps[0]) == "10.0.0.7 → nas.example.org (reverse DNS)"


def test_a_host_name_that_leads_elsewhere_is_not_used(lan: Lan) -> None:
    hosts = Hosts(lan)
    assert hosts.named("web.branch.example.com", fqdn=False).name == "web.branch.example.com"
    assert hosts.named("vm.branch.example.com", fqdn=False).name == "vm.branch.example.com"


def test_a_reverse_zone_that_does_not_lead_back_is_not_believed(lan: Lan) -> None:
    host = Hosts(lan).named("10.0.0.66", fqdn=False)
    assert host.name == "10.0.0.66"
    assert host.is_address
    assert str(host.steps[0]) == "10.0.0.66 (nas.example.org does not lead back to it)"


def test_an_address_without_a_name_stays_one(lan: Lan) -> None:
    host = Hosts(lan).named("10.0.0.99", fqdn=False)
    assert (host.name, host.addresses) == ("10.0.0.99", {"10.0.0.99"})


def test_the_loopback_name_is_not_a_server(lan: Lan) -> None:
    assert Hosts(lan).named("127.0.0.1", fqdn=False).name == "127.0.0.1"


def test_an_alias_stays_what_was_written(lan: Lan) -> None:
    """Its canonical name may be another server to Kerberos, and another share set to Samba."""
    assert Hosts(lan).named("files.example.org", fqdn=False).name == "files"
    assert Hosts(lan).named("files", fqdn=True).name == "files.example.org"


@pytest.mark.parametrize("written", ["box", "10.0.0.99"])
def test_no_fully_qualified_name(lan: Lan, written: str) -> None:
    with pytest.raises(RequestorError, match=r"no fully qualified name.*leave out --fqdn"):
        Hosts(lan).named(written, fqdn=True)


def test_reverse_dns_completes_a_host_name(lan: Lan) -> None:
    lan.forward_zone["fs2"] = (("10.0.0.8",), "fs2")
    assert Hosts(lan).named("fs2", fqdn=True).name == "fs2.example.org"


def test_link_local_addresses_alone_are_refused(lan: Lan) -> None:
    with pytest.raises(RequestorError, match="link-local"):
        Hosts(lan).named("zeroconf.local", fqdn=False)


def test_each_question_is_asked_once(lan: Lan) -> None:
    hosts = Hosts(lan)
    for _ in range(3):
        hosts.named("10.0.0.7", fqdn=False)
        hosts.named("nas.example.org", fqdn=False)
    assert sorted(lan.asked) == ["10.0.0.7", "nas", "nas.example.org"]


def test_an_unknown_name_is_told(lan: Lan) -> None:
    with pytest.raises(RequestorError, match="nosuch: no address is known"):
        Hosts(lan).named("nosuch", fqdn=False)
