"""Checks of this host: Samba, its configuration, the daemon, permissions.

Every check is a function from the environment to findings, and changes nothing.
"""

from __future__ import annotations

import os
import stat
from typing import Any, Iterator

from fsrvpd import capabilities
from fsrvpd.config.load import by_reason
from fsrvpd.ctl.doctor.environment import Environment
from fsrvpd.ctl.doctor.result import Finding, Severity
from fsrvpd.ctl.doctor.smbd_address import PID_FILE, running_pid
from fsrvpd.errors import AuthenticationError, FsrvpdError
from fsrvpd.samba_command_line import state_folder
from samba_hooks import samba_agent, testparm, vfs_modules
from samba_hooks.accounts import PASSDB_LIBRARY
from samba_hooks.accounts.passdb import LibraryMissing, PassdbVerifier
from samba_hooks.accounts.verifier import PASSDB_ROLES
from samba_hooks.registry.client import RegistryClient
from samba_hooks.registry.parameters import MODULES, PARAMETERS, module_name

OLDEST_SAMBA = (4, 13)
PIPE = "np/fssagentrpc"
# Of the problems that `status` reports: what doctor says itself, and what makes every backup fail.
_SAID_HERE = frozenset(
    {
        "pipe-hijacked",
        "no-provider",
        "no-share-ready",
        "registry-shares-off",
        "option-not-understood",
    }
)
_FATAL = frozenset({"state-not-written", "shares-unknown"})


def samba(environment: Environment) -> Iterator[Finding]:
    version = environment.configuration.samba.samba_version
    numbers = tuple(int(word) for word in version.split("-")[0].split(".")[:2] if word.isdigit())
    text = f"version {version}, {environment.configuration.samba.config_file}"
    if numbers < OLDEST_SAMBA:
        yield Finding(Severity.FAIL, "Samba", f"{text}: older than 4.13", "smbd --version")
    elif isinstance(environment.registry, RegistryClient):
        yield Finding(Severity.OK, "Samba", f"{text}, read through libsmbconf")
    else:
        yield Finding(
            Severity.WARN,
            "Samba",
            f"{text}; libsmbconf.so.0 cannot be loaded, so fsrvpd falls back to Samba's command"
            " line tools, which are 20 times slower",
            "ldconfig -p | grep libsmbconf",
        )


def accounts(environment: Environment) -> Iterator[Finding]:
    """Who verifies NTLM, where Samba keeps the accounts itself."""
    samba = environment.configuration.samba
    if samba.server_role not in PASSDB_ROLES:
        return
    if samba.clustering:
        yield Finding(Severity.OK, "accounts", "verified by pdbedit, as on every cluster")
        return
    passdb = PassdbVerifier(environment.tools)
    try:
        passdb.check()
    except LibraryMissing as error:
        text = f"{error}; fsrvpd falls back to pdbedit, which takes 20 ms for each login"
        yield Finding(Severity.WARN, "accounts", text, f"ldconfig -p | grep {PASSDB_LIBRARY}")
    except AuthenticationError as error:
        yield Finding(Severity.FAIL, "accounts", str(error), "pdbedit -L")
    else:
        yield Finding(Severity.OK, "accounts", "verified through libsamba-passdb")
    finally:
        passdb.close()


def options(environment: Environment) -> Iterator[Finding]:
    for fault in environment.configuration.faults:
        yield Finding(Severity.FAIL, "options", fault, "fsrvpctl check-config")
    for topic, why in by_reason(environment.configuration.mistakes):
        yield Finding(Severity.FAIL, topic, why, "fsrvpctl check-config")
    for warning in environment.configuration.warnings:
        yield Finding(Severity.WARN, "options", warning, "man fsrvpd.conf-options")
    if not environment.configuration.settings.requirement.integrity:
        yield Finding(
            Severity.WARN,
            "options",
            "`fsrvpd:require rpc integrity = no`: calls need not be signed, as Windows signs them",
            "testparm -s --parameter-name='fsrvpd:require rpc integrity'",
        )


def registry_shares(environment: Environment) -> Iterator[Finding]:
    if environment.configuration.samba.registry_shares:
        yield Finding(Severity.OK, "registry shares", "on")
    else:
        yield Finding(
            Severity.FAIL,
            "registry shares",
            "off, so Samba would not see a shadow copy share",
            "fsrvpctl setup",
        )


def samba_own_agent(environment: Environment) -> Iterator[Finding]:
    if not environment.configuration.settings.serve_pipe:
        yield from _required_agent()
    elif samba_agent.find().active:
        yield Finding(
            Severity.WARN,
            "Samba's own agent",
            "samba-dcerpcd finds rpcd_fsrvp and takes over the pipe for it; fsrvpd has to take the"
            " pipe back each time",
            "fsrvpctl setup",
        )
    else:
        yield Finding(Severity.OK, "Samba's own agent", "disabled")


def _required_agent() -> Iterator[Finding]:
    """With `fsrvpd:serve pipe = no`."""
    if samba_agent.find().moved:
        text = "disabled, although `fsrvpd:serve pipe = no`, so nobody serves the pipe"
        yield Finding(Severity.FAIL, "Samba's own agent", text, "fsrvpctl setup")
    else:
        yield Finding(Severity.OK, "Samba's own agent", "serves the pipe")


