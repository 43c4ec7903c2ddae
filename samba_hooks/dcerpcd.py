"""Samba's own FSRVP agent, rpcd_fsrvp, and how to keep samba-dcerpcd from starting it.

Whenever samba-dcerpcd starts, it runs every program in Samba's libexec directory whose
name begins with `rpcd_`, asks what it serves, and binds those pipes: `fssagentrpc` too,
though we serve it. There is no option against that (Samba 4.16 to 4.24), so the program
is moved to a name that does not begin with `rpcd_`: by dpkg-divert where dpkg owns
it, so that upgrades of Samba respect it, else by renaming.
"""

from __future__ import annotations

import glob
import os
import shlex
import shutil
import subprocess
from typing import NamedTuple, Optional, Sequence

from fsrvpd.errors import ConfigError

HELPER = "rpcd_fsrvp"
MOVED = f"replaced-by-fsrvpd.{HELPER}"
_NOTE = "replaced-by-fsrvpd.txt"
_PACKAGE = "fsrvpd"
_COMMAND_TIMEOUT = 60.0  # s; dpkg may wait for its lock

# Where distributions keep the helpers of samba-dcerpcd.
LIBEXEC_DIRECTORIES = (
    "/usr/libexec/samba",
    "/usr/lib/*/samba",
    "/usr/lib/samba",
    "/usr/lib64/samba",
    "/usr/local/samba/libexec/samba",
    "/usr/local/libexec/samba",
)


class OwnAgent(NamedTuple):
    """Where Samba's own agent stands. `directory` is None where this Samba has no
    samba-dcerpcd, and so nothing that could take the pipe."""

    directory: Optional[str]
    in_the_way: bool
    moved: bool

    @property
    def helper(self) -> str:
        return os.path.join(self.directory or "", HELPER)

    @property
    def target(self) -> str:
        return os.path.join(self.directory or "", MOVED)


def own_agent(directories: Sequence[str] = LIBEXEC_DIRECTORIES) -> OwnAgent:
    """Look for it. A helper that is no program (hidden by other means) is not in the way."""
    for pattern in directories:
        for directory in sorted(glob.glob(pattern)):
            found = OwnAgent(directory, False, False)
            if any(os.path.lexists(path) for path in (found.helper, found.target)):
                return found._replace(
                    in_the_way=os.access(found.helper, os.X_OK),
                    moved=os.path.lexists(found.target),
                )
    return OwnAgent(None, False, False)


def divert(agent: OwnAgent, *, dry_run: bool = False) -> list[str]:
    """Move it out of the way; nothing to do when it is not in the way.

    Returns the commands, as one would type them. Raises: ConfigError.
    """
    if not agent.in_the_way:
        return []
    if not os.access(agent.directory or "", os.W_OK):
        raise ConfigError(
            f"{agent.helper}: cannot be moved, {agent.directory} cannot be written to. If that is"
            " so by design, hide it, at each boot before smbd starts:"
            f" mount --bind /dev/null {agent.helper}"
        )
    if _is_dpkgs(agent.helper):
        options = ["--package", _PACKAGE, "--divert", agent.target, "--rename"]
        return _run([["dpkg-divert", *options, "--add", agent.helper]], dry_run)
    if not dry_run:
        _rename(agent.helper, agent.target)
        _write_note(agent)
    return [shlex.join(["mv", agent.helper, agent.target])]


def undivert(agent: OwnAgent, *, dry_run: bool = False) -> list[str]:
    """Put it back; nothing to do when it was not moved. Returns and raises as `divert`."""
    if not agent.moved:
        return []
    if _is_dpkgs(agent.helper):
        options = ["--package", _PACKAGE, "--rename"]
        return _run([["dpkg-divert", *options, "--remove", agent.helper]], dry_run)
    if not dry_run:
        _rename(agent.target, agent.helper)
        _remove_note(agent)
    return [shlex.join(["mv", agent.target, agent.helper])]


def _is_dpkgs(path: str) -> bool:
    """Whether dpkg installed the file, and so must be told where it goes."""
    if shutil.which("dpkg-divert") is None or shutil.which("dpkg-query") is None:
        return False
    return _call(["dpkg-query", "--search", path]).returncode == 0


def _run(commands: Sequence[Sequence[str]], dry_run: bool) -> list[str]:
    for argv in () if dry_run else commands:
        done = _call(argv)
        if done.returncode != 0:
            raise ConfigError(f"{shlex.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return [shlex.join(argv) for argv in commands]


def _call(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - an argument vector of ours
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"{shlex.join(argv)}: no end after {_COMMAND_TIMEOUT:g} s") from error


def _rename(source: str, target: str) -> None:
    try:
        os.replace(source, target)
    except OSError as error:
        raise ConfigError(f"{source}: cannot be moved to {target}: {error.strerror}") from error


def _write_note(agent: OwnAgent) -> None:
    """For who finds a program under a strange name."""
    with open(os.path.join(agent.directory or "", _NOTE), "w", encoding="utf-8") as note:
        note.write(
            f"{agent.helper} was moved to {agent.target},\n"
            f"since fsrvpd serves its pipe. `fsrvpctl remove` puts it back.\n"
        )


def _remove_note(agent: OwnAgent) -> None:
    path = os.path.join(agent.directory or "", _NOTE)
    if os.path.exists(path):
        os.unlink(path)
