"""Verifies NTLM with what pdbedit prints, where libsamba-passdb cannot be used.

Observed with Samba 4.17.12: `pdbedit -L -v -w -u NAME` prints an account as lines "Label:
value", times in the time zone of the process, the NT hash as the last line. With tdbsam it takes
20 ms.
"""

from __future__ import annotations

import datetime
import time
from typing import Callable

from fsrvpd.errors import AuthenticationError, RegistryError
from fsrvpd.protocol.ports import Caller, NtlmResponse, VerifiedAccount
from samba_hooks.accounts import ntlmv2
from samba_hooks.accounts.account import Account, verified
from samba_hooks.tools import SambaTools

_SHOW = ("--list", "--verbose", "--smbpasswd-style")
_DATE = "%a, %d %b %Y %H:%M:%S %Z"
_NEVER = float("inf")
_HASH_LABEL = "NT hash"
_NO_HASH = "X"  # NO PASSWORDXXX… or XXX…


class PdbeditVerifier:
    """An `AccountVerifier`. `now` yields Unix time in seconds."""

    def __init__(self, tools: SambaTools, now: Callable[[], float] = time.time) -> None:
        self._tools = tools
        self._now = now

    def verify(self, response: NtlmResponse, caller: Caller) -> VerifiedAccount:
        account = parse_account(self._look_up(caller.name))
        return verified(account, response, caller.user_sid, self._now())

    def _look_up(self, name: str) -> str:
        """What pdbedit prints of an account. Raises: AuthenticationError."""
        try:
            return self._tools.run("pdbedit", *_SHOW, f"--user={name}", secret=True)
        except (RegistryError, ValueError) as error:  # ValueError: a name with a NUL
            raise AuthenticationError(f"account {name!r}: {error}") from None


def parse_account(printed: str) -> Account:
    """Parse what pdbedit prints of one account. Raises: AuthenticationError.

    Texts that users can choose are printed after the SID and before the hash, so the first SID
    and the last line are the real ones.
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
            flags=facts["Account Flags"],
            kickoff=_unix_time(facts["Kickoff time"]),
            must_change=_unix_time(facts["Password must change"]),
            nt_hash=_nt_hash(lines[-1]),
        )
    except (KeyError, ValueError, IndexError):
        raise AuthenticationError("the output of pdbedit cannot be parsed") from None


def _nt_hash(line: tuple[str, str, str]) -> bytes:
    """Empty if the account has no password. Raises: ValueError."""
    label, _, value = line
    if label.strip() != _HASH_LABEL:
        raise ValueError(label)
    if value.strip().endswith(_NO_HASH):
        return b""
    nt_hash = bytes.fromhex(value.strip())
    if len(nt_hash) != ntlmv2.NT_HASH_SIZE:
        raise ValueError(label)
    return nt_hash


def _unix_time(text: str) -> float:
    if text == "0":
        return 0.0
    if text == "never":
        return _NEVER
    moment = datetime.datetime.strptime(text, _DATE)
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()
