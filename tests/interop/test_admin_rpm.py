"""The RPMs: built from their specification, inspected, installed, used, upgraded, erased.

Fedora's macros are in fedora.macros, since the machine has only rpm. The system in which they
are installed has no dpkg-divert, and its database does not know what Debian's packages provide, so
that nothing but the files decides.
"""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from tests.interop.debian import HELPER, SMB_CONF, Debian, Packages, open_client, open_debian
from tests.interop.rpm import MACROS
from tests.modules import MODULES

ROOT = Path(__file__).parents[2]
LIBRARY = "/usr/lib/python3/dist-packages"
VENDOR = f"{LIBRARY}/fsrvpd/requestor/vendor"
REQUESTOR = "import fsrvpd.requestor.smb, mfusepy, smbprotocol, spnego; print(smbprotocol.__file__)"
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
    "/usr/share/zsh/site-functions/_fsrvp-snap": 0o644,
    "/usr/share/zsh/site-functions/_fsrvpctl": 0o644,
    "/usr/share/zsh/site-functions/_fsrvpd": 0o644,
    "/usr/share/fsrvpd/monitoring/alerts.yml": 0o644,
    "/usr/share/fsrvpd/monitoring/dashboard.json": 0o644,
}
OF_THE_REQUESTOR = {
    "/usr/bin/fsrvpshadow": 0o755,
    "/usr/lib/systemd/system/fsrvpshadow@.service": 0o644,
    "/usr/lib/systemd/system/fsrvpshadow@.timer": 0o644,
    "/usr/share/bash-completion/completions/fsrvpshadow": 0o644,
    "/usr/share/zsh/site-functions/_fsrvpshadow": 0o644,
}
# Backups of the account files, and directories that belong to Fedora's `filesystem` package.
NOT_OURS = {"./etc/group-", "./etc/gshadow-", "./usr/lib/sysusers.d", "./usr/share/licenses"}
# A stand-in for an upgrade of Samba, which brings Samba's own agent back.
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
# The one package of 0.1.0-1: all files of two of today's.
FORMER = """
Name: fsrvpd
Version: 0.1.0
Release: 1
Summary: The agent as one package
License: none
%description
It was split.
%install
cp -a {tree}/etc {tree}/usr %{{buildroot}}
%files
%config(noreplace) /etc/logrotate.d/fsrvpd
{files}
"""


@pytest.fixture(scope="module")
def samba_package(rpm_packages: Packages) -> Path:
    return build(rpm_packages.directory / "samba-dcerpc.spec", SAMBA)


