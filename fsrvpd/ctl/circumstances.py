"""What the checks of `fsrvpctl doctor` are given, and how they ask the system."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any, Callable, NamedTuple, Optional

from fsrvpd.configuration import Configuration
from fsrvpd.errors import FsrvpdError
from samba_hooks.open_registry import Registry
from samba_hooks.samba_tools import SambaTools

STANDALONE = "ROLE_STANDALONE"
_TIMEOUT = 15.0  # s


class Circumstances(NamedTuple):
    """`ask` sends a message to the daemon; it raises FsrvpdError when that does not run."""

    registry: Registry
    tools: SambaTools
    configuration: Configuration
    ask: Callable[..., Any]

    @property
    def is_member(self) -> bool:
        return self.configuration.samba.server_role != STANDALONE

    @property
    def account_domain(self) -> str:
        """What stands before the names of the accounts that call."""
        samba = self.configuration.samba
        return samba.workgroup if self.is_member else samba.netbios_name

    def net(self, *arguments: str) -> Optional[list[str]]:
        """The lines that Samba's `net` prints, None when it fails."""
        try:
            return self.tools.run("net", *arguments).splitlines()
        except FsrvpdError:
            return None

    def net_value(self, name: str, *arguments: str) -> Optional[int]:
        """The number that `net` prints as `name: number`, None when there is none."""
        for line in self.net(*arguments) or []:
            found, _, value = line.partition(":")
            if found.strip() == name and value.strip().lstrip("-").isdecimal():
                return int(value)
        return None


def says(*argv: str) -> Optional[str]:
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


def installation(package: str) -> str:
    """How a package of the distribution is installed here."""
    managers = ("apt", "dnf", "zypper")
    manager = next((name for name in managers if shutil.which(name)), "apt")
    return f"{manager} install {package}"
