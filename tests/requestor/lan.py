"""A file server with fsrvpd in a lab that has DNS, and fsrvpshadow beside it.

data      btrfs; has a file `open`, and `secret` of mode 0600, which is root's
private   of mode 0700, which is root's
pictures  ext4, which no provider can snapshot
dfs       a namespace of DFS, with LINKS
"""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Iterator, Mapping, NamedTuple, Optional

from lab import FsrvpdProcess, Lab, Samba, Share, User
from lab.daemon import SCRIPTS
from lab.name_server import NameServer
from lab.namespaces import Argument
from lab.samba import ROOT
from tests.requestor.file_servers import SAMBAS_AGENT

NAS, OTHER = "10.0.0.7", "10.0.0.8"  # smbd listens on both
HOSTS = {
    "nas.example.org": (NAS,),
    "fs2.example.org": (OTHER,),
    "evil.example.org": (OTHER,),
    "evil.example.com": (OTHER,),
}
REVERSE = {NAS: "nas.example.org", OTHER: "fs2.example.org"}
LINKS = {
    "link": r"msdfs:nas\data",
    "below": r"msdfs:nas\data\folder",
    "two": r"msdfs:nas\data,fs2\data",
    "away": r"msdfs:fs2\data",
    "unknown": r"msdfs:evil\data",
    "again": r"msdfs:nas\dfs\link",
    "circle": r"msdfs:nas\dfs\circle2",
    "circle2": r"msdfs:nas\dfs\circle",
}
OPERATOR = User("operator")  # may have shares copied, and is an ordinary user otherwise
READER = User("reader")  # an ordinary user


class Lan(NamedTuple):
    lab: Lab
    names: NameServer
    samba: Samba
    daemon: Optional[FsrvpdProcess]

    def command(self, *words: str, user: User = ROOT, before: tuple[Argument, ...] = ()) -> Done:
        """Run `fsrvpshadow -A FILE WORDS…`."""
        file = self.lab.directory / f"credentials.{user.name}"
        file.write_text(f"username = {user.name}\npassword = {user.password}\n")
        file.chmod(0o600)
        argv = [*before, SCRIPTS / "fsrvpshadow", "-A", file, *words]
        return Done(self.lab.run(argv, check=False, environment=self._environment()))

    def configure(self, text: str) -> None:
        """What the user's configuration says from now on."""
        self._directory("config")
        (self.lab.directory / "config" / "fsrvpshadow.toml").write_text(text)

    def _environment(self) -> dict[str, str]:
        """Nothing of the machine's is read or written."""
        return {"XDG_CONFIG_HOME": self._directory("config")}

    def _directory(self, name: str) -> str:
        directory = self.lab.directory / name
        directory.mkdir(mode=0o700, exist_ok=True)
        return str(directory)


class Done(NamedTuple):
    process: subprocess.CompletedProcess[str]

    @property
    def status(self) -> int:
        return self.process.returncode

    @property
    def said(self) -> str:
        return self.process.stdout + self.process.stderr

    def json(self) -> list[Any]:
        return [json.loads(line) for line in self.process.stdout.splitlines()]


@contextmanager
def open_lan(
    options: Optional[Mapping[str, str]] = None,
    *,
    with_agent: bool = True,
    own_agent: bool = False,
) -> Iterator[Lan]:
    """`options` are added to [global] of smb.conf. `own_agent`: Samba's, in place of fsrvpd."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab())
        hide_the_machines_state(lab)
        for address in (NAS, OTHER):
            lab.run(["ip", "address", "add", f"{address}/32", "dev", "lo"])
        names = stack.enter_context(NameServer(lab, HOSTS, REVERSE, search=["example.org"]))
        data = lab.volume("btrfs", "data")
        pictures = lab.volume("ext4", "pictures")
        lab.run(["sh", "-ec", MAKE, "sh", data, lab.directory / "private"])
        shares = [
            Share("data", data, SAMBAS_AGENT if own_agent else {}),
            Share("private", lab.directory / "private"),
            Share("pictures", pictures),
            Share("dfs", make_namespace(lab.directory / "dfs"), {"msdfs root": "yes"}),
        ]
        globals_ = {"netbios name": "NAS", "bind interfaces only": "no", **(options or {})}
        samba = Samba(lab, shares, globals_, own_agent=own_agent)
        samba.add_user(READER.name)
        samba.add_user(OPERATOR.name)
        samba.net("sam", "rights", "grant", OPERATOR.name, "SeBackupPrivilege")
        samba.start()
        daemon = FsrvpdProcess(lab, samba) if with_agent and not own_agent else None
        if daemon:
            daemon.start()
        yield Lan(lab, names, samba, daemon)


def make_namespace(directory: Path) -> Path:
    (directory / "plain").mkdir(parents=True)
    for name, target in LINKS.items():
        (directory / name).symlink_to(target)
    return directory


def hide_the_machines_state(lab: Lab) -> None:
    """Root's sets are remembered below /var/lib, in which nothing may be made on the machine."""
    (lab.directory / "lib" / "samba").mkdir(parents=True)
    lab.run(["mount", "--bind", lab.directory / "lib", "/var/lib"])


MAKE = """
chmod 0777 "$1"; echo x > "$1/open"; mkdir "$1/folder"; echo y > "$1/folder/inner"
echo z > "$1/secret"; chmod 0600 "$1/secret"
mkdir -m 0700 "$2"
"""
