"""`Site`: a domain, its member with a share on btrfs, and our daemon beside the member's smbd."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple, Optional

from tests.interop.site import TORTURE_SHARE, previous_versions
from tests.lab import FsrvpdProcess, Lab, Share
from tests.lab.accounts import User
from tests.lab.daemon import SCRIPTS
from tests.lab.domain import DOMAIN, MEMBER, Domain, Member
from tests.lab.namespaces import wait_until

REQUIRED = {"fsrvpd:require rpc integrity": "yes"}
VERSIONS = "supports FSRVP versions from 1 to 1"
DENIED = "result: 0x80070005"
MACHINE = User("MEMBER$")


class Site(NamedTuple):
    """`admin` is a domain administrator, `clerk` an ordinary user with a ticket each."""

    lab: Lab
    domain: Domain
    samba: Member
    daemon: FsrvpdProcess
    admin: User
    clerk: User
    scripts: Path

    @property
    def keytab(self) -> Path:
        """Our own, where smb.conf names none."""
        return self.samba.place("state directory") / "fsrvpd" / "krb5.keytab"

    def tool(
        self, *argv: str, environment: Optional[Mapping[str, str]] = None, check: bool = True
    ) -> str:
        """What a tool prints, both ways."""
        options = ["-s", str(self.samba.conf)]
        done = self.lab.run([argv[0], *options, *argv[1:]], environment=environment, check=check)
        return done.stdout + done.stderr

    def version(
        self, binding: str, *login: str, tickets: Optional[Mapping[str, str]] = None
    ) -> str:
        """What rpcclient says, and proof that it was our agent which was asked."""
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
    def other_daemon(self, **options: str) -> Iterator[Site]:
        """The daemon with other options for a while; a new one, with a log of its own."""
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
        """Put a user of the domain into the member's own Backup Operators."""
        self.tool("net", "sam", "createbuiltingroup", "Backup Operators", check=False)
        group, member = "BUILTIN\\Backup Operators", f"{DOMAIN}\\{user.name}"
        said = self.tool("net", "sam", "addmem", group, member, check=False)
        assert member in self.tool("net", "sam", "listmem", group), said  # perhaps since before


@contextmanager
def open_site(lab: Lab, scripts: Path = SCRIPTS) -> Iterator[Site]:
    """`scripts` is where the lab has our commands."""
    domain = Domain(lab)
    admin, clerk = domain.add_user("chief"), domain.add_user("clerk")
    domain.add_to_group("Domain Admins", admin.name)
    subvolume = lab.volume("btrfs", "data") / "projects"
    lab.run(["btrfs", "subvolume", "create", subvolume])
    lab.run(["chmod", "0777", subvolume])
    share = Share(TORTURE_SHARE, subvolume, previous_versions(subvolume))
    samba = Member(domain, [share], REQUIRED)
    samba.start()
    for user in (admin, clerk, MACHINE):
        samba.know(user)
    daemon = FsrvpdProcess(lab, samba, scripts=scripts)
    daemon.start()
    yield Site(lab, domain, samba, daemon, admin, clerk, scripts)
