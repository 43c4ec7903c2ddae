"""Which names that a server sends may be contacted."""

from __future__ import annotations

from typing import Optional

import pytest
from hypothesis import given, strategies

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.owner import other_host, owners
from fsrvpd.requestor.smb.records import Proof

NTLM = Proof("fs1.example.org", frozenset({"fs1", "fs1.example.org"}), uses_kerberos=False)
KERBEROS = NTLM._replace(uses_kerberos=True)
SHORT = Proof("fs1", frozenset({"fs1.example.org"}), uses_kerberos=True)
ADDRESS = Proof("10.0.0.7", frozenset({"fs1", "fs1.example.org"}), uses_kerberos=True)
SHARE = r"\\fs1\data"


@pytest.mark.parametrize("name", [None, "", "FS1", "fs1.Example.ORG.", "FS1.example.org"])
@pytest.mark.parametrize("proof", [NTLM, KERBEROS])
def test_the_server_itself(name: Optional[str], proof: Proof) -> None:
    assert other_host(name, proof, frozenset(), SHARE) is None


def test_the_contacted_name_needs_no_proof() -> None:
    anonymous = Proof("10.0.0.7", frozenset(), uses_kerberos=False)
    assert other_host("10.0.0.7", anonymous, frozenset(), SHARE) is None


@pytest.mark.parametrize("proof", [KERBEROS, SHORT])
@pytest.mark.parametrize("name", ["NODE2.example.org", "node2"])
def test_a_node_of_the_same_domain_if_kerberos_is_used(proof: Proof, name: str) -> None:
    assert other_host(name, proof, frozenset(), SHARE) == "node2.example.org"


def test_a_controller_of_the_domain_that_was_contacted() -> None:
    domain = Proof("example.org", frozenset({"example.org"}), uses_kerberos=True)
    assert other_host("DC1.example.org", domain, frozenset(), SHARE) == "dc1.example.org"
    with pytest.raises(RequestorError):  # dc1.org would be asked for
        other_host("DC1", domain._replace(host="example"), frozenset(), SHARE)


@pytest.mark.parametrize(
    ("name", "proof"),
    [
        ("NODE2.example.org", NTLM),
        ("node2", NTLM),
        ("node2.example.com", KERBEROS),
        ("node2.sub.example.org", KERBEROS),
        ("example.org", KERBEROS),
        ("10.0.0.8", KERBEROS),
        ("2001:db8::8", KERBEROS),
        ("node2", KERBEROS._replace(host="fs1", proved_names=frozenset({"fs1"}))),
        ("node2", ADDRESS),  # it was contacted under no name of a domain
        ("node2.example.org", SHORT._replace(proved_names=frozenset({"fs9.example.org"}))),
    ],
)
def test_any_other_name_is_refused(name: str, proof: Proof) -> None:
    with pytest.raises(RequestorError) as refused:
        other_host(name, proof, frozenset(), SHARE)
    error = refused.value
    assert error.object == SHARE
    assert f"'{name}'" in error.cause
    assert "nothing was sent there" in error.cause
    assert f"'{name}'" in error.next_step
    assert "configuration" in error.next_step


@pytest.mark.parametrize("name", ["NODE2.example.com", "node2.example.com."])
def test_the_configuration_may_list_it(name: str) -> None:
    listed = owners(["Node2.Example.com"])
    assert other_host(name, NTLM, listed, SHARE) == "node2.example.com"


@pytest.mark.parametrize(
    "name",
    [r"\\evil\share", "evil/x", "evil share", "evil@80", "-evil", "a" * 5000, "\x1b[2Jevil", "e\n"],
)
def test_what_is_no_name_is_refused_and_shown_escaped(name: str) -> None:
    with pytest.raises(RequestorError) as refused:
        other_host(name, KERBEROS, frozenset(), SHARE)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


@given(strategies.text(max_size=40), strategies.booleans())
def test_a_name_is_proved_of_the_domain_or_refused(name: str, kerberos: bool) -> None:
    proof = NTLM._replace(uses_kerberos=kerberos)
    try:
        found = other_host(name, proof, frozenset(), SHARE)
    except RequestorError:
        return
    assert found is None or (kerberos and found.endswith(".example.org"))
