"""A private Debian in a lab, with Samba and one share on btrfs, for tests of packages."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

from lab import Lab
from lab.namespaces import wait_until
from tests.platform import roots

HELPER = "usr/libexec/samba/rpcd_fsrvp"
PACKAGES = (
    "fuse3",
    "samba",
    "smbclient",
    "python3-cffi",
    "python3-cryptography",
    "python3-pycryptodome",
    "systemd-standalone-sysusers",
    "systemd-standalone-tmpfiles",
)
# Of a host that makes backups: what the requestor's packages depend on, and no Samba.
CLIENT = (
    "fuse3",
    "python3-cffi",
    "python3-cryptography",
    "python3-pycryptodome",
    "python3-venv",
)
SMB_CONF = """[global]
    server role = standalone
    disable netbios = yes
    load printers = no
[data]
    path = /srv/data
    read only = no
"""
# Files that packaging tools write for every package.
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


NAMES = ("python3-fsrvpd-core", "fsrvpd", "fsrvpshadow")


class Packages(NamedTuple):
    """The three packages of this tree, as files of one directory."""

    core: Path
    agent: Path
    requestor: Path

    @classmethod
    def of(cls, directory: Path, pattern: str) -> Packages:
        """Find the one file of each package; `pattern` has {} for the package's name."""
        found = [list(directory.glob(pattern.format(name))) for name in NAMES]
        assert all(len(files) == 1 for files in found), found
        return cls(*(file for [file] in found))

    @property
    def directory(self) -> Path:
        return self.core.parent


class Debian(NamedTuple):
    """A system on top of a read-only tree. The packages to install are in /packages."""

    lab: Lab
    root: Path

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        chroot = ["chroot", self.root, *argv]
        return self.lab.run(chroot, check=check, timeout=180, environment=environment)

    def files(self) -> set[str]:
        """Return every path with its kind and owner."""
        script = "cd / && find . -xdev -printf '%p %y %u %g\\n'"
        lines = self.run("sh", "-c", script)
        return {line for line in lines.stdout.splitlines() if not line.startswith(NOT_OURS)}

    def seen(self, path: str) -> Path:
        return self.lab.seen(self.root / path)

    def exists(self, path: str) -> bool:
        return self.seen(path).exists()

    def install(self, *packages: Path) -> subprocess.CompletedProcess[str]:
        """Install packages of /packages that wait for nothing from elsewhere."""
        return self.run("dpkg", "-i", *(f"/packages/{each.name}" for each in packages))

    def start(self) -> None:
        """Start what systemd would start."""
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
    """Open a system on top of the tree of that name, with `packages` at /packages."""
    with _open(packages, name, installed) as debian:
        lab, root = debian.lab, debian.root
        volume = lab.volume("btrfs", "data")
        lab.run(["mkdir", "-p", root / "srv/data"])
        lab.run(["mount", "--bind", volume, root / "srv/data"])
        lab.run(["tee", root / "etc/samba/smb.conf"], input=SMB_CONF)
        yield debian


@contextmanager
def open_client(packages: Path) -> Iterator[Debian]:
    """Open a system without Samba, with `packages` at /packages."""
    with _open(packages, "client", CLIENT) as debian:
        yield debian


@contextmanager
def _open(packages: Path, name: str, installed: Sequence[str]) -> Iterator[Debian]:
    tree = roots.tree(name, installed)
    with Lab() as lab:
        scratch = lab.directory / "scratch"
        root = lab.directory / "root"
        for directory in (scratch, root):
            directory.mkdir()
        lab.run(["mount", "-t", "tmpfs", "scratch", scratch])
        lab.run(["mkdir", scratch / "upper", scratch / "work"])
        layers = f"lowerdir={tree},upperdir={scratch}/upper,workdir={scratch}/work"
        lab.run(["mount", "-t", "overlay", "-o", layers, "overlay", root])
        lab.run(["mkdir", "-p", root / "packages"])
        for source, target in (("/dev", "dev"), (packages, "packages")):
            lab.run(["mount", "--bind", source, root / target])
        lab.run(["mount", "-t", "proc", "proc", root / "proc"])
        yield Debian(lab, root)
