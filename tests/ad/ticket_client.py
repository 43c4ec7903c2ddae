"""Makes and deletes a set with the tickets of the credential cache; prints what was proved.

ticket_client.py HOST SHARE [--encrypt]
"""

from __future__ import annotations

import json
import sys

from fsrvpd.core import messages
from fsrvpd.core.messages import new_guid
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import AgentConnection
from fsrvpd.requestor.smb import credentials
from fsrvpd.requestor.smb.connector import SmbConnector


def sequence(connection: AgentConnection, unc: str) -> list[int]:
    """Returns the results of all calls."""
    results = []

    def call(request: messages.Request) -> messages.Response:
        response = connection.call(request)
        results.append(response.result)
        return response

    call(messages.IsPathSupported(unc))
    call(messages.SetContext(0))
    started = call(messages.StartShadowCopySet(new_guid()))
    set_id = getattr(started, "guid", bytes(16))
    added = call(messages.AddToShadowCopySet(new_guid(), set_id, unc))
    copy_id = getattr(added, "guid", bytes(16))
    for kind in (
        messages.PrepareShadowCopySet,
        messages.CommitShadowCopySet,
        messages.ExposeShadowCopySet,
    ):
        call(kind(set_id, 60_000))
    call(messages.RecoveryCompleteShadowCopySet(set_id))
    call(messages.DeleteShareMapping(set_id, copy_id, unc))
    return results


def main() -> None:
    host, share, *options = sys.argv[1:]
    try:
        connector = SmbConnector(credentials.from_cache(), encrypt="--encrypt" in options)
        connection = connector.connect(host)
    except RequestorError as error:
        print(json.dumps({"error": str(error), "kind": type(error).__name__}))
        return
    found = {
        "results": sequence(connection, f"\\\\{host}\\{share}\\"),
        "kerberos": connection.uses_kerberos,
        "names": sorted(connection.proved_names),
    }
    connection.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
