"""A NAS with files of every kind, and a set of shadow copies of its shares, as fsrvpd made it.

data   btrfs, with streams: all that `FILES_OF_DATA` and `MAKE` say
vault  XFS: what `MAKE` says, copied by reflink
dfs    the same files as data, in a namespace of DFS, which is not copied
"""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Mapping, NamedTuple, Optional, Sequence, Set, TypeVar

from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files.channel import Channel
from fsrvpd.requestor.files.link import good
from fsrvpd.requestor.files.tree import FileTree
from fsrvpd.requestor.opening import connect
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopy, ShadowCopySet
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.smb.session import SmbSession
from lab import FsrvpdProcess, Lab, Samba, Share, User
from lab.accounts import ROOT

Result = TypeVar("Result")
MIB = 1 << 20
LARGE, HOLES = 48 * MIB, 64 * MIB  # bytes of two files
MANY = 12_000  # files of a directory: several batches
SMALL = 300
LONG_NAME = "n" * 251 + ".txt"
MAKE = """
cd "$1"; umask 022
head -c 50331648 /dev/urandom > large
mkdir -p folder/empty small "deep/$(printf 'd%.0s' $(seq 200))/$(printf 'e%.0s' $(seq 200))"
echo inner > folder/inner; : > empty; echo x > "ä 😀.txt"
echo deepest > "deep/$(printf 'd%.0s' $(seq 200))/$(printf 'e%.0s' $(seq 200))/file"
echo long > "$2"
echo secret > secret; chmod 0600 secret
touch -d "2001-02-03 04:05:06.1234567 UTC" empty
i=0; while [ $i -lt 300 ]; do head -c $((i * 97)) large > small/$i; i=$((i + 1)); done
truncate -s 64M holes
printf begin | dd of=holes conv=notrunc status=none
printf middle | dd of=holes bs=1M seek=20 conv=notrunc status=none
chmod -R a+rX .; chmod 0777 .; chmod 0600 secret
"""
MANY_FILES = 'mkdir "$1/many"; cd "$1/many"; seq -f file%g 12000 | xargs touch'
OPTIONS = {"bind interfaces only": "no"}
STREAMS = {"vfs objects": "streams_xattr"}
SET_SPARSE = 0x900C4
WRITE_ACCESS = 0x2 | 0x80 | 0x100


class ShadowData(NamedTuple):
    lab: Lab
    samba: Samba
    daemon: FsrvpdProcess
    paths: Mapping[str, Path]
    copies: Mapping[str, str]  # share to shadow copy share
    made: Sequence[ShadowCopy]
    reader: User  # an ordinary user
    thread: ThreadPoolExecutor

    def run(self, function: Callable[[], Result]) -> Result:
        """In the network of the client."""
        return self.thread.submit(function).result(120)

    def log_in(self, user: User = ROOT, *, encrypt: bool = False) -> SmbSession:
        connector = SmbConnector(Credentials(user.name, user.password), encrypt=encrypt)
        return connector.log_in(self.samba.address)

    @contextmanager
    def tree(
        self,
        share: str,
        prefix: str = "",
        *,
        user: User = ROOT,
        encrypt: bool = False,
        give_up: float = 60.0,
        share_itself: bool = False,
    ) -> Iterator[FileTree]:
        """Of a shadow copy, or of the live share."""
        name = share if share_itself else self.copies[share]
        tree = FileTree(lambda: self.log_in(user, encrypt=encrypt), name, prefix, give_up=give_up)
        try:
            yield tree
        finally:
            self.run(tree.close)

    def hash_of(self, share: str, path: str) -> str:
        """Of a file of the live share, which has not changed."""
        file = self.lab.seen(self.paths[share]) / path.replace("\\", "/")
        return hashlib.sha256(file.read_bytes()).hexdigest()

    def kill_sessions(self) -> int:
        """kill -9 every smbd that serves a connection. Returns how many."""
        return len(self.signal_sessions("KILL"))

    def signal_sessions(self, signal: str) -> Set[str]:
        """Returns the ids of the processes, in the lab."""
        listed = self.lab.run(["ss", "-Htnp", "state", "established", "sport", "=", ":445"])
        pids = set(re.findall(r"pid=(\d+)", listed.stdout))
        self.lab.run(["kill", f"-{signal}", *pids])
        return pids

    def connections(self) -> int:
        listed = self.lab.run(["ss", "-Htn", "state", "established", "sport", "=", ":445"])
        return len(listed.stdout.splitlines())


@contextmanager
def open_shadow_data(options: Optional[Mapping[str, str]] = None) -> Iterator[ShadowData]:
    with Lab() as lab:
        paths = {}
        for share, kind in (("data", "btrfs"), ("vault", "xfs")):
            paths[share] = lab.volume(kind, share, 512 << 20) / share
            lab.run(["mkdir", "-m", "0777", paths[share]])
            lab.run(["sh", "-ec", MAKE, "sh", paths[share], LONG_NAME])
        lab.run(["sh", "-ec", MANY_FILES, "sh", paths["data"]])
        shares = [Share("data", paths["data"], STREAMS), Share("vault", paths["vault"])]
        shares.append(Share("dfs", paths["data"], {"msdfs root": "yes"}))
        samba = Samba(lab, shares, {**OPTIONS, **(options or {})})
        reader = samba.add_user("reader")
        samba.start()
        daemon = FsrvpdProcess(lab, samba)
        daemon.start()
        with lab.network() as thread:
            data = ShadowData(lab, samba, daemon, paths, {}, (), reader, thread)
            for share in paths:
                data.run(lambda share=share: set_sparse(data, share))  # type: ignore[misc]
            set_metadata(data)
            made = data.run(lambda: create(data))
            copies = {copy.root.share: copy.unc.split("\\")[3] for copy in made.copies}
            assert len(daemon.ask("list-sets")) == 1  # it is our agent that has made it
            yield data._replace(copies=copies, made=made.copies)
            data.run(made.delete)
            assert daemon.ask("list-sets") == []


def create(data: ShadowData) -> ShadowCopySet:
    credentials = Credentials(ROOT.name, ROOT.password)
    requestor = connect(credentials, state=data.lab.directory / "state")
    return requestor.create([rf"\\{data.samba.address}\{share}" for share in data.paths])


def set_sparse(data: ShadowData, share: str) -> None:
    """As Windows marks a sparse file; Samba tells the holes of no other."""
    session = data.log_in()
    channel = Channel(session, share)
    [opened] = channel.ask(m.create("holes", WRITE_ACCESS, 0))
    file_id = m.created(good(opened)).file_id
    good(channel.ask(m.ioctl(file_id, SET_SPARSE, b"", 0))[0])
    channel.ask(m.close(file_id))
    channel.close()


def set_metadata(data: ShadowData) -> None:
    """Two streams, DOS attributes, and an entry of a DACL."""
    local = data.lab.directory / "stream"
    local.write_text("[ZoneTransfer]\n")
    unc = f"//{data.samba.address}/data"
    login = ["-U", f"{ROOT.name}%{ROOT.password}", "-s", data.samba.conf]
    commands = (
        f"put {local} folder\\inner:Zone.Identifier; put {local} folder\\inner:ü; "
        "setmode folder\\inner +hs"
    )
    data.lab.run(["smbclient", unc, *login, "-c", commands])
    entry = f"ACL:{data.samba.sid(data.reader)}:ALLOWED/0x0/FULL"
    data.lab.run(["smbcacls", *login, unc, "folder\\inner", "--add", entry])
