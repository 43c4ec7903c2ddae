"""Makes one set as the requestor does, or as a program with impacket would, and deletes it.

    requestor_client.py ours|impacket ADDRESS USER PASSWORD SHARE

Signed with NTLM, at SMB and at RPC level. Each way imports only what it needs.
"""

from __future__ import annotations

import sys
from typing import Any, Callable

from fsrvpd.core import messages, ndr
from fsrvpd.core.messages import Opnum, new_guid
from fsrvpd.core.ndr import Syntax
from fsrvpd.protocol.sequence import TIMEOUTS

Call = Callable[[messages.Request], Any]


def with_ours(address: str, user: str, password: str) -> tuple[Call, Callable[[], None]]:
    from fsrvpd.requestor.smb.connector import SmbConnector
    from fsrvpd.requestor.smb.credentials import Credentials

    connection = SmbConnector(Credentials(user, password)).connect(address)
    return connection.call, connection.close


def with_impacket(address: str, user: str, password: str) -> tuple[Call, Callable[[], None]]:
    from impacket.dcerpc.v5 import transport
    from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_WINNT
    from impacket.smb3structs import SMB2_DIALECT_21
    from impacket.smbconnection import SMBConnection
    from impacket.uuid import uuidtup_to_bin

    # With a later dialect it would encrypt whenever the server can.
    connection = SMBConnection(address, address, preferredDialect=SMB2_DIALECT_21)
    connection.login(user, password)
    pipe = transport.SMBTransport(
        address, 445, r"\FssagentRpc", smb_connection=connection
    ).get_dce_rpc()
    pipe.set_credentials(user, password, "")
    pipe.set_auth_type(RPC_C_AUTHN_WINNT)
    pipe.set_auth_level(RPC_C_AUTHN_LEVEL_PKT_INTEGRITY)
    pipe.connect()
    pipe.bind(uuidtup_to_bin(("a8e0653c-2744-4389-a61d-7373df8b2292", "1.0")))

    def call(request: messages.Request) -> messages.Response:
        opnum = Opnum[type(request).__name__]
        pipe.call(int(opnum), ndr.encode_request(request, Syntax.NDR))
        return ndr.decode_response(opnum, pipe.recv(), Syntax.NDR)

    return call, connection.close


def create(call: Call, unc: str) -> messages.DeleteShareMapping:
    """Returns the request that deletes it."""
    must(call, messages.IsPathSupported(unc))
    must(call, messages.GetSupportedVersion())
    must(call, messages.SetContext(0))
    set_id = must(call, messages.StartShadowCopySet(new_guid())).guid
    copy_id = must(call, messages.AddToShadowCopySet(new_guid(), set_id, unc)).guid
    must(call, messages.PrepareShadowCopySet(set_id, TIMEOUTS[Opnum.PrepareShadowCopySet]))
    must(call, messages.CommitShadowCopySet(set_id, TIMEOUTS[Opnum.CommitShadowCopySet]))
    must(call, messages.ExposeShadowCopySet(set_id, TIMEOUTS[Opnum.ExposeShadowCopySet]))
    must(call, messages.GetShareMapping(copy_id, set_id, unc, 1))
    must(call, messages.RecoveryCompleteShadowCopySet(set_id))
    return messages.DeleteShareMapping(set_id, copy_id, unc)


def must(call: Call, request: messages.Request) -> Any:
    response = call(request)
    if response.result:
        raise ValueError(f"{request}: {response.result:#010x}")
    return response


def main() -> None:
    kind, address, user, password, share = sys.argv[1:]
    connect = {"ours": with_ours, "impacket": with_impacket}[kind]
    call, close = connect(address, user, password)
    must(call, create(call, f"\\\\{address}\\{share}\\"))
    close()


if __name__ == "__main__":
    main()