@pytest.fixture(scope="module")
def former_package(rpm_packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    core, agent, _ = rpm_packages
    tree = tmp_path_factory.mktemp("former")
    argv = ["rpm", "--root", tree, "--nodeps", "--noscripts", "--install", core, agent]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    names = [name for package in (core, agent) for name in contents(package)]
    wanted = sorted({n for n in names if (tree / n[1:]).is_file() and not n.startswith("/etc")})
    text = FORMER.format(tree=tree, files="\n".join(wanted))
    return build(rpm_packages.directory / "former.spec", text)


def build(specification: Path, text: str) -> Path:
    """Build the stand-in of another package."""
    specification.write_text(text)
    topdir = specification.with_suffix("")
    options = ["--define", f"_topdir {topdir}", "--define", "_build_id_links none"]
    argv = ["rpmbuild", "-bb", *MACROS, *options, specification]
    subprocess.run(argv, check=True, capture_output=True, timeout=120)
    [found] = topdir.glob("RPMS/*/*.rpm")
    return found


def query(package: Path, *what: str) -> str:
    argv = ["rpm", "--query", "--package", *what, package]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


def contents(package: Path) -> dict[str, int]:
    """Each file and its mode."""
    lines = query(package, "--queryformat", "[%{FILENAMES} %{FILEMODES} %{FILEUSERNAME}\n]")
    assert {line.split()[2] for line in lines.splitlines()} == {"root"}
    return {name: int(mode) for name, mode, _ in map(str.split, lines.splitlines())}


@pytest.fixture
def system(rpm_packages: Packages) -> Iterator[Debian]:
    with open_debian(rpm_packages.directory) as opened:
        opened.run("rm", "/usr/bin/dpkg-divert")
        yield opened


def rpm(system: Debian, *argv: object) -> str:
    words = ["rpm", "--root", str(system.root), "--nodeps", *map(str, argv)]
    return str(system.lab.run(words).stdout)


def test_they_hold_what_an_admin_needs_with_the_right_modes(rpm_packages: Packages) -> None:
    core, agent, requestor = (contents(package) for package in rpm_packages)
    for name, mode in BESIDE_THE_MODULES.items():
        assert stat.S_IMODE(agent[name]) == mode, name
    for name, mode in OF_THE_REQUESTOR.items():
        assert stat.S_IMODE(requestor[name]) == mode, name
    for page in (ROOT / "docs/man").iterdir():
        name = f"/usr/share/man/man{page.suffix[1:]}/{page.name}"
        holder = requestor if "shadow" in page.name else agent
        assert any(file.startswith(name) for file in holder)
    assert f"{LIBRARY}/fsrvpd/core/_native.abi3.so" in core
    assert {f"{VENDOR}/smbprotocol/__init__.py", f"{VENDOR}/mfusepy.py"} <= requestor.keys()
    for files in (core, agent, requestor):
        writable = [name for name, mode in files.items() if mode & 0o022 and not stat.S_ISLNK(mode)]
        assert writable == []


def test_each_module_is_in_one_of_them_with_its_compiled_form(rpm_packages: Packages) -> None:
    names = [name for package in rpm_packages for name in contents(package)]
    ours = {f"{LIBRARY}/{path}" for path in MODULES}
    ours_in = [n for n in names if n.startswith(LIBRARY) and not n.startswith(VENDOR)]
    assert sorted(n for n in ours_in if n.endswith(".py")) == sorted(ours)
    compiled = [name for name in ours_in if name.endswith(".pyc") and ".opt-" not in name]
    assert len(set(compiled)) == len(compiled) == len(ours)


def test_their_version_is_the_project_s_and_what_they_require_is_named(
    rpm_packages: Packages,
) -> None:
    source = (ROOT / "fsrvpd/__init__.py").read_text()
    version = query(rpm_packages.core, "--queryformat", "%{VERSION}")
    assert f'__version__ = "{version}"' in source
    release = query(rpm_packages.core, "--queryformat", "%{VERSION}-%{RELEASE}")
    core, agent, requestor = (query(each, "--requires").splitlines() for each in rpm_packages)
    same = f"python3-fsrvpd-core = {release}"
    assert {"samba >= 4.13", "samba-common-tools", same} <= set(agent)
    assert {"fuse3", "fuse3-libs", "python3-cryptography", same} <= set(requestor)
    assert not [line for line in (*core, *requestor) if "samba" in line]
    assert query(rpm_packages.core, "--conflicts").strip() == f"fsrvpd < {release}"


def test_the_bundled_libraries_are_named_with_their_versions(rpm_packages: Packages) -> None:
    listed = (ROOT / "packaging/requestor-libraries.txt").read_text()
    for name, version in re.findall(r"(?m)^(\w+)==(\S+)", listed):
        provided = query(rpm_packages.requestor, "--provides")
        assert f"bundled(python3dist({name})) = {version}\n" in provided


def test_from_install_to_erasure_with_nothing_left(
    system: Debian, rpm_packages: Packages, samba_package: Path
) -> None:
    before = system.files()
    core, agent, _ = rpm_packages
    rpm(system, "--install", core, agent)
    assert system.exists(MOVED)
    assert not system.exists(HELPER)
    system.run("systemd-sysusers")  # systemd's triggers do this on Fedora
    system.run("systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/fsrvpd.conf")
    assert "fsrvpd:" in system.run("getent", "group", "fsrvpd").stdout
    assert stat.S_IMODE(system.seen("var/lib/samba/fsrvpd").stat().st_mode) == 0o700

    rpm(system, "--upgrade", "--force", core, agent)
    assert not system.exists(HELPER)
    rpm(system, "--install", "--force", samba_package)
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
    rpm(system, "--erase", "python3-fsrvpd-core")
    assert left(system, before) <= NOT_OURS


def test_the_requestor_on_a_host_without_samba(rpm_packages: Packages) -> None:
    core, _, requestor = rpm_packages
    with open_client(rpm_packages.directory) as client:
        before = client.files()
        rpm(client, "--install", core, requestor)
        [found] = client.run("python3", "-c", REQUESTOR).stdout.split()
        assert found.startswith(VENDOR)
        client.run("fsrvpshadow", "--version")
        rpm(client, "--erase", "fsrvpshadow", "python3-fsrvpd-core")
        assert left(client, before) <= NOT_OURS


def test_both_sides_on_one_host_and_either_removed(system: Debian, rpm_packages: Packages) -> None:
    rpm(system, "--install", *rpm_packages)
    rpm(system, "--erase", "fsrvpd")
    assert system.exists(HELPER)
    system.run("python3", "-c", REQUESTOR)
    rpm(system, "--install", rpm_packages.agent)
    rpm(system, "--erase", "fsrvpshadow")
    assert not system.exists(VENDOR[1:])
    system.run("fsrvpctl", "check-config")


def test_the_one_package_of_before_is_upgraded(
    system: Debian, rpm_packages: Packages, former_package: Path
) -> None:
    rpm(system, "--install", former_package)
    system.run("fsrvpctl", "setup", "--yes")
    rotation = system.seen("etc/logrotate.d/fsrvpd")
    rotation.write_text(mine := rotation.read_text() + "# mine\n")
    conf = system.seen("etc/samba/smb.conf").read_text()

    core, agent, _ = rpm_packages
    rpm(system, "--upgrade", core, agent)
    assert installed(system, "fsrvpd") == agent.name.removesuffix(".rpm")
    assert rotation.read_text() == mine
    assert system.seen("etc/samba/smb.conf").read_text() == conf
    assert not system.exists(HELPER)
    assert rpm(system, "--verify", "python3-fsrvpd-core") == ""
    system.start()
    system.stop()


def installed(system: Debian, name: str) -> str:
    return system.lab.run(["rpm", "--root", system.root, "--query", name]).stdout.strip()


def left(system: Debian, before: set[str]) -> set[str]:
    return {line.split()[0] for line in system.files() ^ before}
