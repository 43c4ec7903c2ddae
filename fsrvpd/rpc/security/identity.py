"""The user of the SMB session and the one proved at RPC level must be the same account.

smbd expanded the SMB user's token and the access check uses that; without this rule
whoever sits on another's SMB session could add a signature of their own and pass.
"""

from __future__ import annotations

from typing import Optional

from fsrvpd.protocol.ports import Caller
from fsrvpd.rpc.security.context import Principal


def mismatch(caller: Caller, principal: Principal) -> Optional[str]:
    """None when they are one account, else why the caller is refused."""
    if principal.user_sid == caller.user_sid:
        return None
    return (
        f"authenticated at RPC level as {principal.account} ({principal.user_sid}), "
        f"but the SMB session belongs to {caller.account} ({caller.user_sid})"
    )
