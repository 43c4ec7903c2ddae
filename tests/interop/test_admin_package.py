"""The Debian package in a Debian of its own: installed, used, upgraded, removed, purged."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from tests.interop.debian import HELPER, SMB_CONF, Debian, open_debian

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("deb")
    subprocess.run([ROOT / "packaging/build-deb", output], check=True, timeout=300)
    [found] = output.glob("fsrvpd_*.deb")
    return found


@pytest.fixture
def debian(package: Path) -> Iterator[Debian]:
    with open_debian(package.parent) as opened:
        yield opened


def test_every_manual_page_is_in_it(package: Path) -> None:
    argv = ["dpkg-deb", "--contents", package]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    for page in (ROOT / "docs/man").iterdir():
        assert f" ./usr/share/man/man{page.suffix[1:]}/{page.name}.gz\n" in said


def test_from_install_to_purge_with_nothing_left(debian: Debian, package: Path) -> None:
    before = debian.files()
    assert debian.exists(HELPER)
    install = ["dpkg", "-i", f"/packages/{package.name}"]

    said = debian.run(*install).stdout
    assert "next, 'fsrvpctl setup', then 'fsrvpctl doctor'" in said
    assert not debian.exists(HELPER)
    assert debian.exists("lib/systemd/system/fsrvpd.service")
    for name in ("fsrvp-snap", "fsrvpctl", "fsrvpd"):
        assert debian.exists(f"usr/bin/{name}")
        assert debian.exists(f"usr/share/bash-completion/completions/{name}")
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
    assert debian.seen("etc/samba/smb.conf").read_text() == SMB_CONF
    assert debian.exists("var/lib/samba/fsrvpd")
    debian.run("dpkg", "-P", "fsrvpd")
    assert not debian.exists("var/lib/samba/fsrvpd")
    assert debian.files() == before


def use(debian: Debian) -> None:
    """What systemd would start, and the last of the three commands."""
    debian.start()
    doctor = debian.run("fsrvpctl", "doctor", check=False)
    assert doctor.returncode == 0, doctor.stdout
    assert "self-test: deleted, share and snapshot" in doctor.stdout
    assert debian.run("smbcontrol", "fsrvpd", "ping").stdout.startswith("PONG")
    assert debian.exists("var/log/samba/log.fsrvpd")
    debian.stop()
