"""What a call must bring at RPC level before it may reach the agent.

Spec: MS-FSRVP 3.1.4 has the server refuse, in the result of every method, whoever is not
authenticated at packet integrity or better.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from fsrvpd.protocol.ports import Caller
from fsrvpd.rpc.security.channels import Security
from fsrvpd.rpc.security.identity import mismatch


class Requirement(NamedTuple):
    integrity: bool
    privacy: bool

    def refusal(self, caller: Caller, security: Optional[Security]) -> Optional[str]:
        """None when the call may pass, else why it may not."""
        if security is not None:
            other = mismatch(caller, security.principal)
            if other is not None:
                return other
        if self.privacy and not (security is not None and security.sealed):
            return "the call is not sealed (fsrvpd:require rpc privacy)"
        if self.integrity and not (security is not None and security.signed):
            return "the call is not signed (fsrvpd:require rpc integrity)"
        return None
