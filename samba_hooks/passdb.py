"""Verifies NTLM on a server that keeps its accounts itself, through pdbedit.

Observed with Samba 4.17.12: `pdbedit -L -v -w -u NAME` prints an account as lines of
"Label: value", times in the process's zone, and as the last the NT hash. With tdbsam
it takes 20 ms.
"""

from __future__ import annotations

import datetime
import time
from typing import Callable, NamedTuple

from fsrvpd.errors import AuthenticationError, RegistryError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount
from samba_hooks import ntlmv2
from samba_hooks.samba_tools import SambaTools

_SHOW = ("--list", "--verbose", "--smbpasswd-style")
_ORDINARY = "U"  # neither a trust account nor a temporary one
_REFUSED = {"D": "is disabled", "L": "is locked", "N": "needs no password"}
_LIMITS = {"Kickoff time": "has expired", "Password must change": "has an expired password"}
_NO_LIMIT = ("0", "never")
_DATE = "%a, %d %b %Y %H:%M:%S %Z"
_HASH_LABEL = "NT hash"


class Account(NamedTuple):
    """`refusal` says why it may not log on, "" when it may."""

    name: str
    domain: str
    sid: str
    nt_hash: bytes
    refusal: str

    def __repr__(self) -> str:
        return f"Account({self.domain}\\{self.name}, {self.sid})"


class PassdbVerifier:
    """An `AccountVerifier`. `now` yields Unix time in seconds."""

    def __init__(self, tools: SambaTools, now: Callable[[], float] = time.time) -> None:
        self._tools = tools
        self._now = now

    def verify(self, response: NtlmResponse, user_sid: str) -> VerifiedAccount:
        account = parse_account(self._look_up(response.account), self._now())
        if account.sid != user_sid:
            raise AuthenticationError(
                f"{account.name} ({account.sid}) is not the user of the SMB session ({user_sid})"
            )
        if account.refusal:
            raise AuthenticationError(f"account {account.name} {account.refusal}")
        key = ntlmv2.session_base_key(account.nt_hash, response)
        if key is None:
            raise AuthenticationError(f"wrong password for account {account.name}")
        return VerifiedAccount(f"{account.domain}\\{account.name}", account.sid, key)

    def _look_up(self, name: str) -> str:
        """What pdbedit prints of an account."""
        try:
            return self._tools.run("pdbedit", *_SHOW, f"--user={name}", secret=True)
        except (RegistryError, ValueError) as error:  # ValueError: no argument can be that name
            raise AuthenticationError(f"account {name!r}: {error}") from None


def parse_account(printed: str, now: float) -> Account:
    """Read what pdbedit prints of one account. Raises: AuthenticationError.

    Names that people chose stand behind the SID and before the hash: the first SID and the
    last line are the real ones.
    """
    lines = [line.partition(":") for line in printed.splitlines() if line.strip()]
    facts: dict[str, str] = {}
    for label, _, value in lines:
        facts.setdefault(label.strip(), value.strip())
    try:
        return Account(
            name=facts["Unix username"],
            domain=facts["Domain"],
            sid=facts["User SID"],
            nt_hash=_nt_hash(lines[-1]),
            refusal=_refusal(facts, now),
        )
    except (KeyError, ValueError, IndexError):
        raise AuthenticationError("pdbedit printed no account that we can read") from None


def _nt_hash(line: tuple[str, str, str]) -> bytes:
    """Raises: ValueError, also for an account without a password."""
    label, _, value = line
    if label.strip() != _HASH_LABEL:
        raise ValueError(label)
    nt_hash = bytes.fromhex(value.strip())
    if len(nt_hash) != ntlmv2.NT_HASH_SIZE:
        raise ValueError(label)
    return nt_hash


def _refusal(facts: dict[str, str], now: float) -> str:
    flags = facts["Account Flags"]
    if _ORDINARY not in flags:
        return "is no user's"
    for flag, why in _REFUSED.items():
        if flag in flags:
            return why
    for label, why in _LIMITS.items():
        if facts[label] not in _NO_LIMIT and _unix_time(facts[label]) <= now:
            return why
    return ""


def _unix_time(text: str) -> float:
    moment = datetime.datetime.strptime(text, _DATE)
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()
