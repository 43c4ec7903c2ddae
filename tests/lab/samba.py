"""`Samba`: an smbd in a lab, with its own configuration, state, users and shares."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Iterable, Mapping, NamedTuple, Optional, Union

from tests.lab.accounts import ROOT, Accounts, User
from tests.lab.namespaces import (
    Argument,
    CommandFailed,
    Lab,
    LabError,
    LabProcess,
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
# Where distributions keep the helpers of samba-dcerpcd.
HELPERS = ("usr/libexec/samba", "usr/lib/*/samba", "usr/lib/samba", "usr/lib64/samba")


class Share(NamedTuple):
    """A share as a section of smb.conf; writable unless the options say otherwise."""

    name: str
    path: Path
    options: Mapping[str, str] = {}

    def section(self) -> list[str]:
        options = {"path": str(self.path), "read only": "no", **self.options}
        return [f"[{self.name}]", *(f"\t{name} = {value}" for name, value in options.items())]


class Samba:
    """One smbd. `shares` and `options` make smb.conf; `start()` and `stop()` it as you like.

    Samba's own FSRVP agent is hidden, so that it cannot take the pipe, unless `own_agent`.
    """

    def __init__(
        self,
        lab: Lab,
        shares: Iterable[Share] = (),
        options: Optional[Mapping[str, str]] = None,
        *,
        own_agent: bool = False,
    ) -> None:
        self.lab = lab
        self.address = ADDRESS
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
        """The directory that smb.conf names for an option such as `pid directory`."""
        return self.directory / DIRECTORIES[option][0]

    @property
    def pipe(self) -> Path:
        """The socket at which smbd looks for an FSRVP agent."""
        return self.place("ncalrpc dir") / "np" / "fssagentrpc"

    def add_user(self, name: str) -> User:
        """An ordinary user, on the Unix side and in Samba's passdb."""
        user = User(name)
        self._accounts.add(user)
        self._set_password(user)
        return user

    def sid(self, user: User) -> str:
        """The user's SID: sharesec does not find users by name without winbind."""
        shown = self.run(["pdbedit", "-s", self.conf, "-v", "-u", user.name]).stdout
        lines = dict(line.split(":", 1) for line in shown.splitlines() if ":" in line)
        return lines["User SID"].strip()

    def let_in(self, share: str, rights: Mapping[User, str]) -> None:
        """Give a share a security descriptor: `READ`, `CHANGE` or `FULL` for each user."""
        entries = [f"{self.sid(user)}:ALLOWED/0x0/{right}" for user, right in rights.items()]
        self.sharesec(share, "--replace", ",".join(entries))

    def set_option(self, name: str, value: Optional[str]) -> None:
        """Set a global option (None takes it away); `reload()` makes smbd see it."""
        if value is None:
            self._options.pop(name, None)
        else:
            self._options[name] = value
        self.write_conf()

    def set_share(self, share: Share) -> None:
        """Add or replace a share; `reload()` makes smbd see it."""
        self._shares[share.name] = share
        self.write_conf()

    def write_conf(self) -> None:
        lines = ["[global]", *(f"\t{name} = {value}" for name, value in self._options.items())]
        for share in self._shares.values():
            lines += ["", *share.section()]
        self.conf.write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        """Start smbd and wait until it answers. Raises: LabError with its log."""
        self._process = self.lab.popen(
            ["smbd", "--foreground", "--no-process-group", "-s", self.conf],
            output=self.directory / "stderr.smbd",
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
        """The end of smbd's log."""
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
        """Run a tool; its failure shows smbd's log as well. Raises: CommandFailed."""
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
        """`binding` is what stands in brackets, such as `sign`. rpcclient ends with 0 even
        when an agent refuses: its stderr is what tells. Raises: CommandFailed."""
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
        """Raises: CommandFailed, also where smbclient ends with 0 but tells of an error."""
        unc = f"//{self.address}/{share}"
        done = self.run(
            ["smbclient", "-s", self.conf, "-U", user.login, unc, "-c", command], check=check
        )
        if check and "NT_STATUS_" in done.stdout + done.stderr:
            raise self._failed(done)
        return done

    def read(self, share: str, name: str, *, user: User = ROOT) -> str:
        """The content of a file, fetched over SMB; a `@GMT-…\\` prefix reads an old one."""
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
        """Run tests of Samba's own suite. The exit status is the caller's to judge."""
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
        """End samba-dcerpcd. smbd starts it again as soon as a client opens its pipes."""
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
        host = f"//{self.address}"
        listing: list[Argument] = ["smbclient", "-s", self.conf, "-U", ROOT.login, "-L", host]
        return self.run(listing, check=False).returncode == 0

    def _hide_own_agent(self) -> None:
        root = self.lab.seen(Path("/"))
        for pattern in HELPERS:
            for helper in root.glob(f"{pattern}/rpcd_fsrvp"):
                self.lab.run(["mount", "--bind", "/bin/false", "/" / helper.relative_to(root)])
