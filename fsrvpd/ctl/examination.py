"""What `fsrvpctl doctor` looks at before it tries: Samba, its configuration, the system.

Every check is a function from the circumstances to findings, and changes nothing.
"""

from __future__ import annotations

import os
import stat
from typing import Iterator

from fsrvpd.command_line import state_folder
from fsrvpd.ctl.circumstances import Circumstances
from fsrvpd.ctl.client import NotRunning
from fsrvpd.ctl.findings import Finding, Grade
from fsrvpd.ctl.smbd_address import PID_FILE, running_pid
from fsrvpd.errors import FsrvpdError
from samba_hooks import dcerpcd
from samba_hooks.registry import RegistryClient

OLDEST_SAMBA = (4, 13)
PIPE = "np/fssagentrpc"


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
    if not now.configuration.settings.serve_pipe:
        yield from _wanted_agent()
    elif dcerpcd.own_agent().in_the_way:
        yield Finding(
            Grade.WARN,
            "Samba's own agent",
            "rpcd_fsrvp is where samba-dcerpcd starts it and binds the pipe for it; fsrvpd takes"
            " that back each time",
            "fsrvpctl setup",
        )
    else:
        yield Finding(Grade.GOOD, "Samba's own agent", "out of the way")


def _wanted_agent() -> Iterator[Finding]:
    """With `fsrvpd:serve pipe = no`."""
    if dcerpcd.own_agent().moved:
        text = "is out of the way, and with `fsrvpd:serve pipe = no` nobody serves the pipe"
        yield Finding(Grade.FAIL, "Samba's own agent", text, "fsrvpctl setup")
    else:
        yield Finding(Grade.GOOD, "Samba's own agent", "serves the pipe")


def smbd(now: Circumstances) -> Iterator[Finding]:
    pid = running_pid(os.path.join(now.configuration.samba.pid_directory, PID_FILE))
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
    if not pipe["path"]:
        yield Finding(Grade.GOOD, "pipe", "left to Samba's own agent")
    elif not pipe["ours"]:
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
        except NotRunning:
            return  # as `daemon` has said
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


CHECKS = (
    samba,
    options,
    registry_shares,
    own_agent,
    smbd,
    daemon,
    shares,
    directories,
)
