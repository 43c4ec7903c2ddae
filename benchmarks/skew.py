"""How far apart two servers commit: sets over two, each in namespaces of its own.

The requestor runs here, with a thread for each server; a connection begins in the network of its
server. The sets are those of `fsrvpshadow`: signed, with NTLM, and with their state on the disk.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Mapping, NamedTuple, Optional, Sequence

from benchmarks.servers import SERVER_OF, Server
from fsrvpd.requestor.ports import AgentConnection, ShareRoot
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.state.files import StateFiles
from lab import Lab
from lab.namespaces import enter_network

ROUNDS, WARM_UP = 40, 3
HOSTS = [SERVER_OF.format(number) for number in (1, 2)]  # each server has both


class Commit(NamedTuple):
    """In s: from the first call to the last answer, and between the two answers."""

    window: float
    skew: float


class _Connector:
    """Leads an address to the server in whose network it is meant to be."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        self._servers = servers

    def connect(self, host: str, *, deadline: Optional[float] = None) -> AgentConnection:
        samba = self._servers[host].samba
        enter_network(self._servers[host].lab._init)  # this thread is of this one step
        credentials = Credentials(samba.root.name, samba.root.password)
        return SmbConnector(credentials).connect(host, deadline=deadline)


class _Names:
    def resolve(self, unc: str) -> ShareRoot:
        host, share = unc.strip("\\").split("\\")
        return ShareRoot(unc, unc, host, share, "")

    def resolve_set(self, uncs: Sequence[str]) -> Sequence[ShareRoot]:
        return [self.resolve(unc) for unc in uncs]

    def other_host(self, owner: Optional[str], server: AgentConnection, unc: str) -> Optional[str]:
        return None


def measure(rounds: int = ROUNDS) -> list[Commit]:
    found = []
    with ExitStack() as stack:
        servers = {host: Server(stack.enter_context(Lab()), "ours") for host in HOSTS}
        for server in servers.values():
            server.serve()
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        requestor = Requestor(_Connector(servers), StateFiles(state), _Names())
        for number in range(WARM_UP + rounds):
            share = servers[HOSTS[0]].shares[number]
            with requestor.create([f"\\\\{host}\\{share}" for host in HOSTS]) as created:
                found.append(Commit(created.window, created.skew))
    return found[WARM_UP:]
