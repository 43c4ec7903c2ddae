"""Which protection a call must have at RPC level before it may reach the agent.

Spec: MS-FSRVP 3.1.4: in the result of every method the server refuses callers that are not
authenticated at packet integrity or better.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from fsrvpd.protocol.ports import Caller
from fsrvpd.rpc.security.channels import Security
from fsrvpd.rpc.security.context import Principal

_UNIX_USERS = "S-1-22-1"  # of accounts that Samba's own database does not have


class RequiredProtection(NamedTuple):
    """`own_sid` is that of a member's own accounts, without the number of each."""

    integrity: bool
    privacy: bool
    own_sid: str = ""

    def refusal(self, caller: Caller, security: Optional[Security]) -> Optional[str]:
        """None when the call may pass, else why it may not."""
        if security is not None:
            mismatch = user_mismatch(caller, security.principal, self.own_sid)
            if mismatch is not None:
                return mismatch
        if self.privacy and not (security is not None and security.sealed):
            return "the call is not sealed (fsrvpd:require rpc privacy)"
        if self.integrity and not (security is not None and security.signed):
            return "the call is not signed (fsrvpd:require rpc integrity)"
        return None


def user_mismatch(caller: Caller, principal: Principal, own_sid: str) -> Optional[str]:
    """None when the SMB session and the RPC authentication are of one account, else why the
    call is refused.

    smbd expanded the SMB user's token, and the access check uses that. Without this rule,
    somebody who can use another user's SMB session could add a signature of their own and pass.

    Where `username map` makes a local user of an account of the domain, the token has the SIDs of
    that user, and the name is still the one that the domain controller gave. A name counts for no
    other session: a domain that is trusted could give the name of an account of another domain.
    """
    session = _domain(caller.user_sid)
    is_mapped = session in (own_sid, _UNIX_USERS) and session != _domain(principal.user_sid)
    if principal.user_sid == caller.user_sid or (is_mapped and principal.account == caller.account):
        return None
    return (
        f"authenticated at RPC level as {principal.account} ({principal.user_sid}), "
        f"but the SMB session belongs to {caller.account} ({caller.user_sid})"
    )


def _domain(sid: str) -> str:
    return sid.rpartition("-")[0]
