"""Parsing only. server/test_share_name.py tests what a server does with the names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.protocol.unc import UncName, normal_host, normal_share, parse_unc


@pytest.mark.parametrize("unc", ["\\\\Files.Example.org.\\Data$", "\\\\files.example.ORG\\Data$\\"])
def test_the_host_is_folded_and_the_share_stays_as_it_is(unc: str) -> None:
    assert parse_unc(unc) == UncName("files.example.org", "Data$")


@pytest.mark.parametrize("unc", ["", "data", "\\\\nas", "\\\\nas\\..", "\\\\nas\\a\\b", "\\\\\\a"])
def test_anything_else_is_a_value_error_that_quotes_it(unc: str) -> None:
    with pytest.raises(ValueError, match=r"names no share|is not of the form") as refused:
        parse_unc(unc)
    assert repr(unc) in str(refused.value)


@given(st.ip_addresses(v=6))
def test_an_address_equals_itself_however_it_is_spelled(address: object) -> None:
    exploded = address.exploded  # type: ignore[attr-defined]
    plain = normal_host(str(address))
    literal = str(address).replace(":", "-") + ".ipv6-literal.net"
    assert normal_host(exploded) == normal_host(f"[{exploded.upper()}]") == plain
    assert normal_host(literal) == normal_host(literal.upper()) == plain


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("Data$", "dATA$", True),
        ("GRÖSSE", "größe", False),
        ("Größe", "GRÖßE", True),
        ("straße", "strasse", False),
        ("STRA\N{LATIN CAPITAL LETTER SHARP S}E", "straße", False),
        ("\N{GREEK CAPITAL LETTER SIGMA}", "\N{GREEK SMALL LETTER SIGMA}", True),
        ("a\N{GREEK CAPITAL LETTER SIGMA}", "a\N{GREEK SMALL LETTER FINAL SIGMA}", False),
        ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i\N{COMBINING DOT ABOVE}", False),
        ("\N{DESERET CAPITAL LETTER LONG I}", "\N{DESERET SMALL LETTER LONG I}", False),
    ],
)
def test_shares_that_are_one_for_samba(one: str, other: str, equal: bool) -> None:
    assert (normal_share(one) == normal_share(other)) is equal
