"""Names with a real resolver: DNS in a lab, forward and reverse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from fsrvpd.protocol.hresult import HResult
from lab import Lab
from lab.daemon import SCRIPTS
from lab.name_server import NameServer

NAS = ("10.0.0.7", "2001:db8::7")
HOSTS = {
    "nas.example.org": NAS,
    "fs2.example.org": ("10.0.0.8",),
    "vm.branch.example.com": ("10.0.0.9",),
    "zeroconf.example.org": ("169.254.1.1", "fe80::1"),
}
REVERSE = {
    "10.0.0.7": "nas.example.org",
    "2001:db8::7": "nas.example.org",
    "10.0.0.9": "vm.branch.example.com",
    "10.0.0.66": "nas.example.org",
}
FIVE_FORMS = (
    r"\\nas\data",
    r"\\NAS.Example.org\data",
    r"\\10.0.0.7\data",
    r"\\2001:db8::7\data",
    r"\\2001-db8--7.ipv6-literal.net\data",
)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as opened:
        yield opened


@pytest.fixture(scope="module")
def server(lab: Lab) -> Iterator[NameServer]:
    with NameServer(lab, HOSTS, REVERSE, search=["example.org"]) as opened:
        yield opened


def resolve(lab: Lab, *arguments: str) -> list[Any]:
    script = Path(__file__).with_name("resolve_names.py")
    done = lab.run([SCRIPTS / "python", script, *arguments])
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("form", "root"), [([], r"\\nas\data"), (["--fqdn"], r"\\nas.example.org\data")]
)
def test_five_forms_are_one_root(lab: Lab, server: NameServer, form: list[str], root: str) -> None:
    found = resolve(lab, *form, *FIVE_FORMS)
    assert [each[0][:2] for each in found] == [[root, ""]] * len(FIVE_FORMS)


def test_reverse_dns_was_asked_over_the_network(lab: Lab, server: NameServer) -> None:
    server.asked.clear()
    [[[_, _, steps, _]]] = resolve(lab, r"\\10.0.0.7\data\vm")
    assert steps == [
        "10.0.0.7 → nas.example.org (reverse DNS)",
        "nas.example.org → nas (short name)",
    ]
    assert "7.0.0.10.in-addr.arpa" in server.asked


def test_a_reverse_zone_that_lies_is_not_believed(lab: Lab, server: NameServer) -> None:
    [[[root, _, steps, _]]] = resolve(lab, r"\\10.0.0.66\data")
    assert root == r"\\10.0.0.66\data"
    assert "does not lead back" in steps[0]


def test_any_two_forms_in_a_set_are_duplicates(lab: Lab, server: NameServer) -> None:
    sets = [f"{first},{second}" for first, second in zip(FIVE_FORMS, FIVE_FORMS[1:])]
    for second, refused in zip(FIVE_FORMS[1:], resolve(lab, *sets)):
        assert refused["result"] == HResult.FSRVP_E_OBJECT_ALREADY_EXISTS
        assert refused["error"].startswith(second)


def test_a_set_is_of_one_form_and_one_name_for_each_server(lab: Lab, server: NameServer) -> None:
    """The domain of vm is not searched, so that nas gets its domain, too. The address of fs2 has no
    name of its own."""
    found = resolve(
        lab, r"\\10.0.0.7\data,\\10.0.0.9\vm", r"\\10.0.0.8\vm,\\fs2\data", r"\\10.0.0.8\vm"
    )
    assert [[root[0] for root in each] for each in found] == [
        [r"\\nas.example.org\data", r"\\vm.branch.example.com\vm"],
        [r"\\fs2\vm", r"\\fs2\data"],
        [r"\\10.0.0.8\vm"],
    ]


def test_what_leads_nowhere(lab: Lab, server: NameServer) -> None:
    unknown, link_local = resolve(lab, r"\\nosuch\data", r"\\zeroconf.example.org\data")
    assert "nosuch: no address is known for this name" in unknown["error"]
    assert "has only link-local addresses: 169.254.1.1, fe80::1" in link_local["error"]
