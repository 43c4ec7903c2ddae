"""Chooses who verifies NTLM responses on this server, and knows which accounts are its own."""

from __future__ import annotations

import logging

from fsrvpd.errors import RegistryError
from fsrvpd.protocol.ports import AccountVerifier, Caller, NtlmResponse, VerifiedAccount
from samba_hooks.accounts import PASSDB_LIBRARY
from samba_hooks.accounts.passdb import PassdbVerifier
from samba_hooks.accounts.winbind import WinbindVerifier
from samba_hooks.configuration import (
    ROLE_DOMAIN_BDC,
    ROLE_DOMAIN_MEMBER,
    ROLE_DOMAIN_PDC,
    ROLE_STANDALONE,
    SambaConfiguration,
)
from samba_hooks.tools import SambaTools

log = logging.getLogger("samba_hooks.accounts")

# An NT4-style domain controller keeps its own accounts.
PASSDB_ROLES = (ROLE_STANDALONE, ROLE_DOMAIN_PDC, ROLE_DOMAIN_BDC)


class MemberVerifier:
    """An `AccountVerifier` for a member of a domain: it has accounts of its own in its passdb,
    where `username map` applies before the password is checked. The others are the domain's."""

    def __init__(self, passdb: PassdbVerifier, local_domain: str) -> None:
        """`local_domain`: in the names of this server's own accounts.

        Raises: AuthenticationError."""
        self._passdb, self._local_domain = passdb, local_domain
        self._winbind = WinbindVerifier()
        self.likely_cause = self._winbind.likely_cause

    def open(self) -> None:
        """Nothing: most members never see an account of their own."""

    def close(self) -> None:
        self._passdb.close()

    def verify(self, response: NtlmResponse, caller: Caller) -> VerifiedAccount:
        is_local = caller.domain.casefold() == self._local_domain.casefold()
        return (self._passdb if is_local else self._winbind).verify(response, caller)


def account_verifier(configuration: SambaConfiguration, tools: SambaTools) -> AccountVerifier:
    """Raises: AuthenticationError if winbind's library is needed but cannot be loaded."""
    # CTDB hands out its databases over Samba's message bus, which only the tools join.
    passdb = PassdbVerifier(tools, library=None if configuration.clustering else PASSDB_LIBRARY)
    if configuration.server_role in PASSDB_ROLES:
        return passdb
    if configuration.server_role == ROLE_DOMAIN_MEMBER:
        return MemberVerifier(passdb, configuration.netbios_name)
    return WinbindVerifier()


def own_sid(configuration: SambaConfiguration, tools: SambaTools) -> str:
    """The SID of a member's own accounts, without the number of each; "" on other servers, whose
    accounts are a domain's or are the only ones. Why it is not known is logged."""
    if configuration.server_role != ROLE_DOMAIN_MEMBER:
        return ""
    try:
        printed = tools.run("net", "getlocalsid")
    except RegistryError as error:
        log.error("users of `username map` may be refused: %s; then restart fsrvpd", error)
        return ""
    return printed.split()[-1]
