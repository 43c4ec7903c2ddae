"""`Domain`: an Active Directory with one controller in a lab, and `Member`, a NAS in it.

Both run in the lab's namespaces, each with its own address on a veth, its own directories and
its own smb.conf. The lab has private copies of the files that configure hosts, realms and Unix
users, so the machine's are neither used nor changed.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Iterable, Mapping, Optional

from lab.accounts import User
from lab.namespaces import Argument, CommandFailed, Lab, LabError, LabProcess, wait_until
from lab.samba import DIRECTORIES, Samba, Share

REALM, DOMAIN = "LAB.EXAMPLE", "LABDOM"
CONTROLLER, CONTROLLER_ADDRESS = "dc.lab.example", "10.53.0.1"
MEMBER, MEMBER_ADDRESS = "member.lab.example", "10.53.0.2"
ADMINISTRATOR = User("Administrator", "Lab-pass-0")
FIRST_UID = 100_000  # idmap_rid adds the RID
UIDS = f"{FIRST_UID}-199999"
RUN = Path("/run/samba")  # Debian's libwbclient always looks for winbindd here

KRB5_CONF = f"""\
[libdefaults]
    default_rcache_name = file2:%s/replays
    default_realm = {REALM}
    dns_lookup_realm = false
    dns_lookup_kdc = false
    rdns = false
[realms]
    {REALM} = {{
        kdc = {CONTROLLER_ADDRESS}
        admin_server = {CONTROLLER_ADDRESS}
    }}
[domain_realm]
    .lab.example = {REALM}
"""
HOSTS = f"""\
127.0.0.1 localhost
{CONTROLLER_ADDRESS} {CONTROLLER} dc
{MEMBER_ADDRESS} {MEMBER} member
"""
PLACES = ("pid directory", "ncalrpc dir")  # that provisioning does not set
SERVICES = "s3fs, rpc, ldap, cldap, kdc, winbindd, dns"


class Domain:
    """A provisioned and running domain; it ends with the lab. `directory` has its database."""

    def __init__(
        self, lab: Lab, shares: Iterable[Share] = (), options: Optional[Mapping[str, str]] = None
    ) -> None:
        """`shares` and `options`: of the controller, in its smb.conf."""
        self.lab = lab
        self._shares, self._options = list(shares), dict(options or {})
        self.directory = lab.directory / "dc"
        self.conf = self.directory / "etc" / "smb.conf"
        self.log = lab.directory / "log.dc"
        self._tickets = 0
        self._make_network()
        self._make_files()
        self._provision()
        self._process = self._start()

    def add_user(self, name: str) -> User:
        user = User(name)
        self.tool("user", "create", name, user.password)
        return user

    def add_to_group(self, group: str, name: str) -> None:
        self.tool("group", "addmembers", group, name)

    def rid(self, name: str) -> int:
        """Return the RID of a user or, if the name ends with $, of a machine."""
        kind = "computer" if name.endswith("$") else "user"
        shown = self.tool(kind, "show", name, "--attributes=objectSid").stdout
        return int(shown.partition("objectSid:")[2].split()[0].rpartition("-")[2])

    def kinit(self, user: User) -> dict[str, str]:
        """Get a ticket. Returns environment variables by which tools find it."""
        self._tickets += 1
        cache = {"KRB5CCNAME": f"FILE:{self.lab.directory}/tickets.{self._tickets}"}
        self.lab.run(["kinit", user.name], input=f"{user.password}\n", environment=cache)
        return cache

    def tool(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run samba-tool on the controller's own database."""
        return self.lab.run(["samba-tool", *arguments, "-s", self.conf])

    def _make_network(self) -> None:
        """Make a veth pair, since Samba never announces loopback addresses."""
        for command in (
            "ip link add lab0 type veth peer name lab1",
            f"ip address add {CONTROLLER_ADDRESS}/24 dev lab0",
            f"ip address add {MEMBER_ADDRESS}/24 dev lab0",
            "ip link set lab0 up",
            "ip link set lab1 up",
        ):
            self.lab.run(command.split())

    def _make_files(self) -> None:
        home = self.lab.directory / "domain"
        home.mkdir()
        for name, text in {
            "krb5.conf": KRB5_CONF % home,
            "hosts": HOSTS,
            "resolv.conf": "",  # empty until provisioned: it must not forward to itself
        }.items():
            (home / name).write_text(text)
            self.lab.run(["mount", "--bind", home / name, f"/etc/{name}"])
        (home / "run").mkdir(mode=0o755)
        self.lab.run(["mount", "--bind", home / "run", RUN])

    def _provision(self) -> None:
        options = {
            "interfaces": f"{CONTROLLER_ADDRESS}/24",
            "bind interfaces only": "yes",
            "server services": SERVICES,
            "disable netbios": "yes",
            "log file": str(self.log),
            **self._options,
        }
        self.lab.run(
            [
                *("samba-tool", "domain", "provision", "--quiet", "-s", "/dev/null"),
                f"--targetdir={self.directory}",
                *(f"--realm={REALM}", f"--domain={DOMAIN}", "--host-name=dc"),
                *(f"--host-ip={CONTROLLER_ADDRESS}", "--server-role=dc"),
                *("--dns-backend=SAMBA_INTERNAL", f"--adminpass={ADMINISTRATOR.password}"),
                *(f"--option={name}={value}" for name, value in options.items()),
            ],
            timeout=120,
        )
        with self.conf.open("a") as conf:
            conf.write("\n".join(line for share in self._shares for line in share.section()) + "\n")
        resolver = f"nameserver {CONTROLLER_ADDRESS}\nsearch {REALM.lower()}\n"
        (self.lab.directory / "domain" / "resolv.conf").write_text(resolver)

    def _start(self) -> LabProcess:
        """Start the controller with a private /run/samba, where its smbd looks for its winbindd."""
        run = self.directory / "run"
        run.mkdir()
        samba = (
            f"mount --bind {run} {RUN} && exec samba --foreground --no-process-group -s {self.conf}"
        )
        process = self.lab.popen(["unshare", "--mount", "sh", "-c", samba], output=self.log)
        wait_until("the controller gives tickets", lambda: self._answers(process), timeout=60)
        return process

    def _answers(self, process: LabProcess) -> bool:
        """Whether it gives tickets."""
        if process.poll() is not None:
            raise LabError(f"samba ended at once\n{self.log.read_text(errors='replace')}")
        try:
            self.kinit(ADMINISTRATOR)
        except CommandFailed:
            return False
        return True


