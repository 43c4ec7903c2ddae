"""Debian trees: other releases, with their own Samba and Python, for a lab to live in.

A tree is made once, kept outside the project and never written to again. Its name holds a
digest of its recipe, so that another list of packages is another tree; unstable is as it
was when its tree was made, until somebody removes that.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Mapping, Optional, Sequence

from tests.lab.namespaces import Argument, CommandFailed, LabError

MIRROR = "http://deb.debian.org/debian"
APT = ("apt-get", "-qq", "-o", "Acquire::Retries=3", "--no-install-recommends", "-y")
NO_DOCUMENTS = "path-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\nforce-unsafe-io\n"
START_NOTHING = "#!/bin/sh\nexit 101\n"
# Whom the machine trusts; where it stands behind a proxy, that is not what pip brings along.
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
ENVIRONMENT_DIRECTORY = Path("/opt/fsrvpd")  # a Python environment inside the tree
IN_TREE = 'mount -t proc proc "$1/proc" && root=$1 && shift && exec chroot "$root" "$@"'


def cache() -> Path:
    """$FSRVPD_TEST_CACHE, or fsrvpd in the user's cache."""
    named = os.environ.get("FSRVPD_TEST_CACHE")
    return Path(named) if named else Path("~/.cache/fsrvpd").expanduser()


def tree(release: str, packages: Sequence[str], requirements: Sequence[str]) -> Path:
    """The root directory of a Debian release with packages, and with what pip installs for
    `requirements` in an environment of the release's own Python.

    Takes a minute for a new one. Raises: CommandFailed, LabError.
    """
    trust = TRUSTED if TRUSTED.exists() else None

    def make(root: Path) -> None:
        run(["debootstrap", "--variant=minbase", release, root, MIRROR])
        _write(root / "usr/sbin/policy-rc.d", START_NOTHING, 0o755)
        _write(root / "etc/dpkg/dpkg.cfg.d/fsrvpd", NO_DOCUMENTS, 0o644)
        _run_in(root, [*APT, "install", *packages, "python3-venv"])
        _run_in(root, ["apt-get", "clean"])
        if trust is not None:
            shutil.copyfile(trust, root / trust.relative_to("/"))
        _make_environment(root, requirements, {} if trust is None else {"PIP_CERT": str(trust)})

    return _made(release, [*packages, "", *requirements], make)


def _make_environment(root: Path, requirements: Sequence[str], pip: Mapping[str, str]) -> None:
    install = [ENVIRONMENT_DIRECTORY / "bin/pip", "install", "--quiet"]
    _run_in(root, ["python3", "-m", "venv", ENVIRONMENT_DIRECTORY])
    _run_in(root, [*install, "--upgrade", "pip"], pip)  # Debian 11 has one that is too old
    _run_in(root, [*install, *requirements], pip)


def run(argv: Sequence[Argument], environment: Optional[Mapping[str, str]] = None) -> None:
    """Run a command on the machine. Raises: CommandFailed, LabError where it is missing."""
    words = [str(word) for word in argv]
    settings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env={**settings, **(environment or {})},
            timeout=1800,
            check=False,
        )
    except FileNotFoundError:
        raise LabError(f"{words[0]} is not installed; `make deps` installs it") from None
    if done.returncode != 0:
        raise CommandFailed(done)


def _run_in(
    root: Path, argv: Sequence[Argument], environment: Optional[Mapping[str, str]] = None
) -> None:
    """Run a command in the tree, with the machine's network and processes of its own."""
    entrance = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", IN_TREE, "sh"]
    run([*entrance, root, *argv], environment)


def _made(name: str, recipe: Sequence[str], make: Callable[[Path], None]) -> Path:
    """The tree of a recipe. Half a tree is never seen, nor kept."""
    digest = hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:12]
    target = cache() / f"{name}-{digest}"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        make(partial)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _write(path: Path, text: str, mode: int) -> None:
    path.write_text(text)
    path.chmod(mode)
