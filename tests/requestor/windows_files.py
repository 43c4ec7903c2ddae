"""A share that keeps what Windows' files have, and a tree of such files, made and looked at by
Samba's own client.

data   btrfs; descriptors by acl_xattr, streams by streams_xattr
"""

from __future__ import annotations

import os
import re
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple

from fsrvpd.requestor.files.writing import WritableTree
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.smb.credentials import Credentials
from lab import FsrvpdProcess, Lab, Samba, Share
from lab.samba import ROOT
from tests.requestor.command_host import HOST, Host

SHARE = "data"
UNC = rf"\\{HOST}\{SHARE}"
OPTIONS = {"vfs objects": "acl_xattr streams_xattr", "store dos attributes": "yes"}
ACCOUNT = "S-1-5-21-1-2-3-1105"  # an account that is nobody's here
HOLE = 64 << 20


class FileServer:
    """`path` is the share's directory."""

    def __init__(self, lab: Lab, size: int = 512 << 20) -> None:
        self.lab = lab
        self.volume = lab.volume("btrfs", SHARE, size=size)
        self.path = self.volume / "files"
        lab.run(["mkdir", "-m", "0777", self.path])
        lab.run(["mount", "-o", "remount,noatime", self.volume])  # who compares reads
        self.samba = Samba(lab, [Share(SHARE, self.path, OPTIONS)], {"netbios name": HOST})
        self.daemon = FsrvpdProcess(lab, self.samba)

    def start(self) -> None:
        self.samba.start()
        self.daemon.start()

    def client(self, command: str) -> str:
        return self.samba.smbclient(SHARE, command).stdout

    def put(self, name: str, content: bytes) -> None:
        r"""Over SMB, with `\` between components; `name:stream` is a stream."""
        local = self.lab.directory / "put"
        local.write_bytes(content)
        self.client(f'put "{local}" "{name}"')

    def write(self, name: str, content: bytes) -> None:
        """On the volume itself, for what is large or has a name of Unix'."""
        self.seen(name).write_bytes(content)

    def seen(self, name: str) -> Path:
        return self.lab.seen(self.path) / name.replace("\\", "/")

    def put_sparse(self, name: str, size: int, data: bytes) -> None:
        """With FILE_ATTRIBUTE_SPARSE_FILE, which smbclient cannot set; `data` at the end."""
        connector = SmbConnector(Credentials(ROOT.name, ROOT.password))
        with (
            closing(
                WritableTree(lambda: connector.new_session(self.samba.address), SHARE)
            ) as target,
            self.lab.network() as threads,
        ):
            pieces = [(size - len(data), data)]
            threads.submit(target.write, name, size, lambda: pieces, sparse=True).result()

    def acl(self, name: str, *words: str) -> str:
        argv = ["smbcacls", "-s", self.samba.conf, "-U", ROOT.login, "--numeric"]
        return self.samba.run([*argv, f"//{self.samba.address}/{SHARE}", name, *words]).stdout

    def facts(self, directory: str) -> Mapping[str, Facts]:
        """All that is below a directory of the share, by its path from there."""
        top = self.seen(directory)
        paths = sorted(top.rglob("*"))
        names = [str(path.relative_to(self.seen(""))).replace("/", "\\") for path in paths]
        shown = self.client(";".join(f'allinfo "{name}"' for name in names))
        infos = ["altname:" + each for each in shown.split("altname:")[1:]]
        found = zip(paths, names, infos)
        return {
            str(path.relative_to(top)): self._facts(name, path, info) for path, name, info in found
        }

    def _facts(self, name: str, path: Path, info: str) -> Facts:
        lines = dict(re.findall(r"^(\w+): +(.*)$", info, re.M))
        streams = tuple(
            (stream, self._stream(name, stream))
            for stream in re.findall(r"^stream: \[:(.+):\$DATA\], \d+ bytes$", info, re.M)
        )
        status = path.stat()
        return Facts(
            path.read_bytes() if path.is_file() else b"",
            path.is_file() and status.st_blocks * 512 < status.st_size // 2,
            lines["attributes"],
            (lines["create_time"], lines["access_time"], lines["write_time"]),
            status.st_mtime_ns // 100,
            self.acl(name),
            streams,
        )

    def _stream(self, name: str, stream: str) -> bytes:
        local = self.lab.directory / "got"
        self.client(f'get "{name}:{stream}" "{local}"')
        return local.read_bytes()

    def assert_nothing_is_left(self) -> None:
        assert self.daemon.ask("list-sets") == []
        assert "@{" not in self.samba.net("conf", "listshares").stdout


class Facts(NamedTuple):
    content: bytes
    has_holes: bool
    attributes: str
    times: tuple[str, ...]  # created, accessed, written, as smbclient shows them
    modified: int  # in units of 100 ns
    descriptor: str  # as smbcacls shows it
    streams: tuple[tuple[str, bytes], ...]


def make_tree(server: FileServer, top: str) -> None:
    """Everything that a file can have. Times are last: writing changes them."""
    for directory in (top, rf"{top}\empty", rf"{top}\deep", rf"{top}\deep\er"):
        server.client(f'mkdir "{directory}"')
    server.put(rf"{top}\plain.txt", b"plain")
    server.put(rf"{top}\none", b"")
    server.put(rf"{top}\deep\er\inner", os.urandom(300_000))
    server.put(rf"{top}\deep\größe 😀.txt", b"name")
    server.write(rf"{top}\large.bin", os.urandom(3 << 20))
    server.put_sparse(rf"{top}\sparse.bin", HOLE, b"end")
    with server.seen(rf"{top}\unmarked.bin").open("wb") as unmarked:
        unmarked.write(b"begin")
        unmarked.seek(HOLE)
        unmarked.write(b"end")
    for stream, content in (("Zone.Identifier", b"[ZoneTransfer]"), ("big", os.urandom(9_000))):
        server.put(rf"{top}\plain.txt:{stream}", content)
    server.put(rf"{top}\deep:of a directory", b"a stream too")
    acl = f"ACL:{ACCOUNT}:ALLOWED/0/0x001200a9"
    server.acl(rf"{top}\plain.txt", "--add", acl)
    server.acl(rf"{top}\deep", "--add", f"ACL:{ACCOUNT}:ALLOWED/3/0x001301bf")
    server.client(f'setmode "{top}\\plain.txt" +hs')
    server.client(f'setmode "{top}\\none" +r')
    for number, name in enumerate(("plain.txt", "none", "large.bin", "empty", "deep")):
        time = f"{2001 + number}:02:03-04:05:06"
        server.client(f'utimes "{top}\\{name}" {time} {time} {time} {time}')


@contextmanager
def open_file_server(size: int = 512 << 20) -> Iterator[tuple[FileServer, Host]]:
    with Lab() as lab:
        hosts = lab.directory / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n127.0.0.9 {HOST}\n")
        lab.run(["mount", "--bind", hosts, "/etc/hosts"])
        server = FileServer(lab, size)
        server.start()
        yield server, Host(lab, server.samba.root)
