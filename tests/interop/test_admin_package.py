"""The agent's Debian package in a Debian of its own: installed, used, removed, purged."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from lab.namespaces import wait_until
from tests.interop.debian import HELPER, SMB_CONF, Debian, Packages, open_debian

LIST = ("smbclient", "--no-pass", "--list", "127.0.0.1")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def debian(debian_packages: Packages) -> Iterator[Debian]:
    with open_debian(debian_packages.directory) as opened:
        yield opened


def test_monitoring_lies_where_the_manual_says(debian_packages: Packages) -> None:
    package = debian_packages.agent
    argv = ["dpkg-deb", "--contents", package]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    named = re.findall(r"`(/usr/share/fsrvpd/[^`]+)`", (ROOT / "docs/install.md").read_text())
    assert len(named) == 2
    for path in named:
        assert f" .{path}\n" in said
    argv = ["dpkg-deb", "--field", package, "Suggests"]
    suggested = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "python3-prometheus-client" in suggested
    assert "apt install python3-prometheus-client" in (ROOT / "docs/install.md").read_text()


def test_documents_lie_where_the_readme_links_to(debian_packages: Packages) -> None:
    argv = ["dpkg-deb", "--contents", debian_packages.agent]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    links = set(re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / "README.md").read_text()))
    assert len(links) > 20
    for link in links:
        assert f" ./usr/share/doc/fsrvpd/{link}\n" in said, link


def test_from_install_to_purge_with_nothing_left(debian: Debian, debian_packages: Packages) -> None:
    before = debian.files()
    assert debian.exists(HELPER)
    core, agent, _ = debian_packages

    said = debian.install(core, agent).stdout
    assert "next, 'fsrvpctl setup', then 'fsrvpctl doctor'" in said
    assert not debian.exists(HELPER)
    assert debian.exists("lib/systemd/system/fsrvpd.service")
    for name in ("fsrvp-snap", "fsrvpctl", "fsrvpd"):
        assert debian.exists(f"usr/bin/{name}")
        assert debian.exists(f"usr/share/bash-completion/completions/{name}")
        assert debian.exists(f"usr/share/zsh/vendor-completions/_{name}")
    assert "fsrvpd:" in debian.run("getent", "group", "fsrvpd").stdout
    debian.install(core, agent)
    assert not debian.exists(HELPER)

    refused = debian.run("fsrvpctl", "setup", check=False)
    assert refused.returncode == 1  # there is no terminal to ask at, so nothing is confirmed
    debian.run("fsrvpctl", "setup", "--yes")
    conf = debian.run("testparm", "-s", "--parameter-name=registry shares").stdout
    assert conf.strip() == "Yes"

    use(debian)

    debian.run("dpkg", "-r", "fsrvpd")
    assert debian.exists(HELPER)
    assert debian.seen("etc/samba/smb.conf").read_text() == SMB_CONF
    assert debian.exists("var/lib/samba/fsrvpd")
    debian.run("dpkg", "-P", "fsrvpd", "python3-fsrvpd-core")
    assert not debian.exists("var/lib/samba/fsrvpd")
    assert debian.files() == before


def test_removal_leaves_what_others_need_and_never_fails(
    debian: Debian, debian_packages: Packages
) -> None:
    """smbd goes on serving a share that the admin has put into the registry."""
    conf = debian.seen("etc/samba/smb.conf")
    core, agent, _ = debian_packages
    debian.install(core, agent)
    debian.run("fsrvpctl", "setup", "--yes")
    enabled = conf.read_text()
    debian.start()
    debian.run("net", "conf", "addshare", "theirs", "/srv/data")
    made = json.loads(
        debian.run("fsrvpctl", "fsrvpd", "--json", "create-set", "--keep", "data").stdout
    )
    debian.run("fsrvpctl", "fsrvpd", "delete-set", made["set"])

    said = debian.run("dpkg", "-r", "fsrvpd")
    debian.run("smbcontrol", "fsrvpd", "shutdown")  # systemd would have stopped it
    assert "left on: theirs would no longer be served" in said.stdout
    assert "shadow copies remain" in said.stderr
    assert "install it again" in said.stderr
    assert conf.read_text() == enabled
    wait_until("smbd serves it", lambda: "theirs" in debian.run(*LIST).stdout)
    assert debian.exists(HELPER)

    debian.run("net", "conf", "delshare", "theirs")
    debian.install(agent)
    conf.write_text("[global\nnobody can read this\n")
    said = debian.run("dpkg", "-r", "fsrvpd").stderr
    assert "'fsrvpctl setup --undo' has failed" in said
    assert debian.exists(HELPER)


def use(debian: Debian) -> None:
    """Start what systemd would start, and run the last of the three commands."""
    debian.start()
    doctor = debian.run("fsrvpctl", "doctor", check=False)
    assert doctor.returncode == 0, doctor.stdout
    # The tree has no samba-vfs-modules.
    said = debian.run("fsrvpctl", "share-config", "data").stderr
    assert "smbd cannot load the vfs object shadow_copy2" in said
    assert "apt install samba-vfs-modules" in said
    assert "self-test: deleted, share and snapshot" in doctor.stdout
    assert debian.run("smbcontrol", "fsrvpd", "ping").stdout.startswith("PONG")
    assert debian.exists("var/log/samba/log.fsrvpd")
    debian.stop()
