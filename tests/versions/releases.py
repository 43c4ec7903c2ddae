"""Debian releases, and a server of each with the wheel installed as an admin would do it."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from importlib.metadata import requires
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple, Optional

from lab import FsrvpdProcess, Lab, Samba, Share
from tests.interop.nas import TORTURE_SHARE, Nas, previous_versions
from tests.platform import roots

PROJECT = Path(__file__).parents[2]
ENVIRONMENT = Path("/opt/fsrvpd")  # a Python environment in each tree
SCRIPTS = ENVIRONMENT / "bin"
PACKAGES = [
    *("acl", "btrfs-progs", "iproute2", "krb5-user"),
    *("samba", "samba-testsuite", "samba-vfs-modules"),
    *("smbclient", "strace", "winbind"),
    *("gcc", "libc6-dev", "libkrb5-dev", "python3-dev", "python3-venv"),  # for gssapi
]
EXTRAS = ("kerberos", "metrics", "requestor", "test")
# The machine's CA certificates: behind a proxy, those that pip includes are not enough.
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")


class Release(NamedTuple):
    """A Debian release.

    `samba` and `python` are the versions that it is expected to have, empty if these change.
    The last field lists its packages for a domain controller.
    """

    name: str
    samba: str
    python: str
    controller: tuple[str, ...]


OLDEST = Release("bullseye", "4.13.", "3.9.", ("samba-dsdb-modules",))
NEWEST = Release("sid", "", "", ("samba-ad-dc", "samba-ad-provision"))
RELEASES = [
    OLDEST,
    Release("bookworm", "4.17.", "3.11.", ("samba-ad-provision", "samba-dsdb-modules")),
    Release("trixie", "4.22.", "3.13.", ("samba-ad-dc", "samba-ad-provision")),
    NEWEST,
]


def build_wheel(directory: Path) -> None:
    """Build one wheel for all releases, with this machine's Python and compiler."""
    older = [*(PROJECT / "build").glob("lib*"), *(PROJECT / "build").glob("bdist*")]
    roots.run(["rm", "-rf", *older])
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    roots.run([*pip, f"--wheel-dir={directory}", PROJECT])


def requirements() -> list[str]:
    """List all Python packages that fsrvpd and its unit tests need; some with a condition."""
    found = []
    for line in requires("fsrvpd") or []:
        what, _, condition = line.partition(";")
        of_python, _, extra = condition.rpartition("extra == ")
        if extra.strip("\"'") in ("", *EXTRAS):
            marker = of_python.strip().removesuffix(" and")
            found.append(f"{what.strip()}; {marker}" if marker else what.strip())
    return found


def tree(release: Release) -> Path:
    """Return a tree with the release's Samba and a venv of its Python. Raises: CannotBuild."""
    wanted, packages = requirements(), [*PACKAGES, *release.controller]

    def make(root: Path) -> None:
        roots.run(["cp", "-a", roots.base(release.name), root])
        roots.install(root, packages)
        pip = [SCRIPTS / "pip", "install", "--quiet"]
        if TRUSTED.exists():
            shutil.copyfile(TRUSTED, root / TRUSTED.relative_to("/"))
            pip = ["env", f"PIP_CERT={TRUSTED}", *pip]
        roots.chrooted(root, ["python3", "-m", "venv", ENVIRONMENT])
        roots.chrooted(root, [*pip, "--upgrade", "pip"])  # Debian 11 has one that is too old
        roots.chrooted(root, [*pip, *wanted])

    return roots.made("server", [*packages, *wanted], make, release.name)


def install(lab: Lab, wheel: Path) -> None:
    """Install the wheel without a package index: its requirements must be in the tree."""
    here = lab.directory / wheel.name
    here.write_bytes(wheel.read_bytes())
    lab.run([SCRIPTS / "pip", "install", "--quiet", "--no-index", here])


@contextmanager
def open_nas(
    release: Release, wheel: Path, options: Optional[Mapping[str, str]] = None
) -> Iterator[Nas]:
    """Start smbd and fsrvpd on a release, with one share on btrfs."""
    with Lab(tree(release)) as lab:
        install(lab, wheel)
        volume = lab.volume("btrfs", "data")
        lab.run(["btrfs", "subvolume", "create", volume / "projects"])
        lab.run(["chmod", "0777", volume / "projects"])
        lines = previous_versions(lab, volume / "projects", TORTURE_SHARE)
        share = Share(TORTURE_SHARE, volume / "projects", lines)
        samba = Samba(lab, [share], options)
        samba.start()
        daemon = FsrvpdProcess(lab, samba, scripts=SCRIPTS)
        daemon.start()
        yield Nas(lab, samba, daemon, {"data": volume})


def versions(nas: Nas) -> tuple[str, str]:
    """Return the versions of Samba and of the Python that runs fsrvpd."""
    commands = (["smbd", "-V"], [SCRIPTS / "python", "-V"])
    samba, python = (nas.lab.run(command).stdout.split()[-1] for command in commands)
    return samba, python