class Controller(Domain):
    """A domain controller that serves files, in a lab without a member."""

    address = CONTROLLER_ADDRESS

    def __init__(self, lab: Lab, shares: Iterable[Share]) -> None:
        helper = "/usr/libexec/samba/rpcd_fsrvp"
        if lab.seen(Path(helper)).exists():
            lab.run(["mount", "--bind", "/bin/false", helper])
        places = {name: str(lab.directory / "dc" / DIRECTORIES[name][0]) for name in PLACES}
        super().__init__(lab, shares, {**places, "registry shares": "yes"})

    def place(self, option: str) -> Path:
        """Return the directory that smb.conf sets with an option such as `pid directory`."""
        return self.directory / DIRECTORIES[option][0]

    def _start(self) -> LabProcess:
        """The lab's own winbindd is this one's, so it needs no directory of its own."""
        samba: list[Argument] = ["samba", "--foreground", "--no-process-group", "-s", self.conf]
        process = self.lab.popen(samba, output=self.log)
        wait_until("the controller gives tickets", lambda: self._answers(process), timeout=60)
        return process


class Member(Samba):
    """smbd and winbindd of a server that joins the domain at its start."""

    def __init__(
        self,
        domain: Domain,
        shares: Iterable[Share] = (),
        options: Optional[Mapping[str, str]] = None,
        *,
        own_agent: bool = False,
    ) -> None:
        joined = {
            "netbios name": "MEMBER",
            "workgroup": DOMAIN,
            "realm": REALM,
            "server role": "member server",
            "security": "ads",
            "map to guest": "never",
            "interfaces": f"{MEMBER_ADDRESS}/24",
            "idmap config * : backend": "tdb",
            "idmap config * : range": "10000-19999",
            f"idmap config {DOMAIN} : backend": "rid",
            f"idmap config {DOMAIN} : range": UIDS,
        }
        super().__init__(domain.lab, shares, {**joined, **(options or {})}, own_agent=own_agent)
        self.domain = domain
        self.address = MEMBER_ADDRESS
        self._winbindd: Optional[LabProcess] = None

    def start(self, environment: Optional[Mapping[str, str]] = None) -> None:
        self.know(ADMINISTRATOR)
        self._join()
        self.start_winbind()
        super().start(environment)

    def start_winbind(self) -> None:
        self._winbindd = self.lab.popen(
            ["winbindd", "--foreground", "--no-process-group", "-s", self.conf],
            output=self.directory / "stderr.winbindd",
        )
        wait_until("winbindd answers", lambda: self._asks("wbinfo", "--ping-dc"))

    def stop_winbind(self) -> None:
        assert self._winbindd is not None
        self._winbindd.signal(signal.SIGTERM)
        self._winbindd.wait()
        self._winbindd = None

    def know(self, user: User) -> None:
        """Make a user or machine of the domain a Unix user of the member."""
        self._accounts.add_as(
            f"{DOMAIN}\\{user.name}".lower(), FIRST_UID + self.domain.rid(user.name)
        )

    def _join(self) -> None:
        """Join the domain. The first attempt may fail right after the controller's start."""
        join = ["net", "ads", "join", "-s", self.conf, "-U", ADMINISTRATOR.login]
        wait_until("the member joins", lambda: self._asks(*join), timeout=60)

    def _asks(self, *argv: object) -> bool:
        done = self.run([str(word) for word in argv], check=False)
        return done.returncode == 0

    def _answers(self) -> bool:
        return self._asks("smbclient", "-s", self.conf, "-U", ADMINISTRATOR.login, "-L", MEMBER)
