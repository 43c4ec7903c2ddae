"""A host that backs up with restic and borg, and a NAS whose files have all that Windows knows.

projects  btrfs, whose snapshots keep inodes and times
vault     XFS, whose copies are made of new files by reflink
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, Mapping, NamedTuple, Optional

from smbprotocol.connection import Connection
from smbprotocol.ioctl import IOCTLFlags, SMB2IOCTLRequest
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    FileAttributes,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
)
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from lab import FsrvpdProcess, Lab, Samba, Share
from tests.requestor.command_host import HOST, Host

FSCTL_SET_SPARSE = 0x900C4
SHARES = {"projects": "btrfs", "vault": "xfs"}
STREAMS = {"vfs objects": "streams_xattr", "store dos attributes": "yes"}
# Of each share: directories without and with files, one of them large, one with holes, names.
FILL = """
mkdir -p "$1/folder/empty" "$1/many"; chmod -R 0777 "$1"
printf 'plain text' > "$1/folder/file"
head -c 5000000 /dev/urandom > "$1/folder/large"
truncate -s 64M "$1/folder/holes"
printf data | dd of="$1/folder/holes" bs=1 seek=33554432 conv=notrunc 2> /dev/null
for number in $(seq 100); do echo "$number" > "$1/many/file $number"; done
echo grün > "$1/many/größer 1€"
"""


class Nas(NamedTuple):
    lab: Lab
    samba: Samba
    daemon: FsrvpdProcess
    host: Host

    def path(self, share: str) -> Path:
        """Of a share's directory on the server."""
        return self.lab.directory / f"{share}.share"

    def calls(self) -> List[str]:
        return [call.method for call in self.daemon.calls()]

    def set_sparse(self, share: str, path: str) -> None:
        """As Windows does with the files of virtual machines: Samba tells holes of these only."""
        with self.lab.network() as inside:
            inside.submit(_set_sparse, self.samba, share, path).result()

    def kill_smbd(self) -> None:
        """All of its processes, which say goodbye to nobody."""
        self.lab.run(["pkill", "-9", "-x", "smbd"])
        self.samba.stop()

    def assert_nothing_is_left(self) -> None:
        """No set, no shadow copy share, no mount, no record."""
        assert self.daemon.ask("list-sets") == []
        assert "@{" not in self.samba.net("conf", "listshares").stdout
        self.assert_nothing_is_mounted()
        self.host.assert_no_state_is_left()

    def assert_nothing_is_mounted(self) -> None:
        assert self.mounts() == []
        found = self.lab.run(["find", "/run/fsrvpshadow/mnt", "-mindepth", "1"], check=False)
        assert found.stdout == "", found.stdout
        records = self.lab.run(["find", "/var/lib/fsrvpshadow/mounts", "-type", "f"], check=False)
        assert records.stdout == ""
        assert self.servers() == []

    def mounts(self) -> List[str]:
        lines = self.lab.run(["cat", "/proc/self/mountinfo"]).stdout.splitlines()
        return [line for line in lines if "/run/fsrvpshadow/" in line]

    def servers(self) -> List[int]:
        """The processes of mounts, by their ids in the lab."""
        return self.commands("fsrvpd.requestor.mount.server")

    def commands(self, word: str) -> List[int]:
        return [pid for pid, argv in self.lab.processes().items() if word in argv]


def _set_sparse(samba: Samba, share: str, path: str) -> None:
    connection = Connection(uuid.uuid4(), samba.address, samba.port)
    connection.connect()
    try:
        session = Session(connection, samba.root.name, samba.root.password)
        session.connect()
        tree = TreeConnect(session, rf"\\{samba.address}\{share}")
        tree.connect()
        file = Open(tree, path)
        file.create(
            ImpersonationLevel.Impersonation,
            FilePipePrinterAccessMask.FILE_WRITE_DATA,
            FileAttributes.FILE_ATTRIBUTE_NORMAL,
            ShareAccess.FILE_SHARE_READ,
            CreateDisposition.FILE_OPEN,
            CreateOptions.FILE_NON_DIRECTORY_FILE,
        )
        request = SMB2IOCTLRequest()
        request["ctl_code"], request["file_id"] = FSCTL_SET_SPARSE, file.file_id
        request["flags"] = IOCTLFlags.SMB2_0_IOCTL_IS_FSCTL
        connection.receive(connection.send(request, session.session_id, tree.tree_connect_id))
        file.close()
    finally:
        connection.disconnect()


@contextmanager
def open_nas(options: Optional[Mapping[str, str]] = None) -> Iterator[Nas]:
    """`options` are added to [global] of smb.conf."""
    with Lab() as lab:
        hosts = lab.directory / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n127.0.0.9 {HOST}\n")
        lab.run(["mount", "--bind", hosts, "/etc/hosts"])
        samba = Samba(lab, options={"netbios name": HOST.upper(), **(options or {})})
        for name, kind in SHARES.items():
            volume = lab.volume(kind, name)
            directory = volume / name
            lab.run(["sh", "-ec", f'mkdir -p "$1"; {FILL}', "sh", directory])
            (lab.directory / f"{name}.share").symlink_to(directory)
            samba.set_share(Share(name, directory, STREAMS))
        daemon = FsrvpdProcess(lab, samba)
        samba.start()
        daemon.start()
        yield Nas(lab, samba, daemon, Host(lab, samba.root))
