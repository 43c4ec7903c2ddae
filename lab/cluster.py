"""`Cluster`: nodes with CTDB and smbd in namespaces of their own, on one btrfs.

    with Cluster() as cluster:
        cluster.start()
        print(cluster.read(cluster.nodes[2].address, "data", "file"))

A lab holds everything: the switches, the storage, and the client, which is the lab itself. Each
node is a container inside, with a private and a public network card and a disk of its own, so
that nothing is left when the lab ends.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Optional, Type

from lab.accounts import ROOT, User
from lab.namespaces import (
    HOLDER,
    Argument,
    Lab,
    LabError,
    LabProcess,
    Namespaces,
    only_child,
    wait_until,
)
from lab.samba import Samba, Share

NETBIOS_NAME = "CLUS"
CLIENT = "10.96.0.254"
PRIVATE, PUBLIC = "private", "public"  # the switches
SWITCHES = f"""
for switch in {PRIVATE} {PUBLIC}; do
    ip link add $switch type bridge && ip link set $switch up
done
ip addr add {CLIENT}/16 dev {PUBLIC}
"""
# In the lab, where $3 is the number of the node's first process.
CARD = """
ip link add "$1$2" type veth peer name "$4" netns "$3"
ip link set "$1$2" master "$1" up
"""
ADDRESSES = """
ip addr add "$1/24" dev eth0 && ip link set eth0 up
ip addr add "$2/16" dev eth1 && ip link set eth1 up
"""
# What the packages keep there, whatever the configuration says, is on the node's own disk.
DISK = ("/etc/ctdb", "/etc/samba", "/var/lib/ctdb", "/var/log/ctdb")
MOUNT_DISK = """
for place in "$@"; do mount --bind "$disk$place" "$place"; done
mkdir -p /run/ctdb
"""
EVENT_SCRIPTS = Path("/usr/share/ctdb/events/legacy")
EVENTS = ("00.ctdb", "10.interface")  # smbd is started by the lab
CTDB_CONF = """
[cluster]
    cluster lock = {lock}
[logging]
    location = file:/var/log/ctdb/log.ctdb
[legacy]
    realtime scheduling = false
"""
OPTIONS = {
    "netbios name": NETBIOS_NAME,
    "clustering": "yes",
    "interfaces": "lo eth1",
    "bind interfaces only": "no",  # public addresses come and go
}
HEALTHY_AFTER = 120.0  # s; three nodes on two idle cores take 25


class Node(Namespaces):
    """One node: a disk, two cards, ctdbd and smbd. Nothing runs before `boot`."""

    KINDS = (*Namespaces.KINDS, "-u", "-i")

    def __init__(self, lab: Lab, number: int) -> None:
        super().__init__()
        self.lab = lab
        self.number = number
        self.directory = lab.directory / f"node{number}"
        self.private_address = f"10.95.0.{number + 1}"
        self.address = f"10.96.0.{number + 1}"  # which it keeps
        self.public_address = f"10.96.1.{number + 1}"  # which CTDB moves
        self.disk = self.directory / "disk"
        self.ctdbd: Optional[LabProcess] = None
        self._samba: Optional[Samba] = None
        self._holder: Optional[subprocess.Popen[str]] = None

    @property
    def samba(self) -> Samba:
        """Its smbd. Raises: LabError before `start_samba`."""
        if self._samba is None:
            raise LabError(f"node {self.number} has no Samba")
        return self._samba

    def make_disk(self, lock: Path, nodes: list[Node]) -> None:
        """Configure CTDB; smb.conf is where the packages expect it."""
        for place in DISK:
            (self.disk / place[1:]).mkdir(parents=True)
        ctdb = self.disk / "etc/ctdb"
        shutil.copytree("/etc/ctdb", ctdb, symlinks=True, dirs_exist_ok=True)
        for name in ("persistent", "state", "volatile"):
            (self.disk / "var/lib/ctdb" / name).mkdir()
        events = ctdb / "events/legacy"
        for script in events.iterdir():
            script.unlink()
        for name in EVENTS:
            (events / f"{name}.script").symlink_to(EVENT_SCRIPTS / f"{name}.script")
        (ctdb / "ctdb.conf").write_text(CTDB_CONF.format(lock=lock))
        (ctdb / "nodes").write_text("".join(f"{each.private_address}\n" for each in nodes))
        public = "".join(f"{each.public_address}/16 eth1\n" for each in nodes)
        (ctdb / "public_addresses").write_text(public)
        (self.disk / "etc/samba/smb.conf").symlink_to(self.directory / "samba" / "smb.conf")

    def boot(self) -> None:
        """Make the namespaces, connect the cards, mount the disk."""
        kinds = ["--mount", "--net", "--pid", "--uts", "--ipc"]
        unshare = ["unshare", *kinds, "--fork", "--kill-child", "--mount-proc"]
        argv: list[Argument] = [*unshare, sys.executable, HOLDER, self.directory]
        self._holder = holder = self.lab.converse(argv)
        assert holder.stdout is not None
        if holder.stdout.readline() != "ready\n":
            raise LabError(f"node {self.number} did not start")
        self._init = only_child(only_child(holder.pid))
        for switch, card in ((PRIVATE, "eth0"), (PUBLIC, "eth1")):
            words: list[Argument] = [switch, str(self.number), str(self._pid_in_lab()), card]
            self.lab.run(["sh", "-ec", CARD, "sh", *words])
        self.run(["sh", "-ec", ADDRESSES, "sh", self.private_address, self.address])
        self.run(["sh", "-ec", MOUNT_DISK, "sh", *DISK], environment={"disk": str(self.disk)})
        self.run(["hostname", f"node{self.number}"])

    def start_ctdbd(self) -> None:
        """Without waiting: a node becomes healthy together with the others."""
        self.ctdbd = self.popen(["ctdbd", "--interactive"], output=self.directory / "log.ctdbd")

    def kill_ctdbd(self) -> None:
        """Kill it, as in a crash, and wait until its children have ended too: no other one starts
        beside them."""
        if self.ctdbd is not None:
            self.ctdbd.kill()
            pgrep = ["pgrep", "^ctdb"]
            wait_until(
                "ctdbd's children have ended",
                lambda: self.run(pgrep, check=False).returncode != 0,
            )

    def start_samba(self, shares: list[Share], options: dict[str, str]) -> None:
        """Start smbd and wait until it answers. ctdbd has to be healthy: it keeps the passwords."""
        self._samba = Samba(self, shares, {**OPTIONS, **options}, address=self.address)
        self._samba.start()

    def ctdb(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `ctdb WORDS…`."""
        return self.run(["ctdb", *words], check=check)

    def tail(self, lines: int = 30) -> str:
        """Return the end of ctdbd's log."""
        log = self.disk / "var/log/ctdb/log.ctdb"
        said = log.read_text(errors="replace") if log.exists() else ""
        return "\n".join(said.splitlines()[-lines:])

    def close(self) -> None:
        """End everything on it at once, as when its power fails."""
        if self._holder is not None:
            assert self._holder.stdin is not None
            assert self._holder.stdout is not None
            self._holder.stdin.close()
            self._holder.stdout.close()
            self._wait_for_the_end(self._holder)
            self._holder = None

    def _pid_in_lab(self) -> int:
        lines = Path(f"/proc/{self._init}/status").read_text().splitlines()
        numbers = next(line for line in lines if line.startswith("NSpid:")).split()
        return int(numbers[-2])  # the last one is 1, in the node itself


