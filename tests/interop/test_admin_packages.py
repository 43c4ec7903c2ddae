"""Three Debian packages: the agent, the requestor, and what both need.

Each is installed alone and beside the others, and removed; the one package of 0.1.0 is upgraded.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from tests.interop.debian import HELPER, Debian, Packages, open_client, open_debian
from tests.modules import MODULES
from tests.paths import ROOT

LIBRARY = "./usr/lib/python3/dist-packages/"
VENDOR = f"{LIBRARY}fsrvpd/requestor/vendor/"
# Imports all that is installed of us; what is missing for that was not packaged.
IMPORT_ALL = """
import pathlib, importlib
site = pathlib.Path("/usr/lib/python3/dist-packages")
ours = [p for top in ("fsrvpd", "samba_hooks") for p in (site / top).rglob("*.py")]
for path in ours:
    words = path.relative_to(site).with_suffix("").parts
    if "vendor" not in words and words[-1] != "__main__":
        importlib.import_module(".".join(words[:-1] if words[-1] == "__init__" else words))
print(len(ours))
"""
OF_THE_COMMAND = (
    "lib/systemd/system/fsrvpshadow@.service",
    "lib/systemd/system/fsrvpshadow@.timer",
    "usr/bin/fsrvpshadow",
    "usr/share/bash-completion/completions/fsrvpshadow",
    "usr/share/zsh/vendor-completions/_fsrvpshadow",
)
CREDENTIALS = "printf 'username = root\\npassword = Pw-1\\n' >/root/credentials"
REQUESTOR = "import fsrvpd.requestor.smb, mfusepy, smbprotocol, spnego; print(smbprotocol.__file__)"


def output(*argv: object) -> str:
    words = [str(word) for word in argv]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


def files(package: Path) -> set[str]:
    lines = output("dpkg-deb", "--contents", package).splitlines()
    return {line.split()[5] for line in lines if not line.startswith("d")}


def field(package: Path, name: str) -> str:
    return output("dpkg-deb", "--field", package, name)


@contextmanager
def former_package(packages: Packages) -> Iterator[Path]:
    """The package of 0.1.0: one with the files of two, and with no other dependency."""
    tree = packages.directory / "former"
    for package in (packages.core, packages.agent):
        output("dpkg-deb", "--extract", package, tree)
    output("dpkg-deb", "--control", packages.agent, tree / "DEBIAN")
    (tree / "DEBIAN/md5sums").unlink()
    control = (tree / "DEBIAN/control").read_text()
    control = re.sub(r"(?m)^Version: .*", "Version: 0.1.0", control)
    control = re.sub(r"python3-fsrvpd-core \([^)]*\)", "python3-cffi", control)
    (tree / "DEBIAN/control").write_text(control)
    built = packages.directory / "former.deb"
    output("dpkg-deb", "--root-owner-group", "--build", tree, built)
    shutil.rmtree(tree)
    yield built
    built.unlink()


@pytest.fixture
def client(debian_packages: Packages) -> Iterator[Debian]:
    with open_client(debian_packages.directory) as opened:
        yield opened


@pytest.fixture
def server(debian_packages: Packages) -> Iterator[Debian]:
    with open_debian(debian_packages.directory) as opened:
        yield opened


def test_each_file_is_in_one_package(debian_packages: Packages) -> None:
    core, agent, requestor = (files(package) for package in debian_packages)
    assert not core & agent | core & requestor | agent & requestor
    packaged = {name for name in core | agent | requestor if name.startswith(LIBRARY)}
    modules = {name for name in packaged if name.endswith(".py") and not name.startswith(VENDOR)}
    assert modules == {f"{LIBRARY}{path}" for path in MODULES}
    assert f"{LIBRARY}fsrvpd/core/_native.abi3.so" in core
    of_libraries = ("mfusepy.py", "smbprotocol/__init__.py", "spnego/__init__.py")
    assert {f"{VENDOR}{path}" for path in of_libraries} <= requestor


def test_every_manual_page_is_in_the_package_of_its_command(debian_packages: Packages) -> None:
    for page in (ROOT / "docs/man").iterdir():
        _, agent, requestor = debian_packages
        package = requestor if "shadow" in page.name else agent
        assert f"./usr/share/man/man{page.suffix[1:]}/{page.name}.gz" in files(package)


def test_only_the_agent_needs_samba(debian_packages: Packages) -> None:
    core, agent, requestor = debian_packages
    assert "samba" in field(agent, "Depends")
    for package in (core, requestor):
        assert "samba" not in field(package, "Depends") + field(package, "Recommends")
    for package in (agent, requestor):
        version = field(core, "Version").strip()
        assert f"python3-fsrvpd-core (= {version})" in field(package, "Depends")
    assert "pyspnego" not in field(requestor, "Depends")  # Debian 12 has none


def test_what_both_need_stands_alone(client: Debian, debian_packages: Packages) -> None:
    client.install(debian_packages.core)
    client.run("python3", "-c", IMPORT_ALL)


def test_the_requestor_on_a_host_without_samba(client: Debian, debian_packages: Packages) -> None:
    before = client.files()
    client.install(debian_packages.core, debian_packages.requestor)
    client.run("python3", "-c", IMPORT_ALL)
    [found] = client.run("python3", "-c", REQUESTOR).stdout.split()
    assert found.startswith(VENDOR[1:])
    for path in OF_THE_COMMAND:
        assert client.exists(path), path
    assert client.run("fsrvpshadow", "--version").stdout.startswith("fsrvpshadow ")
    # No other program gets them.
    assert client.run("python3", "-c", "import smbprotocol", check=False).returncode == 1

    client.run("dpkg", "-P", "fsrvpshadow", "python3-fsrvpd-core")
    assert client.files() == before


def test_both_sides_on_one_host_and_either_removed(
    server: Debian, debian_packages: Packages
) -> None:
    server.install(*debian_packages)
    server.run("python3", "-c", IMPORT_ALL)
    refused = server.run("dpkg", "-r", "python3-fsrvpd-core", check=False)
    assert refused.returncode == 1

    server.run("dpkg", "-P", "fsrvpd")
    assert server.exists(HELPER)  # Samba's own agent is back
    server.run("python3", "-c", IMPORT_ALL)
    server.run("python3", "-c", REQUESTOR)

    server.install(debian_packages.agent)
    server.run("fsrvpctl", "setup", "--yes")
    server.start()
    back_up(server)
    server.run("dpkg", "-P", "fsrvpshadow")
    server.run("python3", "-c", IMPORT_ALL)
    server.stop()


def back_up(server: Debian) -> None:
    """Let the requestor make a copy by the agent, and run a command meanwhile."""
    for line in ("printf 'Pw-1\\nPw-1\\n' | smbpasswd -s -a root", f"umask 077; {CREDENTIALS}"):
        server.run("sh", "-c", line)
    command = ["sh", "-c", 'echo "$FSRVPSHADOW_SHARE_1"']
    login = ["fsrvpshadow", "-A", "/root/credentials"]
    said = server.run(*login, "run", r"\\127.0.0.1\data", "--", *command).stdout
    assert r"\data@{" in said
    assert server.run("fsrvpctl", "fsrvpd", "list-sets").stdout.count("{") == 0


def test_the_one_package_of_before_is_upgraded(server: Debian, debian_packages: Packages) -> None:
    with former_package(debian_packages) as former:
        server.install(former)
    server.run("fsrvpctl", "setup", "--yes")
    rotation = server.seen("etc/logrotate.d/fsrvpd")
    rotation.write_text(mine := rotation.read_text().replace("weekly", "daily") + "# mine\n")
    conf = server.seen("etc/samba/smb.conf").read_text()
    assert "registry shares = yes" in conf
    state = server.seen("var/lib/samba/fsrvpd/kept")
    state.write_text("state of a set\n")

    # Alone, the new core has to wait: the old package has the same files.
    refused = server.run("dpkg", "-i", f"/packages/{debian_packages.core.name}", check=False)
    assert "breaks fsrvpd" in refused.stderr
    server.run("dpkg", "--auto-deconfigure", "-i", *names(debian_packages))  # as apt does
    assert server.run("dpkg-query", "-W", "-f", "${Version}", "fsrvpd").stdout != "0.1.0"
    assert server.run("dpkg", "--audit").stdout == ""

    assert not server.exists(HELPER)
    assert rotation.read_text() == mine
    assert server.seen("etc/samba/smb.conf").read_text() == conf
    assert state.read_text() == "state of a set\n"
    server.run("python3", "-c", IMPORT_ALL)
    server.start()
    assert server.run("fsrvpctl", "doctor", check=False).returncode == 0
    server.stop()


def names(packages: Packages) -> list[str]:
    return [f"/packages/{package.name}" for package in packages]
