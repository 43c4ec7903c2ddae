"""Who on this server can tell whether an NTLM response is right."""

from __future__ import annotations

from typing import Sequence

from fsrvpd.protocol.ports import AccountVerifier
from samba_hooks.passdb import PassdbVerifier
from samba_hooks.winbind import WinbindVerifier

# Samba's server_role_str(); a domain controller of the old kind keeps its own accounts.
PASSDB_ROLES = ("ROLE_STANDALONE", "ROLE_DOMAIN_PDC", "ROLE_DOMAIN_BDC")


def account_verifier(server_role: str, arguments: Sequence[str]) -> AccountVerifier:
    """`arguments` as for `PassdbVerifier`. Raises: AuthenticationError where a library that
    is needed cannot be loaded."""
    if server_role in PASSDB_ROLES:
        return PassdbVerifier(arguments)
    return WinbindVerifier()