class Cluster:
    """Nodes on a btrfs that is mounted for all of them, with the share `data`.

    The client is the lab: it has an address in the public network and none in the private one.
    """

    def __init__(self, nodes: int = 3) -> None:
        self.lab = Lab()
        self.nodes: list[Node] = []
        try:
            self.volume = self.lab.volume("btrfs", "cluster")
            self.data = self.volume / "data"
            self.lab.run(["btrfs", "--quiet", "subvolume", "create", self.data])
            self.lab.run(["chmod", "0777", self.data])
            self.lab.run(["sh", "-ec", SWITCHES])
            self.nodes = [Node(self.lab, number) for number in range(nodes)]
            for node in self.nodes:
                node.make_disk(self.volume / "cluster.lock", self.nodes)
                node.boot()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything. Raises: LabError if something is left."""
        for node in self.nodes:
            node.close()
        self.lab.close()

    def start(self, options: Optional[dict[str, str]] = None) -> None:
        """Start ctdbd on all nodes, then smbd with these options of [global]."""
        for node in self.nodes:
            node.start_ctdbd()
        try:
            wait_until("all nodes are healthy", self.is_healthy, HEALTHY_AFTER)
        except LabError as error:
            logs = "\n".join(f"--- node {each.number}\n{each.tail()}" for each in self.nodes)
            raise LabError(f"{error}\n{logs}") from None
        for node in self.nodes:
            node.start_samba([Share("data", self.data)], options or {})

    def is_healthy(self) -> bool:
        """Whether every node says that all are."""
        asked = (node.ctdb("nodestatus", "all", check=False) for node in self.nodes)
        return all(each.returncode == 0 for each in asked)

    def smbclient(self, address: str, share: str, command: str, user: User = ROOT) -> str:
        """Run smbclient on the client. Returns what it printed. Raises: CommandFailed."""
        conf = self.nodes[0].samba.conf
        argv: list[Argument] = [
            "smbclient",
            "-s",
            conf,
            "-U",
            user.login,
            f"//{address}/{share}",
            "-c",
            command,
        ]
        return self.lab.run(argv).stdout

    def read(self, address: str, share: str, name: str) -> str:
        """Read a file over SMB through one address."""
        local = self.lab.directory / "download"
        self.smbclient(address, share, f'get "{name}" "{local}"')
        return local.read_text()
