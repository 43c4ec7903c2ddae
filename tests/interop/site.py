"""`Site`: a small NAS in a lab, with shares on several volumes and our daemon beside smbd.

data   btrfs  holds a subvolume `projects`, which is the share that Samba's suite wants
more   btrfs  a second volume, for sets of two
vault  XFS
plain  ext4, which no provider can snapshot
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple, Optional

from tests.lab import FsrvpdProcess, Lab, Samba, Share
from tests.lab.namespaces import wait_until

TORTURE_SHARE = "fsrvp_share"  # the name that Samba's suite rpc.fsrvp insists on
# From SECOND_ADDRESS itself, and not from 127.0.0.1, comes who connects to it.
SECOND_ADDRESS = "10.9.0.1"
OPTIONS = {
    "fsrvpd:require rpc integrity": "no",  # rpcclient and smbtorture do not sign
    "bind interfaces only": "no",
}
LIST_DESCRIPTORS = """
import os, sys, tdb
for key in tdb.open(sys.argv[1], flags=os.O_RDONLY):
    print(key.rstrip(b"\\0").decode())
"""


def previous_versions(volume_root: Path) -> dict[str, str]:
    """The lines of a share's section that show its snapshots as previous versions."""
    return {
        "vfs objects": "shadow_copy2",
        "shadow:snapdir": f"{volume_root}/.fsrvpd",
        "shadow:basedir": str(volume_root),
        "shadow:snapprefix": "^fsrvp-",
        "shadow:delimiter": "_GMT",
        "shadow:format": "_GMT-%Y.%m.%d-%H.%M.%S",
        "shadow:localtime": "no",
        "fsrvp:previous versions": "yes",
    }


class Site(NamedTuple):
    lab: Lab
    samba: Samba
    daemon: FsrvpdProcess
    volumes: Mapping[str, Path]

    def shadow_shares(self) -> list[str]:
        """The shadow copy shares in Samba's registry."""
        shares = self.samba.net("conf", "listshares").stdout.splitlines()
        return [name for name in shares if "@{" in name]

    def share_descriptors(self) -> set[str]:
        """The shares, in lower case, that have a security descriptor of their own."""
        database = self.samba.place("state directory") / "share_info.tdb"
        script = ["/usr/bin/python3", "-c", LIST_DESCRIPTORS, database]
        keys = self.lab.run(script).stdout.splitlines()
        return {key.partition("/")[2].lower() for key in keys if key.startswith("SECDESC/")}

    def snapshots(self) -> list[str]:
        """Snapshots of ours on all volumes, and the marks by which they are known."""
        found = []
        for root in self.volumes.values():
            for folder, names, _ in os.walk(self.lab.seen(root)):
                if ".fsrvpd" in names:
                    names.remove(".fsrvpd")
                    found += _entries(os.path.join(folder, ".fsrvpd"))
        return found

    def assert_nothing_is_left(self) -> None:
        """No set, no shadow copy share, no security descriptor of one, no snapshot."""
        wait_until("no set is left", lambda: self.daemon.ask("list-sets") == [])
        assert self.shadow_shares() == []
        assert [name for name in self.share_descriptors() if "@{" in name] == []
        assert self.snapshots() == []


def _entries(home: str) -> list[str]:
    """Marks, snapshots, and directories in which a share has its snapshots. By names alone:
    a mark is a link whose text leads nowhere."""
    found = []
    for name in os.listdir(home):
        path = os.path.join(home, name)
        if name.startswith(("fsrvp-", ".partial")):
            found.append(path)
        else:
            found += [os.path.join(path, inner) for inner in os.listdir(path)]
    return found


def make_directory(lab: Lab, path: Path) -> Path:
    """A directory in which every SMB user may write."""
    lab.run(["mkdir", "-p", "-m", "0777", path])
    return path


def make_volumes(lab: Lab) -> dict[str, Path]:
    volumes = {
        "data": lab.volume("btrfs", "data"),
        "more": lab.volume("btrfs", "more"),
        "vault": lab.volume("xfs", "vault"),
        "plain": lab.volume("ext4", "plain"),
    }
    projects = volumes["data"] / "projects"
    lab.run(["btrfs", "subvolume", "create", projects])
    lab.run(["chmod", "0777", projects])
    return {**volumes, "projects": projects}


def make_shares(lab: Lab, volumes: Mapping[str, Path]) -> list[Share]:
    data, more = volumes["data"], volumes["more"]
    projects = volumes["projects"]
    return [
        Share(TORTURE_SHARE, projects, previous_versions(projects)),
        Share("deep", make_directory(lab, more / "a" / "b" / "deep inside")),
        Share("hidden$", make_directory(lab, data / "hidden")),
        Share("with space", make_directory(lab, more / "with space")),
        Share("Größe-名前", make_directory(lab, data / "Größe-名前")),
        Share("vault", make_directory(lab, volumes["vault"] / "vault")),
        Share("plain", make_directory(lab, volumes["plain"] / "plain")),
        Share("machine", Path("/")),
    ]


@contextmanager
def open_site(
    options: Optional[Mapping[str, str]] = None, *, own_agent: bool = False
) -> Iterator[Site]:
    """A site with smbd and fsrvpd running. `options` go to the [global] of smb.conf."""
    with Lab() as lab:
        lab.run(["ip", "address", "add", f"{SECOND_ADDRESS}/24", "dev", "lo"])
        volumes = make_volumes(lab)
        shares = make_shares(lab, volumes)
        samba = Samba(lab, shares, {**OPTIONS, **(options or {})}, own_agent=own_agent)
        samba.start()
        daemon = FsrvpdProcess(lab, samba)
        daemon.start()
        yield Site(lab, samba, daemon, volumes)
