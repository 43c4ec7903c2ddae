"""`Nas`: a domain, and a member with a share on btrfs, smbd and fsrvpd."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple, Optional

from lab import FsrvpdProcess, Lab, Share
from lab.accounts import User
from lab.daemon import SCRIPTS
from lab.domain import DOMAIN, MEMBER, Domain, Member
from lab.namespaces import wait_until
from tests.interop.nas import TORTURE_SHARE, previous_versions

REQUIRED = {"fsrvpd:require rpc integrity": "yes"}
VERSIONS = "supports FSRVP versions from 1 to 1"
DENIED = "result: 0x80070005"
MACHINE = User("MEMBER$")


class Nas(NamedTuple):
    """`admin` is a domain administrator, `ordinary_user` is not; each has a ticket."""

    lab: Lab
    domain: Domain
    samba: Member
    daemon: FsrvpdProcess
    admin: User
    ordinary_user: User
    scripts: Path

    @property
    def keytab(self) -> Path:
        """The keytab that fsrvpd exports if smb.conf names none."""
        return self.samba.place("state directory") / "fsrvpd" / "krb5.keytab"

    def tool(
        self, *argv: str, environment: Optional[Mapping[str, str]] = None, check: bool = True
    ) -> str:
        """Run a tool. Returns its standard output and standard error together."""
        options = ["-s", str(self.samba.conf)]
        done = self.lab.run([argv[0], *options, *argv[1:]], environment=environment, check=check)
        return done.stdout + done.stderr

    def version(
        self, binding: str, *login: str, tickets: Optional[Mapping[str, str]] = None
    ) -> str:
        """Return rpcclient's output, after checking that it called fsrvpd."""
        before = len(self.daemon.calls())
        target = f"ncacn_np:{MEMBER}[{binding}]"
        said = self.tool(
            "rpcclient",
            *login,
            target,
            "-c",
            "fss_get_sup_version",
            environment=tickets,
            check=False,
        )
        wait_until(f"the call is logged\n{said}", lambda: len(self.daemon.calls()) == before + 1)
        return said

    def with_tickets(self, binding: str, user: User) -> str:
        tickets = self.domain.kinit(user)
        return self.version(binding, "--use-kerberos=required", tickets=tickets)

    def with_password(self, binding: str, user: User) -> str:
        login = f"{DOMAIN}\\{user.login}"
        return self.version(binding, "--use-kerberos=off", "-U", login)

    def as_machine(self, binding: str, kerberos: str) -> str:
        return self.version(binding, f"--use-kerberos={kerberos}", "--machine-pass")

    @contextmanager
    def other_daemon(self, **options: str) -> Iterator[Nas]:
        """Run a new daemon with other options, and with its own log, inside the block."""
        self.daemon.stop()
        self.daemon.log.rename(self.daemon.log.with_suffix(".before"))
        other = FsrvpdProcess(self.lab, self.samba, options, scripts=self.scripts)
        other.start()
        try:
            yield self._replace(daemon=other)
        finally:
            other.stop()
            self.daemon.start()

    def may_back_up(self, user: User) -> None:
        """Add a user of the domain to the member's local Backup Operators."""
        self.tool("net", "sam", "createbuiltingroup", "Backup Operators", check=False)
        group, member = "BUILTIN\\Backup Operators", f"{DOMAIN}\\{user.name}"
        said = self.tool("net", "sam", "addmem", group, member, check=False)
        # An earlier test may have added the user: only membership counts.
        assert member in self.tool("net", "sam", "listmem", group), said


@contextmanager
def open_nas(lab: Lab, scripts: Path = SCRIPTS) -> Iterator[Nas]:
    """Start the domain and the member. `scripts` is the directory of fsrvpd's commands."""
    domain = Domain(lab)
    admin, ordinary_user = domain.add_user("chief"), domain.add_user("clerk")
    domain.add_to_group("Domain Admins", admin.name)
    subvolume = lab.volume("btrfs", "data") / "projects"
    lab.run(["btrfs", "subvolume", "create", subvolume])
    lab.run(["chmod", "0777", subvolume])
    share = Share(TORTURE_SHARE, subvolume, previous_versions(lab, subvolume, TORTURE_SHARE))
    samba = Member(domain, [share], REQUIRED)
    samba.start()
    for user in (admin, ordinary_user, MACHINE):
        samba.know(user)
    daemon = FsrvpdProcess(lab, samba, scripts=scripts)
    daemon.start()
    yield Nas(lab, domain, samba, daemon, admin, ordinary_user, scripts)
