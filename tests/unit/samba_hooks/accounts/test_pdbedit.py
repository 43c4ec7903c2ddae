"""The output of pdbedit, and hostile text that users could put into it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.errors import AuthenticationError
from samba_hooks.accounts.account import Account, refusal
from samba_hooks.accounts.pdbedit import parse_account

# Samba 4.17.12, LC_ALL=C, TZ=UTC0; the hash is one of nobody's.
PRINTED = """\
Unix username:        alice
NT username:          
Account Flags:        [U          ]
User SID:             S-1-5-21-471343610-427271115-3623491917-1001
Primary Group SID:    S-1-5-21-471343610-427271115-3623491917-513
Full Name:            Alice
Home Directory:       \\\\LAB\\alice
HomeDir Drive:        
Logon Script:         
Profile Path:         \\\\LAB\\alice\\profile
Domain:               LAB
Account desc:         
Workstations:         
Munged dial:          
Logon time:           0
Logoff time:          Wed, 06 Feb 2036 15:06:39 UTC
Kickoff time:         Wed, 06 Feb 2036 15:06:39 UTC
Password last set:    Sat, 21 Nov 2026 08:21:16 UTC
Password can change:  Sat, 21 Nov 2026 08:21:16 UTC
Password must change: never
Last bad password   : 0
Bad password count  : 0
Logon hours         : FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF
LM hash             : XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX
NT hash             : 00112233445566778899AABBCCDDEEFF
"""  # noqa: W291
NOW = 1_795_249_276.0  # Sat, 21 Nov 2026 08:21:16 UTC
NEVER = float("inf")
SID = "S-1-5-21-471343610-427271115-3623491917-1001"
HASH = bytes.fromhex("00112233445566778899AABBCCDDEEFF")


def changed(label: str, value: str) -> str:
    lines = [
        f"{label}: {value}" if line.startswith(label) else line for line in PRINTED.splitlines()
    ]
    return "\n".join(lines) + "\n"


def test_account_is_read() -> None:
    kickoff = 2_085_923_199.0  # Wed, 06 Feb 2036 15:06:39 UTC
    flags = "[U          ]"
    assert parse_account(PRINTED) == Account("alice", "LAB", SID, flags, kickoff, NEVER, HASH)


def test_hash_stays_out_of_text() -> None:
    assert "001122" not in repr(parse_account(PRINTED)).lower()


@pytest.mark.parametrize("label", ["Kickoff time", "Password must change"])
def test_times(label: str) -> None:
    past, future = "Sat, 21 Nov 2026 08:21:16 UTC", "Sat, 21 Nov 2026 08:21:17 UTC"
    assert "expired" in refusal(parse_account(changed(label, past)), NOW)
    assert refusal(parse_account(changed(label, future)), NOW) == ""
    assert refusal(parse_account(changed(label, "never")), NOW) == ""


def test_zero_is_no_time() -> None:
    """It means "no limit" for the account, and "never set by the user" for the password."""
    assert refusal(parse_account(changed("Kickoff time", "0")), NOW) == ""
    assert "expired" in refusal(parse_account(changed("Password must change", "0")), NOW)


@pytest.mark.parametrize("value", ["NO PASSWORDXXXXXXXXXXXXXXXXXXXXX", "X" * 32])
def test_no_password(value: str) -> None:
    assert parse_account(changed("NT hash", value)).nt_hash == b""


@pytest.mark.parametrize("label", ["Full Name", "Account desc"])
def test_names_that_pretend(label: str) -> None:
    pretended = (
        "x\nUser SID: S-1-5-21-1-1-1-500\nAccount Flags: [U ]\n"
        "NT hash : FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
    )
    assert parse_account(changed(label, pretended)) == parse_account(PRINTED)


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "\n",
        changed("NT hash", "0011"),
        changed("Kickoff time", "soon"),
        PRINTED.replace("User SID", "Sid"),
        PRINTED.rpartition("NT hash")[0],
    ],
)
def test_what_cannot_be_read_is_refused(printed: str) -> None:
    with pytest.raises(AuthenticationError, match="cannot be parsed"):
        parse_account(printed)


@given(st.text())
def test_nothing_else_escapes(printed: str) -> None:
    with suppress(AuthenticationError):
        parse_account(printed)
