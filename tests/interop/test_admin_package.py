"""The Debian package in a Debian of its own: installed, used, upgraded, removed, purged."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

from tests.lab import Lab
from tests.lab.namespaces import wait_until
from tests.platform import roots

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "samba",
    "smbclient",
    "python3-cffi",
    "python3-pycryptodome",
    "systemd-standalone-sysusers",
    "systemd-standalone-tmpfiles",
)
HELPER = "usr/libexec/samba/rpcd_fsrvp"
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
    "./var/lib/samba/",
    "./var/log/",
    "./var/lib/systemd/",
    "./etc/systemd/system",
    "./srv/data",
    "./deb/",
)


class Debian(NamedTuple):
    """A system of its own in a lab, over a tree that stays as it is."""

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

    def exists(self, path: str) -> bool:
        return self.lab.seen(self.root / path).exists()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("deb")
    subprocess.run([ROOT / "packaging/build-deb", output], check=True, timeout=300)
    [found] = output.glob("fsrvpd_*.deb")
    return found


@pytest.fixture
def debian(package: Path) -> Iterator[Debian]:
    tree = roots.tree("package", PACKAGES)
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
        lab.run(["mkdir", "-p", root / "srv/data", root / "deb"])
        for source, target in (("/dev", "dev"), (volume, "srv/data"), (package.parent, "deb")):
            lab.run(["mount", "--bind", source, root / target])
        lab.run(["mount", "-t", "proc", "proc", root / "proc"])
        lab.run(["tee", root / "etc/samba/smb.conf"], input=SMB_CONF)
        yield Debian(lab, root)


def test_from_install_to_purge_with_nothing_left(debian: Debian, package: Path) -> None:
    before = debian.files()
    assert debian.exists(HELPER)
    install = ["dpkg", "-i", f"/deb/{package.name}"]

    said = debian.run(*install).stdout
    assert "next, 'fsrvpctl setup', then 'fsrvpctl doctor'" in said
    assert not debian.exists(HELPER)
    assert debian.exists("lib/systemd/system/fsrvpd.service")
    assert "fsrvpd:" in debian.run("getent", "group", "fsrvpd").stdout
    debian.run(*install)
    assert not debian.exists(HELPER)

    refused = debian.run("fsrvpctl", "setup", check=False)
    assert refused.returncode == 1  # nobody is asked, so nobody has agreed
    debian.run("fsrvpctl", "setup", "--yes")
    conf = debian.run("testparm", "-s", "--parameter-name=registry shares").stdout
    assert conf.strip() == "Yes"

    use(debian)

    debian.run("dpkg", "-r", "fsrvpd")
    assert debian.exists(HELPER)
    assert debian.lab.seen(debian.root / "etc/samba/smb.conf").read_text() == SMB_CONF
    assert debian.exists("var/lib/samba/fsrvpd")
    debian.run("dpkg", "-P", "fsrvpd")
    assert not debian.exists("var/lib/samba/fsrvpd")
    assert debian.files() == before


def use(debian: Debian) -> None:
    """What systemd would start, and the last of the three commands."""
    debian.run("smbd", "-D")
    debian.run("fsrvpd", "-D")
    wait_until(
        "fsrvpd answers",
        lambda: debian.run("fsrvpctl", "fsrvpd", "ping", check=False).returncode == 0,
    )
    doctor = debian.run("fsrvpctl", "doctor", check=False)
    assert doctor.returncode == 0, doctor.stdout
    assert "self-test: deleted, share and snapshot" in doctor.stdout
    assert debian.run("smbcontrol", "fsrvpd", "ping").stdout.startswith("PONG")
    assert debian.exists("var/log/samba/log.fsrvpd")
    debian.run("smbcontrol", "fsrvpd", "shutdown")
    wait_until(
        "fsrvpd has ended",
        lambda: debian.run("fsrvpctl", "fsrvpd", "ping", check=False).returncode == 3,
    )
