"""The releases, and a server of each with the wheel installed as an admin would."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from importlib.metadata import requires
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple, Optional

from tests.interop.site import TORTURE_SHARE, Site, previous_versions
from tests.lab import FsrvpdProcess, Lab, Samba, Share
from tests.platform import roots

PROJECT = Path(__file__).parents[2]
ENVIRONMENT = Path("/opt/fsrvpd")  # a Python environment in each tree
SCRIPTS = ENVIRONMENT / "bin"
PACKAGES = [
    *("btrfs-progs", "iproute2", "krb5-user", "samba", "samba-testsuite", "samba-vfs-modules"),
    *("smbclient", "strace", "winbind"),
    *("gcc", "libc6-dev", "libkrb5-dev", "python3-dev", "python3-venv"),  # for gssapi
]
EXTRAS = ("kerberos", "metrics", "test")
# Whom the machine trusts: where it stands behind a proxy, that is not what pip brings along.
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")


class Release(NamedTuple):
    """`samba` and `python` are what is proved by it, empty where that moves on. The last
    are the packages in which it keeps what makes a domain controller."""

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


def build_wheel(directory: Path) -> Path:
    """One wheel, with this machine's Python and compiler, for all releases."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    roots.run([*pip, f"--wheel-dir={directory}", PROJECT])
    [wheel] = directory.glob("fsrvpd-*.whl")
    return wheel


def requirements() -> list[str]:
    """Everything that fsrvpd and its unit tests want of Python's packages."""
    stated = [line.partition(";") for line in requires("fsrvpd") or []]
    wanted = ["", *(f'extra == "{extra}"' for extra in EXTRAS)]
    return [what.strip() for what, _, condition in stated if condition.strip() in wanted]


def tree(release: Release) -> Path:
    """The release's own Samba, and an environment of its own Python. Raises: CannotBuild."""
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
    """Without an index: what it requires must be there."""
    here = lab.directory / wheel.name
    here.write_bytes(wheel.read_bytes())
    lab.run([SCRIPTS / "pip", "install", "--quiet", "--no-index", here])


@contextmanager
def open_site(
    release: Release, wheel: Path, options: Optional[Mapping[str, str]] = None
) -> Iterator[Site]:
    """smbd and fsrvpd of a release beside each other, with one share on btrfs."""
    with Lab(tree(release)) as lab:
        install(lab, wheel)
        volume = lab.volume("btrfs", "data")
        lab.run(["btrfs", "subvolume", "create", volume / "projects"])
        lab.run(["chmod", "0777", volume / "projects"])
        share = Share(TORTURE_SHARE, volume / "projects", previous_versions(volume / "projects"))
        samba = Samba(lab, [share], options)
        samba.start()
        daemon = FsrvpdProcess(lab, samba, scripts=SCRIPTS)
        daemon.start()
        yield Site(lab, samba, daemon, {"data": volume})


def versions(site: Site) -> tuple[str, str]:
    """Of Samba and of the Python that runs fsrvpd."""
    commands = (["smbd", "-V"], [SCRIPTS / "python", "-V"])
    samba, python = (site.lab.run(command).stdout.split()[-1] for command in commands)
    return samba, python