def smbd(environment: Environment) -> Iterator[Finding]:
    pid = running_pid(os.path.join(environment.configuration.samba.pid_directory, PID_FILE))
    if pid:
        yield Finding(Severity.OK, "smbd", f"running, process {pid}")
    else:
        yield Finding(Severity.FAIL, "smbd", "not running", environment.start("smbd"))


def daemon(environment: Environment) -> Iterator[Finding]:
    try:
        status = environment.ask("status")
    except FsrvpdError as error:
        yield Finding(Severity.FAIL, "fsrvpd", str(error), "systemctl enable --now fsrvpd")
        return
    yield Finding(Severity.OK, "fsrvpd", f"version {status['version']}, process {status['pid']}")
    yield from _capabilities(status["pid"])
    yield _pipe(status["pipe"])
    yield from _problems(status)


def _problems(status: Any) -> Iterator[Finding]:
    """What else the daemon says is not well."""
    for problem in status["problems"]:
        if problem["what"] not in _SAID_HERE:
            severity = Severity.FAIL if problem["what"] in _FATAL else Severity.WARN
            step = problem["next_step"]
            yield Finding(severity, "status", problem["text"], step, is_typed=False)
    if status["problems_left_out"]:
        text = f"{status['problems_left_out']:,} more problems"
        yield Finding(Severity.WARN, "status", text, "fsrvpctl fsrvpd status")


def _pipe(pipe: Any) -> Finding:
    if not pipe["path"]:
        return Finding(Severity.OK, "pipe", "served by Samba's own agent")
    if not pipe["ours"]:
        text = f"{pipe['path']} belongs to another program"
        return Finding(Severity.FAIL, "pipe", text, "fsrvpctl setup")
    if pipe["retaken"]:
        how_often = "once" if pipe["retaken"] == 1 else f"{pipe['retaken']} times"
        text = f"{pipe['path']} belongs to fsrvpd, which had to take it back {how_often}"
        return Finding(Severity.WARN, "pipe", text, "fsrvpctl setup")
    return Finding(Severity.OK, "pipe", f"{pipe['path']} belongs to fsrvpd")


def _capabilities(pid: int) -> Iterator[Finding]:
    try:
        why = capabilities.why_insufficient(pid)
    except OSError:
        return  # it has ended meanwhile, or runs where this process cannot see it
    if why:
        yield Finding(Severity.FAIL, "capabilities", why, f"grep CapEff /proc/{pid}/status")


def share_parameters(environment: Environment) -> Iterator[Finding]:
    """What a newer Samba or another vendor may have, and nobody has decided what a copy does."""
    try:
        declared = testparm.share_parameters(environment.tools.all_parameters())
    except FsrvpdError as error:
        yield Finding(Severity.NOTE, "share parameters", f"not compared: {error}")
        return
    unknown = sorted(declared.keys() - PARAMETERS.keys() - {"-valid"})
    modules = {each for share in environment.registry.shares() for each in share.vfs_objects}
    unknown += [
        f"vfs object {each}" for each in sorted(modules) if module_name(each) not in MODULES
    ]
    if unknown:
        text = (
            f"fsrvpd does not know {', '.join(unknown)}; a shadow copy share has of"
            " them what its base share sets. Check that no copy is more open by it than its share"
        )
        yield Finding(Severity.WARN, "share parameters", text, "man smb.conf")
    else:
        yield Finding(Severity.OK, "share parameters", "fsrvpd knows all of this Samba's")


def vfs_objects(environment: Environment) -> Iterator[Finding]:
    """What smbd cannot load, so that nobody can use the share."""
    users: dict[str, list[str]] = {}
    for share in environment.registry.shares():
        for word in share.vfs_objects:
            users.setdefault(word, []).append(share.name)
    try:
        lacking = vfs_modules.missing(environment.tools, users) if users else []
    except FsrvpdError as error:
        yield Finding(Severity.NOTE, "vfs objects", f"not looked for: {error}")
        return
    for word in lacking:
        more = f" and {len(users[word]) - 1} more" if users[word][1:] else ""
        text = f"smbd cannot load {word}, so nobody can use share {users[word][0]}{more}"
        yield Finding(Severity.FAIL, "vfs objects", text, "apt install samba-vfs-modules")


def directories(environment: Environment) -> Iterator[Finding]:
    samba = environment.configuration.samba
    forbidden = 0o077 if not environment.configuration.settings.admin_group else 0o067
    wanted = (
        (state_folder(samba.state_directory), forbidden),
        (os.path.join(samba.ncalrpc_dir, "np"), 0o077),
        (samba.private_dir, 0o022),
    )
    wrong = [problem for path, mode in wanted for problem in _problem(path, mode)]
    if not wrong:
        yield Finding(Severity.OK, "directories", "owned by root, closed to others")
    yield from wrong


def _problem(path: str, forbidden: int) -> Iterator[Finding]:
    try:
        found = os.stat(path)
    except OSError as error:
        yield Finding(Severity.NOTE, "directories", f"{path}: {error.strerror}")
        return
    if found.st_uid != 0 or stat.S_IMODE(found.st_mode) & forbidden:
        mode = stat.S_IMODE(found.st_mode)
        text = f"{path} is owned by uid {found.st_uid} and has mode {mode:04o}"
        command = f"chown root {path} && chmod {mode & ~forbidden:04o} {path}"
        yield Finding(Severity.FAIL, "directories", text, command)


CHECKS = (
    samba,
    accounts,
    options,
    registry_shares,
    share_parameters,
    vfs_objects,
    samba_own_agent,
    smbd,
    daemon,
    directories,
)
