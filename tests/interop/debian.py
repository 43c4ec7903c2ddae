"""A Debian of its own in a lab, with Samba and one share on btrfs, for packages to meet."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

from tests.lab import Lab
from tests.lab.namespaces import wait_until
from tests.platform import roots

HELPER = "usr/libexec/samba/rpcd_fsrvp"
PACKAGES = (
    "samba",
    "smbclient",
    "python3-cffi",
    "python3-pycryptodome",
    "systemd-standalone-sysusers",
    "systemd-standalone-tmpfiles",
)
SMB_CONF = """[global]
    server role = standalone
    disable netbios = yes
    load printers = no
[data]
    path = /srv/data
    read only = no
"""
# What packaging tools write by themselves, whatever the package.
NOT_OURS = (
    "./proc/",
    "./dev/",
    "./run/",
    "./tmp/",
    "./var/cache/",
    "./var/lib/dpkg/",
    "./root/.rpmdb",
    "./var/lib/samba/",
    "./var/log/",
    "./var/lib/systemd/",
    "./etc/systemd/system",
    "./srv/data",
    "./packages/",
)


class Debian(NamedTuple):
    """A system over a tree that stays as it is; what is to be installed is in /packages."""

    lab: Lab
    root: Path

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        chroot = ["chroot", self.root, *argv]
        return self.lab.run(chroot, check=check, timeout=180, environment=environment)

    def files(self) -> set[str]:
        """Every path with its kind and owner."""
        script = "cd / && find . -xdev -printf '%p %y %u %g\\n'"
        lines = self.run("sh", "-c", script)
        return {line for line in lines.stdout.splitlines() if not line.startswith(NOT_OURS)}

    def seen(self, path: str) -> Path:
        return self.lab.seen(self.root / path)

    def exists(self, path: str) -> bool:
        return self.seen(path).exists()

    def start(self) -> None:
        """What systemd would start."""
        self.run("smbd", "-D")
        self.run("fsrvpd", "-D")
        wait_until("fsrvpd answers", lambda: self._ping() == 0)

    def stop(self) -> None:
        self.run("smbcontrol", "fsrvpd", "shutdown")
        wait_until("fsrvpd has ended", lambda: self._ping() == 3)

    def _ping(self) -> int:
        return self.run("fsrvpctl", "fsrvpd", "ping", check=False).returncode


@contextmanager
def open_debian(
    packages: Path, name: str = "package", installed: Sequence[str] = PACKAGES
) -> Iterator[Debian]:
    """One with the directory of `packages` in it, over the tree of that name."""
    tree = roots.tree(name, installed)
    with Lab() as lab:
        volume = lab.volume("btrfs", "data")
        scratch = lab.directory / "scratch"
        root = lab.directory / "root"
        for directory in (scratch, root):
            directory.mkdir()
        lab.run(["mount", "-t", "tmpfs", "scratch", scratch])
        lab.run(["mkdir", scratch / "upper", scratch / "work"])
        layers = f"lowerdir={tree},upperdir={scratch}/upper,workdir={scratch}/work"
        lab.run(["mount", "-t", "overlay", "-o", layers, "overlay", root])
        lab.run(["mkdir", "-p", root / "srv/data", root / "packages"])
        for source, target in (("/dev", "dev"), (volume, "srv/data"), (packages, "packages")):
            lab.run(["mount", "--bind", source, root / target])
        lab.run(["mount", "-t", "proc", "proc", root / "proc"])
        lab.run(["tee", root / "etc/samba/smb.conf"], input=SMB_CONF)
        yield Debian(lab, root)
