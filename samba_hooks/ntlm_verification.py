"""Who on this server can tell whether an NTLM response is right."""

from __future__ import annotations

from fsrvpd.protocol.ports import AccountVerifier
from samba_hooks.passdb import PassdbVerifier
from samba_hooks.samba_tools import SambaTools
from samba_hooks.winbind import WinbindVerifier

# Samba's server_role_str(); a domain controller of the old kind keeps its own accounts.
PASSDB_ROLES = ("ROLE_STANDALONE", "ROLE_DOMAIN_PDC", "ROLE_DOMAIN_BDC")


def account_verifier(server_role: str, tools: SambaTools) -> AccountVerifier:
    """Raises: AuthenticationError where a library that is needed cannot be loaded."""
    if server_role in PASSDB_ROLES:
        return PassdbVerifier(tools)
    return WinbindVerifier()
