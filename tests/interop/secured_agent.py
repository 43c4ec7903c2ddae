"""`RawAgent` with NTLM at RPC level, and with a hand on the bytes that go out."""

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
from tests.interop.raw_agent import Place, RawAgent
from tests.lab.accounts import ROOT, User
from tests.lab.domain import MEMBER, REALM

CONNECT = RPC_C_AUTHN_LEVEL_CONNECT
PKT = RPC_C_AUTHN_LEVEL_PKT
INTEGRITY = RPC_C_AUTHN_LEVEL_PKT_INTEGRITY
PRIVACY = RPC_C_AUTHN_LEVEL_PKT_PRIVACY


class SecuredAgent(RawAgent):
    """A connection to the agent as `smb_user`, who claims at RPC level to be `rpc_user`."""

    def __init__(
        self,
        site: Place,
        level: int,
        *,
        rpc_user: User = ROOT,
        smb_user: User = ROOT,
        domain: str = "LABGROUP",
    ) -> None:
        self._level, self._rpc_user, self._domain = level, rpc_user, domain
        super().__init__(site, smb_user.name, smb_user.password)

    def send(self, opnum: Opnum, stub: bytes, change: Callable[[bytes], bytes]) -> bytes:
        """A call whose PDU is changed on its way. Returns the PDU as it was signed.

        Raises: what impacket makes of the answer.
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
    """The same with Kerberos in SPNEGO, for which impacket finds tickets in $KRB5CCNAME.

    Its login has a frame around it, and it signs no headers.
    """

    def _prepare(self, pipe: Any) -> None:
        pipe.get_rpc_transport().setRemoteName(MEMBER)
        pipe.set_credentials(self._rpc_user.name, "", REALM)
        pipe.set_auth_type(RPC_C_AUTHN_GSS_NEGOTIATE)
        pipe.set_auth_level(self._level)
