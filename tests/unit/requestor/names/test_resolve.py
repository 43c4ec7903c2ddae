"""From what people write to roots and logical prefixes, one by one and as a set."""

from __future__ import annotations

from types import MappingProxyType
from typing import Mapping, Tuple

import pytest

from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.resolve import Names
from fsrvpd.requestor.smb.records import Proof
from tests.unit.requestor.names.names_of_the_lan import Lan
from tests.unit.requestor.names.test_dfs_links import Namespaces

FIVE_FORMS = (
    r"\\nas\data",
    r"\\NAS.example.org\data",
    r"\\10.0.0.7\data",
    r"\\2001:db8::7\data",
    r"\\2001-db8--7.ipv6-literal.net\data",
)
NO_LINKS: Mapping[str, Tuple[str, ...]] = MappingProxyType({})


def names(*, fqdn: bool = False, links: Mapping[str, Tuple[str, ...]] = NO_LINKS) -> Names:
    return Names(Lan(), Namespaces(links), fqdn=fqdn, listed=frozenset({"fs2", "fs2.example.org"}))


@pytest.mark.parametrize("given", FIVE_FORMS)
def test_five_forms_are_one_root(given: str) -> None:
    root = names().resolve(given)
    assert root == (given, r"\\nas\data", "nas", "data", "")
    assert names(fqdn=True).resolve(given).unc == r"\\nas.example.org\data"


def test_a_path_below_the_share_is_not_part_of_the_root() -> None:
    found = names().resolution("//nas.example.org/data/vm/web")
    assert found.root.unc == r"\\nas\data"
    assert found.root.prefix == r"vm\web"
    assert found.logical_prefix == r"\\nas.example.org\data"


def test_the_logical_prefix_of_a_link_is_the_link() -> None:
    """As in Microsoft's example: vm1 of the path is vm1 in the copy of the root."""
    links = {r"\\nas\logical\path\guests": (r"\fs2.example.org\guests",)}
    found = names(links=links).resolution(r"\\nas\logical\path\guests\vm1")
    assert found.root[1:] == (r"\\fs2\guests", "fs2", "guests", "vm1")
    assert found.logical_prefix == r"\\nas\logical\path\guests"
    assert [step.how for step in found.steps] == ["DFS", "short name"]


def test_without_a_log_in_nobody_is_asked_for_links() -> None:
    assert Names(Lan()).resolve(r"\\nas\data").unc == r"\\nas\data"


def test_an_error_names_what_was_given() -> None:
    with pytest.raises(RequestorError) as refused:
        names().resolve(r"\\nosuch\data")
    assert refused.value.object == r"\\nosuch\data"
    assert "nosuch: no address" in refused.value.cause


def test_a_set_over_two_servers() -> None:
    found = names().resolutions([r"\\nas\data", r"\\10.0.0.8\vm", r"\\nas\more"])
    assert [each.root.unc for each in found] == [r"\\nas\data", r"\\fs2\vm", r"\\nas\more"]


@pytest.mark.parametrize("second", [*FIVE_FORMS, r"\\nas\DATA\below"])
def test_two_names_of_one_share_are_refused_by_the_client(second: str) -> None:
    with pytest.raises(RequestorError) as refused:
        names().resolutions([r"\\nas\data\vm", second])
    error = refused.value
    assert error.result == HResult.FSRVP_E_OBJECT_ALREADY_EXISTS
    assert error.object == second
    assert r"\\nas\data\vm" in error.cause


def test_a_set_has_one_form() -> None:
    """The host name of the second server leads nowhere, so both are named with their domain."""
    found = names().resolutions([r"\\nas\data", r"\\vm.branch.example.com\vm"])
    assert [each.root.host for each in found] == ["nas.example.org", "vm.branch.example.com"]


def test_forms_that_cannot_be_one_are_refused() -> None:
    with pytest.raises(RequestorError, match="no fully qualified name"):
        names().resolutions([r"\\box\data", r"\\vm.branch.example.com\vm"])


def test_an_address_without_reverse_dns_is_the_server_that_another_name_leads_to() -> None:
    lan = Lan()
    lan.reverse_zone = {}
    found = Names(lan).resolutions([r"\\10.0.0.7\more", r"\\nas\data"])
    assert [each.root.unc for each in found] == [r"\\nas\more", r"\\nas\data"]
    assert found[0].steps[-1].after == "nas"
    with pytest.raises(RequestorError) as refused:
        Names(lan).resolutions([r"\\10.0.0.7\data", r"\\nas\data"])
    assert refused.value.result == HResult.FSRVP_E_OBJECT_ALREADY_EXISTS


def test_two_names_of_one_server_are_refused() -> None:
    """Its agent would be asked for two sets, and drop the first for the second."""
    with pytest.raises(
        RequestorError, match=r"files and nas .* are one server: both have 10.0.0.7"
    ):
        names().resolutions([r"\\nas\data", r"\\files\more"])


def test_addresses_alone() -> None:
    found = names().resolutions([r"\\10.0.0.98\data", r"\\10.0.0.99\data"])
    assert [each.root.unc for each in found] == [r"\\10.0.0.98\data", r"\\10.0.0.99\data"]


def test_the_domain_of_the_owner_is_that_of_the_full_name() -> None:
    """Servers are contacted by their host names, which have none."""
    known = Names(Lan())
    server = Proof("nas", frozenset({"nas"}), uses_kerberos=True)
    with pytest.raises(RequestorError, match="did not prove"):
        known.other_host("node2.example.org", server, r"\\nas\data")
    assert known.resolve(r"\\nas.example.org\data").host == "nas"
    assert known.other_host("node2.example.org", server, r"\\nas\data") == "node2.example.org"
    assert known.other_host("NODE2", server, r"\\nas\data") == "node2.example.org"
    assert known.other_host("NAS.example.org", server, r"\\nas\data") is None
    for foreign in ("node2.example.com", "files.example.com"):
        with pytest.raises(RequestorError, match="did not prove"):
            known.other_host(foreign, server, r"\\nas\data")
    ntlm = server._replace(uses_kerberos=False)
    with pytest.raises(RequestorError, match="did not prove"):
        known.other_host("node2.example.org", ntlm, r"\\nas\data")


def test_names_are_looked_up_anew_for_each_set() -> None:
    """A backup server uses one object for months."""
    lan = Lan()
    known = Names(lan)
    known.resolve_set([r"\\nas\data", r"\\nas\more"])
    asked = list(lan.asked)
    assert len(asked) == len(set(asked))
    known.resolve_set([r"\\nas\data", r"\\nas\more"])
    assert lan.asked == asked * 2
