"""An account of this server: whether it may log on, and what proves that a client is its user.

The rules are Samba's own for a logon (sam_account_ok in source3/auth/check_samsec.c), as far as
they do not depend on the client's machine or on the hour.
"""

from __future__ import annotations

from typing import NamedTuple

from fsrvpd.errors import AuthenticationError, WrongPassword
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount
from samba_hooks.accounts import ntlmv2

_ORDINARY = "U"  # not a trust account or a temporary one
_REFUSED = {"D": "is disabled", "L": "is locked", "N": "needs no password"}
_NEVER_EXPIRES = "X"


class Account(NamedTuple):
    """Times are Unix times in s. `nt_hash` is bytes or a buffer, empty if there is no password."""

    name: str
    domain: str
    sid: str
    flags: str  # as Samba writes them: "[U          ]"
    kickoff: float  # 0: never
    must_change: float  # 0: its password was never set by the user
    nt_hash: bytes

    def __repr__(self) -> str:
        return f"Account({self.domain}\\{self.name}, {self.sid})"


def verified(
    account: Account, response: NtlmResponse, user_sid: str, now: float
) -> VerifiedAccount:
    """The account, if it is the SMB session's, may log on at `now` (Unix time in s), and the
    response was made with its password. Raises: AuthenticationError, WrongPassword."""
    if account.sid != user_sid:
        raise AuthenticationError(
            f"{account.name} ({account.sid}) is not the user of the SMB session ({user_sid})"
        )
    why = refusal(account, now)
    if why:
        raise AuthenticationError(f"account {account.name} {why}")
    key = ntlmv2.session_base_key(account.nt_hash, response)
    if key is None:
        raise WrongPassword(f"wrong password for account {account.name}")
    return VerifiedAccount(f"{account.domain}\\{account.name}", account.sid, key)


def refusal(account: Account, now: float) -> str:
    """Why the account must not log on, "" if it may."""
    flags = account.flags
    if _ORDINARY not in flags:
        return "is not a user account"
    for flag, why in _REFUSED.items():
        if flag in flags:
            return why
    if account.kickoff and account.kickoff <= now:
        return "has expired"
    if account.must_change <= now and _NEVER_EXPIRES not in flags:
        return "has an expired password"
    if len(account.nt_hash) != ntlmv2.NT_HASH_SIZE:
        return "has no password"
    return ""
