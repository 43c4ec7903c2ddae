"""A requestor's host and file servers, each in namespaces of its own, connected by cables.

`Network.client` is the host; each `FileServer` has smbd and fsrvpd, or Samba's own agent. From the
client a server has the address 10.77.N.1, for the server the client is 10.77.N.2.
"""

from __future__ import annotations

import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple, Optional, Sequence

from lab import FsrvpdProcess, Lab, Samba, Share
from tests.interop.nas import Nas

OPTIONS = {
    "bind interfaces only": "no",
    "fsrvpd:require rpc integrity": "no",  # for rpcclient, which does not sign by default
}
# Our agent as it is by default, and as Windows Server 2012 is once it is patched. Both options at
# once: the one decides how a connection is bound, the other what is answered over it. Each alone is
# in test_command_dialects.py; tests/README.md has the table.
WINDOWS = {"fsrvpd:dialect": "ws2012", "fsrvpd:require rpc privacy": "yes"}
DIALECTS: Mapping[str, Mapping[str, str]] = {"current": {}, "ws2012-privacy": WINDOWS}
SAMBAS_AGENT = {"vfs objects": "btrfs", "btrfs:manipulate snapshots": "yes"}
VOLUME_SIZE = 512 << 20


class FileServer(NamedTuple):
    """A NAS as tests/interop knows it, and its address. `daemon` is None with Samba's agent."""

    address: str
    lab: Lab
    samba: Samba
    daemon: Optional[FsrvpdProcess]
    volumes: Mapping[str, Path]

    def unc(self, share: str) -> str:
        return f"\\\\{self.address}\\{share}"

    @property
    def nas(self) -> Nas:
        assert self.daemon is not None
        return Nas(self.lab, self.samba, self.daemon, self.volumes)

    def shadow_shares(self) -> list[str]:
        """List the shadow copy shares in Samba's registry."""
        shares = self.samba.net("conf", "listshares").stdout.splitlines()
        return [name for name in shares if "@{" in name]

    def snapshots(self) -> list[str]:
        """List the snapshots that Samba's agent has taken."""
        found = []
        for volume in self.volumes.values():
            listed = self.lab.run(["btrfs", "subvolume", "list", volume]).stdout.splitlines()
            found += [line for line in listed if "@GMT-" in line]
        return found

    def assert_nothing_is_left(self) -> None:
        if self.daemon is not None:
            self.nas.assert_nothing_is_left()
        else:
            assert self.shadow_shares() == []
            assert self.snapshots() == []

    def set_read_only(self, volume: str, value: bool) -> None:
        """Let storage refuse to take snapshots, or no longer."""
        option = f"remount,{'ro' if value else 'rw'}"
        self.lab.run(["mount", "-o", option, self.volumes[volume]])


class Network(NamedTuple):
    client: Lab
    servers: Sequence[FileServer]

    def assert_nothing_is_left(self) -> None:
        for server in self.servers:
            server.assert_nothing_is_left()


def connect(client: Lab, server: Lab, number: int) -> str:
    """Lay a cable between two labs. Returns the server's address."""
    name, address = f"srv{number}", f"10.77.{number}.1"
    ends = f"ip link add {name} type veth peer name lab0 netns {init_of(server)}"
    _in_network(client, ends)
    _in_network(client, f"ip address add 10.77.{number}.2/24 dev {name}")
    _in_network(client, f"ip link set {name} up")
    _in_network(server, f"ip address add {address}/24 dev lab0")
    _in_network(server, "ip link set lab0 up")
    return address


def init_of(lab: Lab) -> int:
    return lab._init


def _in_network(lab: Lab, command: str) -> None:
    argv = ["nsenter", "-t", str(init_of(lab)), "-n", *command.split()]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)


def make_server(
    client: Lab,
    server: Lab,
    number: int,
    shares: Sequence[str],
    options: Optional[Mapping[str, str]] = None,
    *,
    own_agent: bool = False,
) -> FileServer:
    """Each share is a subvolume of a volume of its own, which has the share's name."""
    address = connect(client, server, number)
    volumes, defined = {}, []
    for name in shares:
        volumes[name] = server.volume("btrfs", name, VOLUME_SIZE)
        path = volumes[name] / "root"
        server.run(["btrfs", "subvolume", "create", path])
        server.run(["chmod", "0777", path])
        server.run(["sh", "-c", 'echo "$1" > "$2"', "sh", name, path / "file.txt"])
        defined.append(Share(name, path, SAMBAS_AGENT if own_agent else {}))
    samba = Samba(server, defined, {**OPTIONS, **(options or {})}, own_agent=own_agent)
    samba.start()
    daemon = None
    if not own_agent:
        daemon = FsrvpdProcess(server, samba)
        daemon.start()
    return FileServer(address, server, samba, daemon, volumes)


@contextmanager
def open_network(
    *shares: Sequence[str],
    options: Optional[Mapping[str, str]] = None,
    own_agent: bool = False,
) -> Iterator[Network]:
    """A client, and a server for each list of shares."""
    with ExitStack() as stack:
        client = stack.enter_context(Lab())
        servers = []
        for number, names in enumerate(shares, 1):
            lab = stack.enter_context(Lab())
            servers.append(make_server(client, lab, number, names, options, own_agent=own_agent))
        yield Network(client, servers)
