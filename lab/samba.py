"""`Samba`: an smbd in a lab with private configuration, state, users and shares."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Iterable, Mapping, NamedTuple, Optional, Union

from lab.accounts import ROOT, Accounts, User
from lab.namespaces import (
    Argument,
    CommandFailed,
    LabError,
    LabProcess,
    Namespaces,
    wait_until,
)

ADDRESS = "127.0.0.9"
DIRECTORIES = {
    "private dir": ("private", 0o700),
    "state directory": ("state", 0o755),
    "lock directory": ("lock", 0o755),
    "cache directory": ("cache", 0o755),
    "ncalrpc dir": ("ncalrpc", 0o755),
    "pid directory": ("pid", 0o755),
}
GLOBAL = {
    "netbios name": "LAB",
    "workgroup": "LABGROUP",
    "server role": "standalone",
    "map to guest": "bad user",
    "registry shares": "yes",
    "interfaces": f"{ADDRESS}/8",  # with /32 smbd finds no interface
    "bind interfaces only": "yes",
    "disable netbios": "yes",
    "smb ports": "445",
    "load printers": "no",
    "printing": "bsd",
    "printcap name": "/dev/null",
    "disable spoolss": "yes",
    "log level": "1",
    "max log size": "5000",
}
# Directories of samba-dcerpcd's helpers on several distributions.
HELPERS = ("usr/libexec/samba", "usr/lib/*/samba", "usr/lib/samba", "usr/lib64/samba")


class Share(NamedTuple):
    """A share, as a section of smb.conf. It is writable unless the options say otherwise."""

    name: str
    path: Path
    options: Mapping[str, str] = {}

    def section(self) -> list[str]:
        options = {"path": str(self.path), "read only": "no", **self.options}
        return [f"[{self.name}]", *(f"\t{name} = {value}" for name, value in options.items())]


class Samba:
    """One smbd, which `start()` and `stop()` control. `shares` and `options` make smb.conf.

    `address` is the one at which clients reach it. Without `own_agent`, Samba's own FSRVP agent
    is hidden, so that it cannot take the pipe.
    """

    def __init__(
        self,
        lab: Namespaces,
        shares: Iterable[Share] = (),
        options: Optional[Mapping[str, str]] = None,
        *,
        own_agent: bool = False,
        address: str = ADDRESS,
    ) -> None:
        self.lab = lab
        self.address = address
        self.port = 445  # as `smb ports` says
        self.directory = lab.directory / "samba"
        self.conf = self.directory / "smb.conf"
        self.log = self.directory / "log.smbd"
        self.root = ROOT
        self._process: Optional[LabProcess] = None
        self._make_directories()
        self._options = {**GLOBAL, **self._places(), **(options or {})}
        self._shares = {share.name: share for share in shares}
        self.write_conf()
        if not own_agent:
            self._hide_own_agent()
        self._accounts = Accounts(lab)
        self._set_password(ROOT)

    def place(self, option: str) -> Path:
        """Return the directory that smb.conf sets with an option such as `pid directory`."""
        return self.directory / DIRECTORIES[option][0]

    @property
    def pipe(self) -> Path:
        """Return the socket at which smbd looks for an FSRVP agent."""
        return self.place("ncalrpc dir") / "np" / "fssagentrpc"

    def add_user(self, name: str, password: str = ROOT.password) -> User:
        """Add an ordinary user, to Unix and to Samba's passdb."""
        user = User(name, password)
        self._accounts.add(user)
        self._set_password(user)
        return user

    def add_unix_user(self, user: User) -> None:
        """Add a user to Unix alone."""
        self._accounts.add(user)

    def add_group(self, name: str, gid: int, *members: User) -> None:
        """Add a Unix group."""
        self._accounts.add_group(name, gid, *(user.name for user in members))

    def sid(self, user: User) -> str:
        """Return the user's SID: sharesec does not find users by name without winbind."""
        shown = self.run(["pdbedit", "-s", self.conf, "-v", "-u", user.name]).stdout
        lines = dict(line.split(":", 1) for line in shown.splitlines() if ":" in line)
        return lines["User SID"].strip()

    def let_in(self, share: str, rights: Mapping[User, str]) -> None:
        """Give a share a security descriptor: `READ`, `CHANGE` or `FULL` for each user."""
        entries = [f"{self.sid(user)}:ALLOWED/0x0/{right}" for user, right in rights.items()]
        self.sharesec(share, "--replace", ",".join(entries))

    def set_option(self, name: str, value: Optional[str]) -> None:
        """Set a global option, or remove it (None). `reload()` makes smbd read it."""
        if value is None:
            self._options.pop(name, None)
        else:
            self._options[name] = value
        self.write_conf()

    def set_share(self, share: Share) -> None:
        """Add or replace a share. `reload()` makes smbd read it."""
        self._shares[share.name] = share
        self.write_conf()

    def write_conf(self) -> None:
        lines = ["[global]", *(f"\t{name} = {value}" for name, value in self._options.items())]
        for share in self._shares.values():
            lines += ["", *share.section()]
        self.conf.write_bytes(os.fsencode("\n".join(lines) + "\n"))

    def start(self, environment: Optional[Mapping[str, str]] = None) -> None:
        """Start smbd and wait until it answers. Raises: LabError with its log."""
        self._process = self.lab.popen(
            ["smbd", "--foreground", "--no-process-group", "-s", self.conf],
            output=self.directory / "stderr.smbd",
            environment=environment,
        )
        wait_until("smbd answers", self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.signal(signal.SIGTERM)
            self._process.wait()
            self._process = None

    def reload(self) -> None:
        self.run(["smbcontrol", "-s", self.conf, "smbd", "reload-config"])

    def tail(self, lines: int = 40) -> str:
        """Return the end of smbd's log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def run(
        self,
        argv: Iterable[Argument],
        *,
        input: Optional[str] = None,
        timeout: float = 120.0,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a tool. Raises: CommandFailed, with smbd's log as well."""
        done = self.lab.run(list(argv), input=input, timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise self._failed(done)
        return done

    def rpcclient(
        self,
        command: str,
        *,
        user: User = ROOT,
        binding: str = "",
        check: bool = True,
        timeout: float = 240.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run rpcclient commands. `binding` is the part in brackets, such as `sign`.

        rpcclient ends with 0 even if an agent refuses; its stderr shows that.
        Raises: CommandFailed.
        """
        target = f"ncacn_np:{self.address}[{binding}]" if binding else self.address
        done = self.run(
            ["rpcclient", "-s", self.conf, "-U", user.login, target, "-c", command],
            check=check,
            timeout=timeout,
        )
        if check and done.stderr:
            raise self._failed(done)
        return done

    def smbclient(
        self, share: str, command: str, *, user: User = ROOT, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run smbclient. Raises: CommandFailed, also if it ends with 0 but prints an error."""
        unc = f"//{self.address}/{share}"
        done = self.run(
            ["smbclient", "-s", self.conf, "-U", user.login, unc, "-c", command], check=check
        )
        if check and "NT_STATUS_" in done.stdout + done.stderr:
            raise self._failed(done)
        return done

    def read(self, share: str, name: str, *, user: User = ROOT) -> str:
        """Read a file over SMB. A `@GMT-…\\` prefix reads a previous version."""
        local = self.lab.directory / "download"
        self.smbclient(share, f'get "{name}" "{local}"', user=user)
        return local.read_text()

    def write(self, share: str, name: str, content: str, *, user: User = ROOT) -> None:
        """Write a file over SMB."""
        local = self.lab.directory / "upload"
        local.write_text(content)
        self.smbclient(share, f'put "{local}" "{name}"', user=user)

    def smbtorture(
        self,
        tests: Union[str, Iterable[str]],
        *options: str,
        binding: str = "",
        timeout: float = 300.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run tests of Samba's own suite. The caller checks the exit status."""
        names = [tests] if isinstance(tests, str) else list(tests)
        argv: list[Argument] = ["smbtorture", "-s", self.conf, "-U", ROOT.login, *options]
        argv += [f"ncacn_np:{self.address}[{binding}]", *names]
        return self.run(argv, check=False, timeout=timeout)

    def net(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(["net", "-s", self.conf, *arguments], check=check)

    def sharesec(
        self, share: str, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return self.run(["sharesec", "-s", self.conf, share, *arguments], check=check)

    def end_rpc_server(self) -> None:
        """Stop samba-dcerpcd. smbd starts it again when a client opens one of its pipes."""
        for pid in self._rpc_servers():
            self.lab.run(["sh", "-c", 'kill "$1"', "sh", str(pid)])
        wait_until("samba-dcerpcd ended", lambda: not self._rpc_servers())

    def _rpc_servers(self) -> list[int]:
        everything = self.lab.processes().items()
        return [pid for pid, argv in everything if argv[0].endswith("/samba-dcerpcd")]

    def _failed(self, done: subprocess.CompletedProcess[str]) -> CommandFailed:
        return CommandFailed(done, f"--- end of {self.log}\n{self.tail()}\n")

    def _make_directories(self) -> None:
        self.directory.mkdir()
        for name, mode in DIRECTORIES.values():
            (self.directory / name).mkdir(mode=mode)

    def _places(self) -> dict[str, str]:
        places = {option: str(self.place(option)) for option in DIRECTORIES}
        return {**places, "log file": str(self.log)}

    def _set_password(self, user: User) -> None:
        self.run(
            ["smbpasswd", "-c", self.conf, "-s", "-a", user.name],
            input=f"{user.password}\n{user.password}\n",
        )

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            stderr = (self.directory / "stderr.smbd").read_text(errors="replace")
            raise LabError(f"smbd ended at once\n{stderr}\n{self.tail()}")
        there: list[Argument] = ["-p", str(self.port), f"//{self.address}/IPC$", "-c", "quit"]
        argv: list[Argument] = ["smbclient", "-s", self.conf, "-U", ROOT.login, *there]
        return self.run(argv, check=False).returncode == 0

    def _hide_own_agent(self) -> None:
        root = self.lab.seen(Path("/"))
        for pattern in HELPERS:
            for helper in root.glob(f"{pattern}/rpcd_fsrvp"):
                self.lab.run(["mount", "--bind", "/bin/false", "/" / helper.relative_to(root)])
