"""The user of `fsrvpctl doctor -U`: may they log in, request copies and read all that is in one?

Samba's own clients ask, so that smbd, the pipe and the agent answer as to any client.
"""

from __future__ import annotations

import getpass
import os
import shlex
from typing import NamedTuple, Optional, Sequence

from fsrvpd.ctl.doctor.environment import Environment
from fsrvpd.ctl.doctor.result import Finding, Severity
from fsrvpd.ctl.doctor.smbd_address import SMB_PORT, server_address
from fsrvpd.errors import ConfigError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.run_command import CommandFailed, run
from samba_hooks.configuration import ROLE_STANDALONE

TOPIC = "user"
_TIMEOUT = 60.0  # s
_REFUSED = f"{HResult.E_ACCESSDENIED:#010x}"
_MEANINGS = {
    "NT_STATUS_LOGON_FAILURE": "wrong name or password",
    "NT_STATUS_ACCESS_DENIED": "the share does not let this user in",
}


class SmbLogin(NamedTuple):
    """Options of Samba's clients for the login, and a password for their environment. `name` is
    "" for the machine account."""

    options: Sequence[str]
    password: Optional[str] = None
    name: str = ""


def login(user: Optional[str], file: Optional[str], server_role: str) -> Optional[SmbLogin]:
    """For a user (NAME or NAME%PASSWORD), a file with credentials, else for the machine account
    of a domain member, else None.

    Raises: ConfigError when the password cannot be asked for, or the file cannot be read.
    """
    if user:
        name, separator, password = user.partition("%")
        password = password if separator else _password_of(name)
        return SmbLogin(["-U", name], password, name)
    if file:
        return SmbLogin(["-A", os.path.abspath(file)], name=_name_in(file))
    return None if server_role == ROLE_STANDALONE else SmbLogin(["-P"])


def _password_of(name: str) -> str:
    try:
        return getpass.getpass(f"Password of {name}: ")
    except EOFError as error:
        raise ConfigError(
            f"cannot ask for the password of {name}: no terminal; use -A FILE with a line"
            " `password = …`"
        ) from error


def _name_in(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as lines:
            pairs = (line.partition("=") for line in lines)
            found = {name.strip().lower(): value.strip() for name, _, value in pairs}
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    if "username" not in found:
        raise ConfigError(f"{file}: has no line `username = …`")
    return found["username"]


class SmbUser:
    """Connects to this server as a user."""

    def __init__(self, environment: Environment, smb_login: SmbLogin) -> None:
        self._environment = environment
        self._login = smb_login
        self.is_person = bool(smb_login.name)
        self.name = smb_login.name or "the machine account"
        self._address = server_address(environment.configuration.samba.pid_directory)

    def unc(self, share: str) -> str:
        return f"//{self._address.host}/{share}"

    def place(self, share: str) -> str:
        """For people."""
        port = "" if self._address.port == SMB_PORT else f", port {self._address.port}"
        return f"{self.unc(share)}{port}"

    def next_step(self, share: str) -> str:
        """The command that shows what this user sees of a share."""
        options = ["-U", self.name] if self.is_person else ["-P"]
        return shlex.join(["smbclient", *self._address.options, self.unc(share), *options])

    def smbclient(self, share: str, command: str) -> str:
        """What smbclient prints, or why it failed."""
        return self._smbclient(share, command)[1]

    def _smbclient(self, share: str, command: str) -> tuple[bool, str]:
        return self._run("smbclient", *self._address.options, self.unc(share), "-c", command)

    def obstacle(self, share: str) -> Optional[Finding]:
        """The reason why this user cannot connect to a share."""
        succeeded, printed = self._smbclient(share, "exit")
        if succeeded:  # it may have printed warnings nevertheless
            return None
        status = next((word for word in printed.split() if word in _MEANINGS), "")
        why = f"{_MEANINGS[status]} ({status})" if status else printed
        text = f"{self.name} cannot use share {share}: {why}"
        return Finding(Severity.FAIL, TOPIC, text, self.next_step(share))

    def right(self, share: str) -> Finding:
        """Whether the agent lets this user request a copy: it is asked by a call that changes
        nothing, signed, through smbd and the pipe."""
        target = f"ncacn_np:{self._address.host}[sign]"
        command = f'fss_is_path_sup "{share}"'
        _, printed = self._run("rpcclient", *self._address.options, target, "-c", command)
        if "supports shadow copy requests" in printed:
            return Finding(Severity.OK, TOPIC, f"{self.name} may request shadow copies")
        if _REFUSED in printed.lower():
            text = (
                f"{self.name} may not request shadow copies: neither a member of Administrators or"
                " Backup Operators, nor a holder of SeBackupPrivilege"
            )
            return Finding(Severity.FAIL, TOPIC, text, self._environment.grant(self.name))
        text = f"whether {self.name} may request shadow copies is not known: {printed}"
        return Finding(Severity.WARN, TOPIC, text, "journalctl -u fsrvpd -e")

    def _run(self, tool: str, *arguments: str) -> tuple[bool, str]:
        """Whether its exit status is 0, and what it prints or why it failed."""
        variables = dict(os.environ)
        if self._login.password is not None:
            variables["PASSWD"] = self._login.password  # arguments are visible to all processes
        argv = [tool, *self._environment.tools.arguments, *self._login.options, *arguments]
        try:
            printed = run(argv, timeout=_TIMEOUT, environment=variables)
        except CommandFailed as failed:
            if failed.status is None:
                return False, str(failed)
            return False, " ".join((failed.stdout + failed.stderr).split()) or str(failed)
        return True, " ".join((printed.stdout + printed.stderr).split())
