"""Debian trees for tests: made once, kept outside the project, and never changed afterwards.

A tree is identified by its recipe, so another list of packages makes another tree. Trees are of
the machine's own release if its Python is to run in them, or of any other release. A tree of
unstable is not updated: remove it to get a new one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Callable, List, Optional, Sequence

from tests.platform import apt
from tests.platform.apt import Archive
from tests.platform.once import once

NO_DOCUMENTS = "path-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\nforce-unsafe-io\n"
# Release files expire if a release is no longer maintained or a mirror is not updated.
ANY_AGE = 'Acquire::Check-Valid-Until "false";\n'
APT = ["apt-get", "-qq", "-o", "Acquire::Retries=3", "--no-install-recommends", "-y"]
# Mounts in a tree must end with the command, however it ends: an incomplete tree is removed,
# and the machine's /proc or /dev must not be mounted in it then.
APART = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


class CannotBuild(Exception):
    """Something cannot be built on this machine; the text says why."""


def cache() -> Path:
    """Return the directory of the trees: $FSRVPD_TEST_CACHE, or fsrvpd in the user's cache."""
    named = os.environ.get("FSRVPD_TEST_CACHE")
    return Path(named) if named else Path("~/.cache/fsrvpd").expanduser()


def release() -> str:
    """Return the name of the machine's Debian release. Raises: CannotBuild."""
    lines = Path("/etc/os-release").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    if fields.get("ID") != "debian":
        raise CannotBuild("the trees are Debian's, and this machine is not")
    return fields["VERSION_CODENAME"].strip('"')


def run(argv: Sequence[object], timeout: float = 900.0) -> str:
    """Run a command. Returns its output. Raises: CannotBuild with the end of the output."""
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
    """Return the cache's directory for a recipe. `make` fills it if it does not exist yet."""
    digest = hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:12]
    return once(cache() / f"{name}-{suite or release()}-{digest}", make)


def chrooted(root: Path, argv: Sequence[object], timeout: float = 900.0) -> str:
    """Run a command in a tree, with /proc, in private namespaces."""
    script = 'mount -t proc proc "$1/proc" && r=$1 && shift && exec chroot "$r" "$@"'
    return run([*APART, "sh", "-c", script, "sh", root, *argv], timeout)


def base(suite: Optional[str] = None) -> Path:
    """Return the minimal tree, on which the others are based."""
    chosen = suite or release()

    def make(target: Path) -> None:
        run([*APART, *debootstrap("--variant=minbase"), chosen, target, *mirror()])
        policy = target / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        (target / "etc/dpkg/dpkg.cfg.d/tests").write_text(NO_DOCUMENTS)
        (target / "etc/apt/sources.list").write_text(_sources(chosen, apt.mirror_of(target)))
        options = apt.proxies() + (ANY_AGE if chosen != release() else "")
        (target / "etc/apt/apt.conf.d/tests").write_text(options)
        chrooted(target, ["apt-get", "-qq", "update"])

    return made("base", ["2"], make, chosen)


def debootstrap(*options: str) -> List[str]:
    """Return the command. debootstrap downloads with wget, which does not use apt's proxy."""
    return ["env", *apt.proxy_for_wget(), "debootstrap", *options]


def mirror() -> List[str]:
    """Return the machine's mirror, or nothing; then debootstrap uses its default."""
    found = apt.mirror(release())
    return [found] if found else []


def _sources(suite: str, mirror: str) -> str:
    """Return sources.list. Other releases get the main archive only, since some lack the rest."""
    beside = apt.archives(suite) if suite == release() else []
    lines = {Archive(mirror, suite), *beside}
    return "".join(sorted(each.line() for each in lines))


def install(root: Path, packages: Sequence[str]) -> None:
    chrooted(root, ["apt-get", "-qq", "update"])  # the base may be old
    chrooted(root, [*APT, "install", *packages], timeout=3600)


def tree(name: str, packages: Sequence[str]) -> Path:
    """Return a tree with these packages installed."""

    def make(target: Path) -> None:
        run(["cp", "-a", base(), target])
        install(target, packages)

    return made(name, packages, make)
