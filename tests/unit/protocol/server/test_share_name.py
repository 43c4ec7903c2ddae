from __future__ import annotations

from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.server.share_name import share_of
from fsrvpd.protocol.unc import normal_host

OWN = {"nas", "nas.example.org", "10.0.0.5", "2001:db8::1", "fe80::1", "straße.example"}
OWN = {normal_host(name) for name in OWN}


@pytest.mark.parametrize(
    ("unc", "share"),
    [
        ("\\\\nas\\data", "data"),
        ("\\\\nas\\data\\", "data"),
        ("\\\\NAS\\DATA\\", "DATA"),
        ("\\\\nas.example.org\\data", "data"),
        ("\\\\nas.example.org.\\data", "data"),
        ("\\\\10.0.0.5\\data", "data"),
        ("\\\\nas\\hidden$\\", "hidden$"),
        ("\\\\nas\\two words", "two words"),
        ("\\\\nas\\Büro", "Büro"),
        ("\\\\nas\\..data", "..data"),
        ("\\\\nas\\%U", "%U"),
        ("\\\\STRASSE.example\\data", "data"),
        ("\\\\2001-db8--1.ipv6-literal.net\\data", "data"),
        ("\\\\2001-DB8-0-0-0-0-0-1.IPV6-Literal.Net\\data", "data"),
        ("\\\\fe80--1s4.ipv6-literal.net\\data", "data"),
        ("\\\\[2001:db8::1]\\data", "data"),
        ("\\\\2001:DB8:0::1\\data", "data"),
        ("\\\\fe80::1%eth0\\data", "data"),
    ],
)
def test_a_share_of_this_server(unc: str, share: str) -> None:
    assert share_of(unc, OWN) == share


@pytest.mark.parametrize(
    "unc",
    [
        "",
        "\\",
        "\\\\",
        "\\\\\\",
        "data",
        "\\\\nas",
        "\\\\nas\\",
        "\\\\nas\\\\",
        "\\\\nas\\\\data",
        "\\\\\\data",
        "\\nas\\data",
        "//nas/data",
        "\\\\nas/data",
        "\\\\nas\\data\\below",
        "\\\\nas\\data\\\\",
        "\\\\nas\\data/below",
        "\\\\nas\\.",
        "\\\\nas\\..",
        "\\\\nas\\..\\",
        "\\\\nas\\..\\etc",
        "\\\\nas\\data\x00evil",
        "\\\\nas\\data\n",
        "\\\\nas\\\ud800",
        "\\\\nas\x00\\data",
        "\\\\attacker\\NETLOGON",
        "\\\\attacker",
        "\\\\attacker@80\\xyz",
        "\\\\nas@SSL@443\\data",
        "\\\\nas.attacker.org\\data",
        "\\\\127.0.0.1\\data",
        "\\\\::1\\data",
        "\\\\10.0.0.5:445\\data",
        "\\\\10.5\\data",
        "\\\\.\\data",
        "\\\\..\\data",
        "\\\\[]\\data",
        "\\\\?\\data",
        "\\\\?\\UNC\\nas\\data",
        "\\\\.\\pipe\\spoolss",
        "\\\\.ipv6-literal.net\\data",
        "\\\\-.ipv6-literal.net\\data",
        "\\\\[nas]x\\data",
        "\\\\ nas\\data",
        "\\\\nas..\\data",
    ],
)
def test_anything_else_is_invalid(unc: str) -> None:
    with pytest.raises(PeerError) as refused:
        share_of(unc, OWN)
    assert refused.value.result == HResult.E_INVALIDARG


def test_an_empty_own_name_lets_nobody_in() -> None:
    with pytest.raises(PeerError):
        share_of("\\\\.\\data", {"", "nas"})


@given(st.text(alphabet=st.characters() | st.sampled_from("\\/.@[]:%s-\x00\ud800")))
def test_whatever_a_client_sends_is_a_plain_name_or_invalid(text: str) -> None:
    for unc in (text, "\\\\nas\\" + text, "\\\\" + text + "\\data"):
        share = accepted(unc)
        assert share is None or share.encode()
        assert not set(share or "") & set("\\/\x00\n\r")
        assert share not in ("", ".", "..")


def accepted(unc: str) -> Optional[str]:
    """The share, or None when the refusal is the right one and can be logged."""
    try:
        return share_of(unc, OWN)
    except PeerError as error:
        return None if error.result == HResult.E_INVALIDARG and str(error).encode() else ""
