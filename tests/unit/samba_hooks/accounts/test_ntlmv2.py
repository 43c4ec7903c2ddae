"""Responses of other implementations, and MS-NLMP's example."""

from __future__ import annotations

import json

import pytest
from Cryptodome.Hash import MD4
from impacket import ntlm

from fsrvpd.protocol.ports import NtlmResponse
from samba_hooks.accounts import ntlmv2
from tests.paths import VECTORS

EXAMPLE = json.loads((VECTORS / "ntlm" / "ms_nlmp_4.2.4.json").read_text())
CHALLENGE = bytes.fromhex(EXAMPLE["server_challenge"])


def nt_hash(password: str) -> bytes:
    return MD4.new(password.encode("utf-16-le")).digest()


def example(**changes: object) -> NtlmResponse:
    authenticate = bytes.fromhex(EXAMPLE["authenticate"])
    return NtlmResponse(
        CHALLENGE, EXAMPLE["account"], EXAMPLE["domain"], "", authenticate[0x84:0xD8], b""
    )._replace(**changes)


def test_documents_key() -> None:
    key = ntlmv2.response_key(nt_hash("Password"), "User", "Domain")
    assert key.hex() == EXAMPLE["response_key"]


def test_documents_response() -> None:
    key = ntlmv2.session_base_key(nt_hash("Password"), example())
    assert key is not None
    assert key.hex() == EXAMPLE["session_base_key"]


@pytest.mark.parametrize(
    "response",
    [
        example(account="Other"),
        example(domain="DOMAIN"),
        example(challenge=bytes(8)),
        example(nt_response=b""),
        example(nt_response=bytes(16)),
        example(nt_response=example().nt_response + b"\0"),
    ],
)
def test_everything_counts(response: NtlmResponse) -> None:
    assert ntlmv2.session_base_key(nt_hash("Password"), response) is None


def test_other_password() -> None:
    assert ntlmv2.session_base_key(nt_hash("password"), example()) is None


@pytest.mark.parametrize("account", ["root", "Günter", "Ωmega", "user.name$"])
@pytest.mark.parametrize("hashed_domain", ["LABGROUP", ""])
def test_impackets_response(account: str, hashed_domain: str) -> None:
    """Some clients hash no domain whatever they send."""
    pairs = ntlm.AV_PAIRS()
    pairs[ntlm.NTLMSSP_AV_DNS_HOSTNAME] = "lab".encode("utf-16-le")
    nt_response, _, key = ntlm.computeResponseNTLMv2(
        0, CHALLENGE, b"c" * 8, pairs.getData(), hashed_domain, account, "secret"
    )
    response = NtlmResponse(CHALLENGE, account, "LABGROUP", "", nt_response, b"")
    assert ntlmv2.session_base_key(nt_hash("secret"), response) == key


def test_letter_without_a_capital_stays() -> None:
    """Python makes two letters of a ß, Windows leaves it."""
    secret = nt_hash("secret")
    assert ntlmv2.response_key(secret, "straße", "") == ntlmv2.response_key(secret, "STRAßE", "")
    assert ntlmv2.response_key(secret, "straße", "") != ntlmv2.response_key(secret, "STRASSE", "")
