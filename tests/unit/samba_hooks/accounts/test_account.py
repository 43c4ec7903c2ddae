"""Which accounts may log on, and what proves that a client is one's user."""

from __future__ import annotations

import pytest
from impacket import ntlm

from fsrvpd.errors import AuthenticationError, WrongPassword
from fsrvpd.protocol.ports import NtlmResponse
from samba_hooks.accounts.account import Account, refusal, verified

NOW = 1_795_249_276.0  # Unix time, s
NEVER = float("inf")
SID = "S-1-5-21-471343610-427271115-3623491917-1001"
PASSWORD = "Passdb-päss-0"
HASH = ntlm.compute_nthash(PASSWORD)
ACCOUNT = Account("alice", "LAB", SID, "[U          ]", 0, NEVER, HASH)
CHALLENGE = b"12345678"


def response(password: str = PASSWORD) -> tuple[NtlmResponse, bytes]:
    pairs = ntlm.AV_PAIRS()
    pairs[ntlm.NTLMSSP_AV_DNS_HOSTNAME] = "lab".encode("utf-16-le")
    nt_response, lm_response, key = ntlm.computeResponseNTLMv2(
        0, CHALLENGE, b"c" * 8, pairs.getData(), "LAB", "alice", password
    )
    return NtlmResponse(CHALLENGE, "alice", "LAB", "", nt_response, lm_response), key


def test_right_password() -> None:
    asked, key = response()
    assert verified(ACCOUNT, asked, SID, NOW) == ("LAB\\alice", SID, key)


def test_hash_may_be_a_buffer_of_samba() -> None:
    asked, key = response()
    borrowed = ACCOUNT._replace(nt_hash=memoryview(bytearray(HASH)))  # type: ignore[arg-type]
    assert verified(borrowed, asked, SID, NOW).session_base_key == key


def test_wrong_password() -> None:
    with pytest.raises(WrongPassword):
        verified(ACCOUNT, response("guess")[0], SID, NOW)


def test_another_than_the_sessions_is_not_even_tried() -> None:
    for password in (PASSWORD, "guess"):
        with pytest.raises(AuthenticationError, match="not the user of the SMB session") as refused:
            verified(ACCOUNT, response(password)[0], SID + "0", NOW)
        assert not isinstance(refused.value, WrongPassword)


def test_hash_stays_out_of_text() -> None:
    assert HASH.hex() not in repr(ACCOUNT)
    assert repr(HASH)[2:-1] not in repr(ACCOUNT)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ("[DU         ]", "disabled"),
        ("[UL         ]", "locked"),
        ("[NU         ]", "no password"),
        ("[W          ]", "not a user account"),
        ("[I          ]", "not a user account"),
        ("[           ]", "not a user account"),
    ],
)
def test_flags_that_refuse(flags: str, why: str) -> None:
    refused = ACCOUNT._replace(flags=flags)
    assert why in refusal(refused, NOW)
    with pytest.raises(AuthenticationError, match=why):
        verified(refused, response()[0], SID, NOW)


def test_limits() -> None:
    assert "has expired" in refusal(ACCOUNT._replace(kickoff=NOW), NOW)
    assert refusal(ACCOUNT._replace(kickoff=NOW + 1), NOW) == ""
    assert "expired password" in refusal(ACCOUNT._replace(must_change=NOW), NOW)
    assert refusal(ACCOUNT._replace(must_change=NOW + 1), NOW) == ""


def test_password_that_its_user_never_set() -> None:
    """As smbd: PASSWORD_MUST_CHANGE, unless passwords of the account do not expire."""
    unset = ACCOUNT._replace(must_change=0)
    assert "expired password" in refusal(unset, NOW)
    assert refusal(unset._replace(flags="[UX         ]"), NOW) == ""


def test_account_without_a_hash() -> None:
    assert "has no password" in refusal(ACCOUNT._replace(nt_hash=b""), NOW)
