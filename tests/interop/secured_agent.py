"""`RawAgent` with NTLM at RPC level, which can change a PDU before it is sent."""

from __future__ import annotations

from typing import Any, Callable

from impacket.dcerpc.v5.rpcrt import (
    RPC_C_AUTHN_GSS_NEGOTIATE,
    RPC_C_AUTHN_LEVEL_CONNECT,
    RPC_C_AUTHN_LEVEL_PKT,
    RPC_C_AUTHN_LEVEL_PKT_INTEGRITY,
    RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
    RPC_C_AUTHN_WINNT,
)

from fsrvpd.core.messages import Opnum
from lab.accounts import ROOT, User
from lab.domain import MEMBER, REALM
from tests.interop.raw_agent import Place, RawAgent

CONNECT = RPC_C_AUTHN_LEVEL_CONNECT
PKT = RPC_C_AUTHN_LEVEL_PKT
INTEGRITY = RPC_C_AUTHN_LEVEL_PKT_INTEGRITY
PRIVACY = RPC_C_AUTHN_LEVEL_PKT_PRIVACY


class SecuredAgent(RawAgent):
    """A connection as `smb_user` over SMB, and as `rpc_user` at RPC level."""

    def __init__(
        self,
        nas: Place,
        level: int,
        *,
        rpc_user: User = ROOT,
        smb_user: User = ROOT,
        domain: str = "LABGROUP",
        address: str = "",
    ) -> None:
        self._level, self._rpc_user, self._domain = level, rpc_user, domain
        super().__init__(nas, smb_user.name, smb_user.password, address=address)

    def send(self, opnum: Opnum, stub: bytes, change: Callable[[bytes], bytes]) -> bytes:
        """Make a call with its PDU changed after signing. Returns the PDU as it was signed.

        Raises: impacket's exception for the response.
        """
        sent: list[bytes] = []
        wire = self._pipe.get_rpc_transport()
        original = wire.send

        def send(data: bytes, **options: Any) -> Any:
            sent.append(data)
            return original(change(data), **options)

        wire.send = send
        try:
            self.call(opnum, stub)
        finally:
            wire.send = original
        return sent[0]

    def _prepare(self, pipe: Any) -> None:
        pipe.set_credentials(self._rpc_user.name, self._rpc_user.password, self._domain)
        pipe.set_auth_type(RPC_C_AUTHN_WINNT)
        pipe.set_auth_level(self._level)


class TicketAgent(SecuredAgent):
    """The same with Kerberos in SPNEGO; impacket finds the tickets through $KRB5CCNAME.

    impacket frames the Kerberos token (RFC 2743) and signs no headers.
    """

    def _prepare(self, pipe: Any) -> None:
        pipe.get_rpc_transport().setRemoteName(MEMBER)
        pipe.set_credentials(self._rpc_user.name, "", REALM)
        pipe.set_auth_type(RPC_C_AUTHN_GSS_NEGOTIATE)
        pipe.set_auth_level(self._level)
