"""Debian trees for test beds: made once, kept outside the project, never written to again.

A tree is known by what was asked for, so that another list of packages is another tree.
They are of the machine's own release, where its Python is to run in them, or of any other
that is asked for. One of unstable stays as old as it is until somebody removes it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Optional, Sequence

MIRROR = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
NO_DOCUMENTS = "path-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\nforce-unsafe-io\n"
# Of a release that is no longer kept up, or a mirror that stands still, the dates run out.
ANY_AGE = 'Acquire::Check-Valid-Until "false";\n'
APT = ["apt-get", "-qq", "-o", "Acquire::Retries=3", "--no-install-recommends", "-y"]
# What is mounted in a tree must end with the command, however that one ends: a half-made tree
# is removed, and the machine's /proc or /dev must not be in it then.
APART = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


class CannotBuild(Exception):
    """A bed cannot be made on this machine; the text says why."""


def cache() -> Path:
    """Where the trees are kept: $FSRVPD_TEST_CACHE, or fsrvpd in the user's cache."""
    named = os.environ.get("FSRVPD_TEST_CACHE")
    return Path(named) if named else Path("~/.cache/fsrvpd").expanduser()


def release() -> str:
    """The machine's Debian release by name. Raises: CannotBuild."""
    lines = Path("/etc/os-release").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    if fields.get("ID") != "debian":
        raise CannotBuild("the test beds are Debian's, and this machine is not")
    return fields["VERSION_CODENAME"].strip('"')


def run(argv: Sequence[object], timeout: float = 900.0) -> str:
    """Run a command and return what it says. Raises: CannotBuild with the end of it."""
    words = [str(word) for word in argv]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env=environment,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise CannotBuild(f"{words[0]} is not installed") from error
    if done.returncode != 0:
        raise CannotBuild(
            f"{' '.join(words)}: exit status {done.returncode}\n{done.stdout[-3000:]}"
        )
    return done.stdout


def made(
    name: str,
    recipe: Sequence[str],
    make: Callable[[Path], None],
    suite: Optional[str] = None,
) -> Path:
    """The directory in the cache for a recipe; `make` fills it when there is none yet."""
    digest = hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:12]
    target = cache() / f"{name}-{suite or release()}-{digest}"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        make(partial)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target


def chrooted(root: Path, argv: Sequence[object], timeout: float = 900.0) -> str:
    """Run a command in a tree, with /proc, in namespaces of its own."""
    script = 'mount -t proc proc "$1/proc" && r=$1 && shift && exec chroot "$r" "$@"'
    return run([*APART, "sh", "-c", script, "sh", root, *argv], timeout)


def base(suite: Optional[str] = None) -> Path:
    """The smallest tree, from which the others begin."""
    chosen = suite or release()

    def make(target: Path) -> None:
        run([*APART, "debootstrap", "--variant=minbase", chosen, target, MIRROR])
        policy = target / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        (target / "etc/dpkg/dpkg.cfg.d/beds").write_text(NO_DOCUMENTS)
        (target / "etc/apt/sources.list").write_text(_sources(chosen))
        if chosen != release():
            (target / "etc/apt/apt.conf.d/beds").write_text(ANY_AGE)
        chrooted(target, ["apt-get", "-qq", "update"])

    return made("base", ["1"], make, chosen)


def _sources(suite: str) -> str:
    """Of other releases the main archive alone: not every one has all of the rest."""
    sections = "main contrib"
    lines = [f"deb {MIRROR} {suite} {sections}\n"]
    if suite == release():
        lines.append(f"deb {MIRROR} {suite}-updates {sections}\n")
        lines.append(f"deb {SECURITY} {suite}-security {sections}\n")
    return "".join(lines)


def install(root: Path, packages: Sequence[str]) -> None:
    chrooted(root, ["apt-get", "-qq", "update"])  # the base may be old
    chrooted(root, [*APT, "install", *packages], timeout=3600)


def tree(name: str, packages: Sequence[str]) -> Path:
    """A tree with packages."""

    def make(target: Path) -> None:
        run(["cp", "-a", base(), target])
        install(target, packages)

    return made(name, packages, make)
