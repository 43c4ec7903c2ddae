"""The RPM: built from its specification, inspected, installed, used, upgraded, erased.

The macros of Fedora stand in a file beside this one, for a machine that has rpm alone; the
system that it is installed in has no dpkg-divert.
"""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from tests.interop.debian import HELPER, SMB_CONF, Debian, open_debian

ROOT = Path(__file__).parents[2]
MACROS = ["--nodeps", "--load", str(Path(__file__).with_name("fedora.macros"))]
MODULES = "/usr/lib/python3/dist-packages"
MOVED = "usr/libexec/samba/replaced-by-fsrvpd.rpcd_fsrvp"
BESIDE_THE_MODULES = {
    "/etc/logrotate.d/fsrvpd": 0o644,
    "/usr/bin/fsrvp-snap": 0o755,
    "/usr/bin/fsrvpctl": 0o755,
    "/usr/bin/fsrvpd": 0o755,
    "/usr/lib/systemd/system/fsrvpd.service": 0o644,
    "/usr/lib/sysusers.d/fsrvpd.conf": 0o644,
    "/usr/lib/tmpfiles.d/fsrvpd.conf": 0o644,
    "/usr/share/bash-completion/completions/fsrvp-snap": 0o644,
    "/usr/share/bash-completion/completions/fsrvpctl": 0o644,
    "/usr/share/bash-completion/completions/fsrvpd": 0o644,
    "/usr/share/fsrvpd/monitoring/alerts.yml": 0o644,
    "/usr/share/fsrvpd/monitoring/dashboard.json": 0o644,
}
# Backups of the accounts, and directories that on Fedora are the file system's own.
NOT_OURS = {"./etc/group-", "./etc/gshadow-", "./usr/lib/sysusers.d", "./usr/share/licenses"}
# As an upgrade of Samba would bring its own agent back.
SAMBA = """
Name: samba-dcerpc
Version: 4.99
Release: 1
Summary: Stands for Samba's package
License: none
%description
Its own agent.
%install
install -D /bin/true %{buildroot}/usr/libexec/samba/rpcd_fsrvp
%files
/usr/libexec/samba/rpcd_fsrvp
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("rpm")
    subprocess.run([ROOT / "packaging/build-rpm", output, *MACROS], check=True, timeout=300)
    [found] = set(output.glob("*.rpm")) - set(output.glob("*.src.rpm"))
    return found


@pytest.fixture(scope="module")
def samba_package(package: Path) -> Path:
    specification = package.with_name("samba-dcerpc.spec")
    specification.write_text(SAMBA)
    topdir = ["--define", f"_topdir {package.parent}/build", "--define", "_build_id_links none"]
    argv = ["rpmbuild", "-bb", *MACROS, *topdir, specification]
    subprocess.run(argv, check=True, capture_output=True, timeout=120)
    [found] = package.parent.glob("build/RPMS/*/samba-dcerpc-*.rpm")
    return found


def query(package: Path, *what: str) -> str:
    argv = ["rpm", "--query", "--package", *what, package]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def system(package: Path) -> Iterator[Debian]:
    with open_debian(package.parent) as opened:
        opened.run("rm", "/usr/bin/dpkg-divert")
        yield opened


def rpm(system: Debian, *argv: str) -> str:
    return str(system.lab.run(["rpm", "--root", system.root, "--nodeps", *argv]).stdout)


def test_it_holds_what_an_admin_needs_with_the_right_modes(package: Path) -> None:
    lines = query(package, "--queryformat", "[%{FILENAMES} %{FILEMODES} %{FILEUSERNAME}\n]")
    files = {name: int(mode) for name, mode, _ in map(str.split, lines.splitlines())}
    assert {line.split()[2] for line in lines.splitlines()} == {"root"}
    for name, mode in BESIDE_THE_MODULES.items():
        assert stat.S_IMODE(files[name]) == mode, name
    for page in (ROOT / "docs/man").iterdir():
        folder = f"/usr/share/man/man{page.suffix[1:]}"
        assert any(name.startswith(f"{folder}/{page.name}") for name in files)
    modules = {name for name in files if name.startswith(MODULES)}
    for path in (*ROOT.glob("fsrvpd/**/*.py"), *ROOT.glob("samba_hooks/**/*.py")):
        assert f"{MODULES}/{path.relative_to(ROOT)}" in modules
    assert f"{MODULES}/fsrvpd/core/_native.abi3.so" in modules
    writable = [name for name, mode in files.items() if mode & 0o022 and not stat.S_ISLNK(mode)]
    assert writable == []


def test_its_version_is_the_project_s_and_what_it_requires_is_named(package: Path) -> None:
    source = (ROOT / "fsrvpd/__init__.py").read_text()
    assert f'__version__ = "{query(package, "--queryformat", "%{VERSION}")}"' in source
    required = query(package, "--requires").splitlines()
    assert {"samba >= 4.13", "samba-common-tools"} <= set(required)


def test_from_install_to_erasure_with_nothing_left(
    system: Debian, package: Path, samba_package: Path
) -> None:
    before = system.files()
    rpm(system, "--install", str(package))
    assert system.exists(MOVED)
    assert not system.exists(HELPER)
    system.run("systemd-sysusers")  # in Fedora triggers of systemd do
    system.run("systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/fsrvpd.conf")
    assert "fsrvpd:" in system.run("getent", "group", "fsrvpd").stdout
    assert stat.S_IMODE(system.seen("var/lib/samba/fsrvpd").stat().st_mode) == 0o700

    rpm(system, "--upgrade", "--force", str(package))
    assert not system.exists(HELPER)
    rpm(system, "--install", "--force", str(samba_package))
    assert not system.exists(HELPER)  # though it has just been installed
    assert system.exists(MOVED)

    system.run("fsrvpctl", "setup", "--yes")
    system.start()
    doctor = system.run("fsrvpctl", "doctor", check=False)
    assert doctor.returncode == 0, doctor.stdout
    system.stop()

    rpm(system, "--erase", "fsrvpd")
    assert system.exists(HELPER)
    assert system.seen("etc/samba/smb.conf").read_text() == SMB_CONF
    left = {line.split()[0] for line in system.files() ^ before}
    assert left <= NOT_OURS
