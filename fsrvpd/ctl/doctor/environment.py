"""What the checks of `fsrvpctl doctor` get, and how they run commands."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import Any, Callable, NamedTuple, Optional

from fsrvpd.config.load import Configuration
from fsrvpd.errors import FsrvpdError
from fsrvpd.run_command import CommandFailed, run
from samba_hooks.configuration import ROLE_ACTIVE_DIRECTORY_DC, ROLE_STANDALONE
from samba_hooks.registry.open_registry import Registry
from samba_hooks.tools import SambaTools

_TIMEOUT = 15.0  # s


class Environment(NamedTuple):
    """`ask` sends a message to the daemon. Raises: NotRunning, FsrvpdError."""

    registry: Registry
    tools: SambaTools
    configuration: Configuration
    ask: Callable[..., Any]

    @property
    def is_member(self) -> bool:
        return self.configuration.samba.server_role != ROLE_STANDALONE

    @property
    def is_controller(self) -> bool:
        """Of an Active Directory."""
        return self.configuration.samba.server_role == ROLE_ACTIVE_DIRECTORY_DC

    @property
    def account_domain(self) -> str:
        """The domain in the names of the accounts that call."""
        samba = self.configuration.samba
        return samba.workgroup if self.is_member else samba.netbios_name

    def start(self, service: str) -> str:
        """The command that starts one of Samba's services: on a controller they are one."""
        return f"systemctl enable --now {'samba-ad-dc' if self.is_controller else service}"

    def grant(self, name: str) -> str:
        """The command that lets an account request shadow copies."""
        if self.is_controller:
            account = name.rpartition("\\")[2]
            return shlex.join(["samba-tool", "group", "addmembers", "Backup Operators", account])
        account = name if "\\" in name else f"{self.account_domain}\\{name}"
        return f"net sam rights grant {shlex.quote(account)} SeBackupPrivilege"

    def net(self, *arguments: str) -> Optional[list[str]]:
        """The lines that Samba's `net` prints, None when it fails."""
        try:
            return self.tools.run("net", *arguments).splitlines()
        except FsrvpdError:
            return None

    def net_value(self, name: str, *arguments: str) -> Optional[int]:
        """Return the number that `net` prints as `name: number`, or None if it prints none."""
        for line in self.net(*arguments) or []:
            found, _, value = line.partition(":")
            if found.strip() == name and value.strip().lstrip("-").isdecimal():
                return int(value)
        return None


def output_of(*argv: str) -> Optional[str]:
    """The standard output of a command, None when it is not installed or fails."""
    try:
        return run(argv, timeout=_TIMEOUT, environment=os.environ).stdout.strip()
    except CommandFailed:
        return None


def install_hint(package: str) -> str:
    """The command that installs a package of the distribution."""
    managers = ("apt", "dnf", "zypper")
    manager = next((name for name in managers if shutil.which(name)), "apt")
    return f"{manager} install {package}"
