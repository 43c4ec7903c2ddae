"""`Domain`: an Active Directory of one controller in a lab, and `Member`, a NAS that joined.

Both live in the lab's one set of namespaces, each with its own address on a veth, its own
directories and its own smb.conf. The lab sees private copies of the files by which hosts,
realms and Unix users are found, so that nothing of the machine is asked or changed.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Iterable, Mapping, Optional

from tests.lab.accounts import User
from tests.lab.namespaces import CommandFailed, Lab, LabError, LabProcess, wait_until
from tests.lab.samba import Samba, Share

REALM, DOMAIN = "LAB.EXAMPLE", "LABDOM"
CONTROLLER, CONTROLLER_ADDRESS = "dc.lab.example", "10.53.0.1"
MEMBER, MEMBER_ADDRESS = "member.lab.example", "10.53.0.2"
ADMINISTRATOR = User("Administrator", "Lab-pass-0")
FIRST_UID = 100_000  # plus the RID: idmap_rid
UIDS = f"{FIRST_UID}-199999"
RUN = Path("/run/samba")  # where Debian's libwbclient insists on finding winbindd

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
SERVICES = "s3fs, rpc, ldap, cldap, kdc, winbindd, dns"


class Domain:
    """Provisioned and started; ends with the lab. `directory` holds its database."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
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
        """The last part of the SID of a user or, with a $ at the end, of a machine."""
        kind = "computer" if name.endswith("$") else "user"
        shown = self.tool(kind, "show", name, "--attributes=objectSid").stdout
        return int(shown.partition("objectSid:")[2].split()[0].rpartition("-")[2])

    def kinit(self, user: User) -> dict[str, str]:
        """Get a ticket. Returns the environment in which tools find it."""
        self._tickets += 1
        cache = {"KRB5CCNAME": f"FILE:{self.lab.directory}/tickets.{self._tickets}"}
        self.lab.run(["kinit", user.name], input=f"{user.password}\n", environment=cache)
        return cache

    def tool(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """samba-tool on the controller's own database."""
        return self.lab.run(["samba-tool", *arguments, "-s", self.conf])

    def _make_network(self) -> None:
        """Loopback addresses do not do: Samba gives them to nobody."""
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
            "resolv.conf": "",  # until the controller is provisioned, lest it forward to itself
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
        resolver = f"nameserver {CONTROLLER_ADDRESS}\nsearch {REALM.lower()}\n"
        (self.lab.directory / "domain" / "resolv.conf").write_text(resolver)

    def _start(self) -> LabProcess:
        """With a /run/samba of its own: that is where its smbd looks for its winbindd."""
        run = self.directory / "run"
        run.mkdir()
        samba = (
            f"mount --bind {run} {RUN} && exec samba --foreground --no-process-group -s {self.conf}"
        )
        process = self.lab.popen(["unshare", "--mount", "sh", "-c", samba], output=self.log)
        wait_until("the controller gives tickets", lambda: self._answers(process), timeout=60)
        return process

    def _answers(self, process: LabProcess) -> bool:
        if process.poll() is not None:
            raise LabError(f"samba ended at once\n{self.log.read_text(errors='replace')}")
        try:
            self.kinit(ADMINISTRATOR)
        except CommandFailed:
            return False
        return True


class Member(Samba):
    """smbd and winbindd of a server that joins the domain when it starts."""

    def __init__(
        self,
        domain: Domain,
        shares: Iterable[Share] = (),
        options: Optional[Mapping[str, str]] = None,
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
        super().__init__(domain.lab, shares, {**joined, **(options or {})})
        self.domain = domain
        self.address = MEMBER_ADDRESS
        self._winbindd: Optional[LabProcess] = None

    def start(self) -> None:
        self.know(ADMINISTRATOR)
        self._join()
        self.start_winbind()
        super().start()

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
        """Let a user of the domain, or a machine, be a Unix user of the member."""
        self._accounts.add_as(
            f"{DOMAIN}\\{user.name}".lower(), FIRST_UID + self.domain.rid(user.name)
        )

    def _join(self) -> None:
        """It may fail once right after the controller's start."""
        join = ["net", "ads", "join", "-s", self.conf, "-U", ADMINISTRATOR.login]
        wait_until("the member joins", lambda: self._asks(*join), timeout=60)

    def _asks(self, *argv: object) -> bool:
        done = self.run([str(word) for word in argv], check=False)
        return done.returncode == 0

    def _answers(self) -> bool:
        return self._asks("smbclient", "-s", self.conf, "-U", ADMINISTRATOR.login, "-L", MEMBER)
