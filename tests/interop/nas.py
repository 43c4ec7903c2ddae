"""`Nas`: a small NAS in a lab, with shares on several volumes, smbd and fsrvpd.

data   btrfs  holds a subvolume `projects`, which is the share that Samba's suite uses
more   btrfs  a second volume, for sets of two
vault  XFS
plain  ext4, which no provider can snapshot
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple, Optional
from uuid import UUID

from fsrvpd.core import btrfs
from fsrvpd.core.descriptors import closing_fd
from fsrvpd.core.mounts import MOUNT_ROOT, MountTable
from fsrvpd.protocol import exports
from lab import FsrvpdProcess, Lab, Samba, Share
from lab.namespaces import wait_until

TORTURE_SHARE = "fsrvp_share"  # the name that Samba's suite rpc.fsrvp insists on
# A client that connects to SECOND_ADDRESS has that source address, not 127.0.0.1.
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


def previous_versions(lab: Lab, volume_root: Path, share: str) -> dict[str, str]:
    """Return the lines that show the snapshots of a share, which is a whole subvolume of btrfs,
    as previous versions."""
    with closing_fd(os.open(lab.seen(volume_root), os.O_RDONLY)) as root:
        uuid, number = UUID(bytes=btrfs.file_system_uuid(root)), btrfs.subvolume_info(root).id
    key = exports.key_of(f"btrfs:{uuid}:{number}", "", share)
    return {
        "vfs objects": "shadow_copy2",
        "shadow:snapdir": f"{exports.ROOT}/{key}/{exports.COPIES}",
        "shadow:basedir": str(volume_root),
        "shadow:snapprefix": "^fsrvp-",
        "shadow:delimiter": "_GMT",
        "shadow:format": "_GMT-%Y.%m.%d-%H.%M.%S",
        "shadow:localtime": "no",
        "fsrvp:previous versions": "yes",
    }


LOSE_MOUNTS = """
while read -r _ _ _ _ point _; do
    case "$point" in "$1"/*) echo "$point" ;; esac
done < /proc/self/mountinfo | sort -r | xargs -r umount --lazy
rm -rf "$1"
"""


class Nas(NamedTuple):
    lab: Lab
    samba: Samba
    daemon: FsrvpdProcess
    volumes: Mapping[str, Path]

    def shadow_shares(self) -> list[str]:
        """List the shadow copy shares in Samba's registry."""
        shares = self.samba.net("conf", "listshares").stdout.splitlines()
        return [name for name in shares if "@{" in name]

    def share_descriptors(self) -> set[str]:
        """Return the shares, in lower case, that have their own security descriptor."""
        database = self.samba.place("state directory") / "share_info.tdb"
        script = ["/usr/bin/python3", "-c", LIST_DESCRIPTORS, database]
        keys = self.lab.run(script).stdout.splitlines()
        return {key.partition("/")[2].lower() for key in keys if key.startswith("SECDESC/")}

    def snapshots(self) -> list[str]:
        """List fsrvpd's snapshots on all volumes, and their markers."""
        found = []
        for root in self.volumes.values():
            for folder, names, _ in os.walk(self.lab.seen(root)):
                if ".fsrvpd" in names:
                    names.remove(".fsrvpd")
                    found += _entries(os.path.join(folder, ".fsrvpd"))
        return found

    def mounts(self) -> list[str]:
        """List the mount points of copies. Each is in use: none is left over."""
        shares = self.lab.seen(Path(exports.ROOT))
        found = [path.relative_to(shares) for path in shares.glob(f"*/{exports.COPIES}/*")]
        table = MountTable.parse(self.lab.seen(Path("/proc/1/mountinfo")).read_bytes())
        mounted = [Path(mount.mount_point).name for mount in table.below(exports.ROOT)]
        names = {name for name in mounted if name.startswith("fsrvp-")}
        assert names == {path.name for path in found}
        return [f"{exports.ROOT}/{path}" for path in found]

    def lose_mounts(self) -> None:
        """Remove all that fsrvpd has mounted, with its directories, as a reboot does."""
        self.lab.run(["sh", "-ec", LOSE_MOUNTS, "sh", MOUNT_ROOT])

    def assert_nothing_is_left(self) -> None:
        """Assert that no set, shadow copy share, security descriptor, snapshot or mount is left."""
        wait_until("no set is left", lambda: self.daemon.ask("list-sets") == [])
        assert self.shadow_shares() == []
        assert [name for name in self.share_descriptors() if "@{" in name] == []
        assert self.snapshots() == []
        assert self.mounts() == []


def _entries(home: str) -> list[str]:
    """List markers, snapshots, and the directories that hold a share's snapshots, by name.

    Nothing is opened: a marker is a symlink with no target.
    """
    found = []
    for name in os.listdir(home):
        path = os.path.join(home, name)
        if name.startswith(("fsrvp-", ".partial", ".unsealed")):
            found.append(path)
        else:
            found += [os.path.join(path, inner) for inner in os.listdir(path)]
    return found


def make_directory(lab: Lab, path: Path) -> Path:
    """Make a directory in which every SMB user may write."""
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
        Share(TORTURE_SHARE, projects, previous_versions(lab, projects, TORTURE_SHARE)),
        Share("deep", make_directory(lab, more / "a" / "b" / "deep inside")),
        Share("hidden$", make_directory(lab, data / "hidden")),
        Share("with space", make_directory(lab, more / "with space")),
        Share("Größe-名前", make_directory(lab, data / "Größe-名前")),
        Share("vault", make_directory(lab, volumes["vault"] / "vault")),
        Share("plain", make_directory(lab, volumes["plain"] / "plain")),
        Share("machine", Path("/")),
    ]


@contextmanager
def open_nas(
    options: Optional[Mapping[str, str]] = None, *, own_agent: bool = False
) -> Iterator[Nas]:
    """Start a NAS with smbd and fsrvpd. `options` are added to [global] in smb.conf."""
    with Lab() as lab:
        lab.run(["ip", "address", "add", f"{SECOND_ADDRESS}/24", "dev", "lo"])
        volumes = make_volumes(lab)
        shares = make_shares(lab, volumes)
        samba = Samba(lab, shares, {**OPTIONS, **(options or {})}, own_agent=own_agent)
        samba.start()
        daemon = FsrvpdProcess(lab, samba)
        daemon.start()
        yield Nas(lab, samba, daemon, volumes)
