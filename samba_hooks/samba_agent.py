"""Disables Samba's own FSRVP agent, rpcd_fsrvp, so that samba-dcerpcd does not start it.

Whenever samba-dcerpcd starts, it runs every program in Samba's libexec directory whose name
begins with `rpcd_`, asks which pipes it serves, and binds them. One of them is `fssagentrpc`,
fsrvpd's pipe. Samba has no option to prevent this (4.16 to 4.24), so the program is moved to a
name that does not begin with `rpcd_`: with dpkg-divert if it belongs to a package of dpkg, so
that upgrades of Samba respect it, otherwise by renaming.
"""

from __future__ import annotations

import glob
import os
import shlex
import shutil
from contextlib import suppress
from typing import NamedTuple, Optional, Sequence

from fsrvpd.errors import ConfigError
from fsrvpd.run_command import CommandFailed, run

HELPER = "rpcd_fsrvp"
MOVED = f"replaced-by-fsrvpd.{HELPER}"
_NOTE = "replaced-by-fsrvpd.txt"
_PACKAGE = "fsrvpd"
_COMMAND_TIMEOUT = 60.0  # s; dpkg may wait for its lock

# Where distributions install the helpers of samba-dcerpcd.
LIBEXEC_DIRECTORIES = (
    "/usr/libexec/samba",
    "/usr/lib/*/samba",
    "/usr/lib/samba",
    "/usr/lib64/samba",
    "/usr/local/samba/libexec/samba",
    "/usr/local/libexec/samba",
)


class SambaAgent(NamedTuple):
    """Samba's own agent on this machine. `directory` is None if this Samba has no
    samba-dcerpcd, and so nothing that could take the pipe. `active`: samba-dcerpcd would start
    it. `moved`: `divert` has disabled it."""

    directory: Optional[str]
    active: bool
    moved: bool

    @property
    def helper(self) -> str:
        return os.path.join(self.directory or "", HELPER)

    @property
    def target(self) -> str:
        return os.path.join(self.directory or "", MOVED)


def find(directories: Sequence[str] = LIBEXEC_DIRECTORIES) -> SambaAgent:
    """Look for it. A helper that is not executable (hidden by other means) is not active."""
    for pattern in directories:
        for directory in sorted(glob.glob(pattern)):
            found = SambaAgent(directory, False, False)
            if any(os.path.lexists(path) for path in (found.helper, found.target)):
                return found._replace(
                    active=os.access(found.helper, os.X_OK),
                    moved=os.path.lexists(found.target),
                )
    return SambaAgent(None, False, False)


def divert(agent: SambaAgent, *, dry_run: bool = False) -> list[str]:
    """Disable it, if it is active.

    Returns the commands that did it, as one would type them. Raises: ConfigError.
    """
    if not agent.active:
        return []
    if not os.access(agent.directory or "", os.W_OK):
        raise ConfigError(
            f"{agent.helper} cannot be moved: {agent.directory} is read-only. If it has to be, hide"
            " the file at each boot before smbd starts:"
            f" mount --bind /dev/null {agent.helper}"
        )
    if _is_dpkgs(agent.helper):
        options = ["--package", _PACKAGE, "--divert", agent.target, "--rename"]
        diverted = _replace_diverted(agent, dry_run)
        return [*diverted, *_run(["dpkg-divert", *options, "--add", agent.helper], dry_run)]
    if not dry_run:
        _rename(agent.helper, agent.target)
        _write_note(agent)
    return [shlex.join(["mv", agent.helper, agent.target])]


def undivert(agent: SambaAgent, *, dry_run: bool = False) -> list[str]:
    """Enable it again, if it was moved. Returns and raises as `divert`."""
    if not agent.moved:
        return []
    if _is_dpkgs(agent.helper):
        options = ["--package", _PACKAGE, "--rename"]
        diverted = _replace_diverted(agent, dry_run)
        return [*diverted, *_run(["dpkg-divert", *options, "--remove", agent.helper], dry_run)]
    renewed = os.path.lexists(agent.helper)  # by a newer Samba, installed since
    if not dry_run:
        if renewed:
            _remove(agent.target)
        else:
            _rename(agent.target, agent.helper)
        _remove_note(agent)
    return [shlex.join(["rm", agent.target] if renewed else ["mv", agent.target, agent.helper])]


def _replace_diverted(agent: SambaAgent, dry_run: bool) -> list[str]:
    """Somebody, a restored backup for instance, has put a helper beside the one that is diverted:
    dpkg-divert would leave it, or refuse to overwrite it."""
    if not (agent.moved and os.path.lexists(agent.helper)):
        return []
    if not dry_run:
        _rename(agent.helper, agent.target)
    return [shlex.join(["mv", agent.helper, agent.target])]


def _is_dpkgs(path: str) -> bool:
    """Whether the file belongs to a package of dpkg. Raises: ConfigError if dpkg does not say:
    to rename a file of dpkg without dpkg-divert would last until the next upgrade of Samba."""
    if shutil.which("dpkg-divert") is None or shutil.which("dpkg-query") is None:
        return False
    argv = ["dpkg-query", "--search", path]
    try:
        _call(argv)
    except CommandFailed as failed:
        if failed.status is None:
            raise ConfigError(f"{shlex.join(argv)}: {failed}") from failed
        return False
    return True


def _run(argv: Sequence[str], dry_run: bool) -> list[str]:
    command = shlex.join(argv)
    try:
        if not dry_run:
            _call(argv)
    except CommandFailed as failed:
        why = failed.stderr or failed.stdout.strip() or failed
        raise ConfigError(f"{command}: {why}") from failed
    return [command]


def _call(argv: Sequence[str]) -> None:
    """Raises: CommandFailed."""
    run(argv, timeout=_COMMAND_TIMEOUT, environment=os.environ)


def _rename(source: str, target: str) -> None:
    try:
        os.replace(source, target)
    except OSError as error:
        raise ConfigError(f"{source} cannot be moved to {target}: {error.strerror}") from error


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be removed: {error.strerror}") from error


def _write_note(agent: SambaAgent) -> None:
    """Explains the strange name to an admin who finds the program; no loss if it cannot be."""
    with suppress(OSError), open(_note(agent), "w", encoding="utf-8") as note:
        note.write(
            f"{agent.helper} was moved to {agent.target},\n"
            f"since fsrvpd serves its pipe. `fsrvpctl setup --undo` puts it back.\n"
        )


def _remove_note(agent: SambaAgent) -> None:
    with suppress(OSError):
        os.unlink(_note(agent))


def _note(agent: SambaAgent) -> str:
    return os.path.join(agent.directory or "", _NOTE)
