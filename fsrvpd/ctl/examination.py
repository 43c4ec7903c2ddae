"""What `fsrvpctl doctor` looks at before it tries: Samba, its configuration, the system.

Every check is a function from the circumstances to findings, and changes nothing.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
from typing import Any, Callable, Iterator, NamedTuple, Optional

from fsrvpd.command_line import state_folder
from fsrvpd.configuration import Configuration
from fsrvpd.ctl.findings import Finding, Grade
from fsrvpd.errors import FsrvpdError
from samba_hooks import dcerpcd
from samba_hooks.open_registry import Registry
from samba_hooks.registry import RegistryClient
from samba_hooks.samba_tools import SambaTools

OLDEST_SAMBA = (4, 13)
STANDALONE = "ROLE_STANDALONE"
OPERATORS = "BUILTIN\\Backup Operators"
ADMINISTRATORS = "BUILTIN\\Administrators"
PRIVILEGE = "SeBackupPrivilege"
PIPE = "np/fssagentrpc"
KEYTAB = "/etc/krb5.keytab"
_TIMEOUT = 15.0  # s


class Circumstances(NamedTuple):
    """`ask` sends a message to the daemon; it raises FsrvpdError when that does not run."""

    registry: Registry
    tools: SambaTools
    configuration: Configuration
    ask: Callable[..., Any]


def samba(now: Circumstances) -> Iterator[Finding]:
    version = now.configuration.samba.samba_version
    numbers = tuple(int(word) for word in version.split("-")[0].split(".")[:2] if word.isdigit())
    text = f"version {version}, {now.configuration.samba.config_file}"
    if numbers < OLDEST_SAMBA:
        yield Finding(Grade.FAIL, "Samba", f"{text}: older than 4.13", "smbd --version")
    elif isinstance(now.registry, RegistryClient):
        yield Finding(Grade.GOOD, "Samba", f"{text}, read through libsmbconf")
    else:
        yield Finding(
            Grade.WARN,
            "Samba",
            f"{text}; libsmbconf.so.0 cannot be loaded, so that Samba's tools are used, which"
            " takes 20 times as long",
            "ldconfig -p | grep libsmbconf",
        )


def options(now: Circumstances) -> Iterator[Finding]:
    for complaint in now.configuration.complaints:
        yield Finding(Grade.WARN, "options", complaint, "man fsrvpd.conf-options")
    if not now.configuration.settings.requirement.integrity:
        yield Finding(
            Grade.WARN,
            "options",
            "`fsrvpd:require rpc integrity = no`: calls need not be signed, as Windows signs them",
            "testparm -s --parameter-name='fsrvpd:require rpc integrity'",
        )


def registry_shares(now: Circumstances) -> Iterator[Finding]:
    if now.configuration.samba.registry_shares:
        yield Finding(Grade.GOOD, "registry shares", "on")
    else:
        yield Finding(
            Grade.FAIL,
            "registry shares",
            "off, so that Samba would not see a shadow copy share",
            "fsrvpctl setup",
        )


def own_agent(now: Circumstances) -> Iterator[Finding]:
    if dcerpcd.own_agent().in_the_way:
        yield Finding(
            Grade.WARN,
            "Samba's own agent",
            "rpcd_fsrvp is where samba-dcerpcd starts it and binds the pipe for it; fsrvpd takes"
            " that back each time",
            "fsrvpctl setup",
        )
    else:
        yield Finding(Grade.GOOD, "Samba's own agent", "out of the way")


def smbd(now: Circumstances) -> Iterator[Finding]:
    pid = running_pid(os.path.join(now.configuration.samba.pid_directory, "smbd.pid"))
    if pid:
        yield Finding(Grade.GOOD, "smbd", f"runs as process {pid}")
    else:
        yield Finding(Grade.FAIL, "smbd", "does not run", "systemctl start smbd")


def daemon(now: Circumstances) -> Iterator[Finding]:
    try:
        status = now.ask("status")
    except FsrvpdError as error:
        yield Finding(Grade.FAIL, "fsrvpd", str(error), "systemctl enable --now fsrvpd")
        return
    yield Finding(Grade.GOOD, "fsrvpd", f"version {status['version']}, process {status['pid']}")
    pipe = status["pipe"]
    if not pipe["ours"]:
        yield Finding(Grade.FAIL, "pipe", f"{pipe['path']} is another's", "fsrvpctl setup")
    elif pipe["retaken"]:
        text = f"{pipe['path']} is ours, but was taken {pipe['retaken']} times"
        yield Finding(Grade.WARN, "pipe", text, "fsrvpctl setup")
    else:
        yield Finding(Grade.GOOD, "pipe", f"{pipe['path']} is ours")


def shares(now: Circumstances) -> Iterator[Finding]:
    """Which can be copied, and how."""
    for name in now.registry.share_names():
        try:
            verdict = now.ask("check-path", name)
        except FsrvpdError as error:
            yield Finding(Grade.NOTE, f"share {name}", str(error))
            continue
        if verdict["supported"]:
            text = f"{verdict['directory']} through {verdict['provider']}"
            yield Finding(Grade.GOOD, f"share {name}", text)
        else:
            why = verdict["reason"]
            yield Finding(Grade.NOTE, f"share {name}", f"no shadow copies: {why}")


def directories(now: Circumstances) -> Iterator[Finding]:
    samba = now.configuration.samba
    private = 0o077 if not now.configuration.settings.admin_group else 0o067
    wanted = (
        (state_folder(samba.state_directory), private),
        (os.path.join(samba.ncalrpc_dir, "np"), 0o077),
        (samba.private_dir, 0o022),
    )
    wrong = [problem for path, mode in wanted for problem in _problem(path, mode)]
    if not wrong:
        yield Finding(Grade.GOOD, "directories", "belong to root, closed to others")
    yield from wrong


def _problem(path: str, forbidden: int) -> Iterator[Finding]:
    try:
        found = os.stat(path)
    except OSError as error:
        yield Finding(Grade.NOTE, "directories", f"{path}: {error.strerror}")
        return
    if found.st_uid != 0 or stat.S_IMODE(found.st_mode) & forbidden:
        mode = stat.S_IMODE(found.st_mode)
        text = f"{path} belongs to uid {found.st_uid} with mode {mode:04o}"
        command = f"chown root {path} && chmod {mode & ~forbidden:04o} {path}"
        yield Finding(Grade.FAIL, "directories", text, command)


def kerberos(now: Circumstances) -> Iterator[Finding]:
    samba = now.configuration.samba
    if samba.server_role == STANDALONE:
        yield Finding(Grade.NOTE, "Kerberos", "not a member of a domain: not used")
        return
    if importlib.util.find_spec("gssapi") is None:
        text = "the Python package gssapi is missing, so that only NTLM is left"
        yield Finding(Grade.WARN, "Kerberos", text, "apt install python3-gssapi")
    path = samba.parameters.get("dedicated keytab file", "").removeprefix("FILE:") or KEYTAB
    if os.path.exists(path):
        yield Finding(Grade.GOOD, "Kerberos", f"keytab {path}")
    else:
        yield Finding(Grade.WARN, "Kerberos", f"no keytab {path}", "net ads keytab create -P")


def winbind(now: Circumstances) -> Iterator[Finding]:
    if now.configuration.samba.server_role == STANDALONE:
        yield Finding(Grade.NOTE, "winbind", "not a member of a domain: not used")
    elif _says(["wbinfo", "--ping-dc"]) is None:
        text = "does not reach a domain controller: no account of the domain can be checked"
        yield Finding(Grade.FAIL, "winbind", text, "systemctl status winbind; wbinfo --ping-dc")
    else:
        yield Finding(Grade.GOOD, "winbind", "reaches a domain controller")


def clock(now: Circumstances) -> Iterator[Finding]:
    said = _says(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    if said == "yes":
        yield Finding(Grade.GOOD, "clock", "synchronized")
    elif said == "no":
        text = "not synchronized: Kerberos fails beyond five minutes, ages of sets are wrong"
        yield Finding(Grade.WARN, "clock", text, "timedatectl set-ntp true")
    else:
        yield Finding(Grade.NOTE, "clock", "timedatectl does not answer; not looked at")


def callers(now: Circumstances) -> Iterator[Finding]:
    """Who may ask for shadow copies, besides root."""
    found: dict[str, list[str]] = {}
    for group in (OPERATORS, ADMINISTRATORS):
        members = _net(now, "sam", "listmem", group)
        found[group] = [line.strip() for line in members[1:]] if members else []
    holders = [each for each in _net(now, "sam", "rights", "list", PRIVILEGE) or [] if each]
    for group, names in found.items():
        if names:
            yield Finding(Grade.GOOD, "callers", f"members of {group}: {', '.join(names)}")
    direct = [each for each in holders if each not in (OPERATORS, ADMINISTRATORS)]
    if direct:
        yield Finding(Grade.GOOD, "callers", f"holders of {PRIVILEGE}: {', '.join(direct)}")
    if not found[OPERATORS] and not direct:
        yield Finding(
            Grade.WARN,
            "callers",
            f"{OPERATORS} has no members and nobody holds {PRIVILEGE}: only administrators"
            " can ask for shadow copies. Windows asks as the computer account, too",
            f"net sam rights grant 'DOMAIN\\backup' {PRIVILEGE}",
        )


def running_pid(path: str) -> Optional[int]:
    """The process that a pid file names, None when it is gone."""
    try:
        with open(path, encoding="ascii") as file:
            pid = int(file.read().strip())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


def _net(now: Circumstances, *arguments: str) -> Optional[list[str]]:
    try:
        return now.tools.run("net", *arguments).splitlines()
    except FsrvpdError:
        return None


def _says(argv: list[str]) -> Optional[str]:
    """What a command of the system prints, None when it is not there or fails."""
    program = shutil.which(argv[0])
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - an argument vector, no shell
            [program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


CHECKS = (
    samba,
    options,
    registry_shares,
    own_agent,
    smbd,
    daemon,
    shares,
    directories,
    kerberos,
    winbind,
    clock,
    callers,
)
