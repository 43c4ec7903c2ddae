"""A member of a real Active Directory: Kerberos, winbind, machine accounts, rotated keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional

import pytest
from gssapi.raw import RequirementFlag

from fsrvpd.core.messages import Opnum
from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.rpc.security import der
from fsrvpd.rpc.security.context import AuthLevel, BadSignature, Reply, Terms
from fsrvpd.rpc.security.kerberos import KerberosAcceptor
from fsrvpd.rpc.security.spnego import KRB5_OID
from tests.interop import secured_agent
from tests.interop.kerberos_initiator import EVERYTHING, Initiator
from tests.interop.secured_agent import SecuredAgent, TicketAgent
from tests.lab import FsrvpdProcess, Lab
from tests.lab.accounts import ROOT, User
from tests.lab.domain import DOMAIN, MEMBER, REALM, Domain, Member
from tests.lab.namespaces import wait_until
from tests.unit.rpc.security.initiators import pdu

REQUIRED = {"fsrvpd:require rpc integrity": "yes"}
VERSIONS = "supports FSRVP versions from 1 to 1"
DENIED = "result: 0x80070005"
MACHINE = User("MEMBER$")
KERBEROS = ["krb5,packet", "krb5,sign", "krb5,seal", "spnego,sign", "spnego,seal"]
NTLM = ["ntlm,sign", "ntlm,seal", "spnego,sign", "spnego,seal"]


class Site(NamedTuple):
    """`admin` is a domain administrator, `clerk` an ordinary user with a ticket each."""

    lab: Lab
    domain: Domain
    samba: Member
    daemon: FsrvpdProcess
    admin: User
    clerk: User

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

    def may_back_up(self, user: User) -> None:
        """Put a user of the domain into the member's own Backup Operators."""
        self.tool("net", "sam", "createbuiltingroup", "Backup Operators", check=False)
        self.tool("net", "sam", "addmem", "BUILTIN\\Backup Operators", f"{DOMAIN}\\{user.name}")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Lab() as lab:
        domain = Domain(lab)
        admin, clerk = domain.add_user("chief"), domain.add_user("clerk")
        domain.add_to_group("Domain Admins", admin.name)
        samba = Member(domain, options=REQUIRED)
        samba.start()
        for user in (admin, clerk, MACHINE):
            samba.know(user)
        daemon = FsrvpdProcess(lab, samba)
        daemon.start()
        yield Site(lab, domain, samba, daemon, admin, clerk)


@pytest.mark.parametrize("binding", KERBEROS)
def test_kerberos(site: Site, binding: str) -> None:
    assert VERSIONS in site.with_tickets(binding, site.admin)


@pytest.mark.parametrize("binding", NTLM)
def test_ntlm_through_winbind(site: Site, binding: str) -> None:
    assert VERSIONS in site.with_password(binding, site.admin)


@pytest.mark.parametrize("binding", NTLM)
def test_account_of_the_members_own(site: Site, binding: str) -> None:
    """winbindd asks the member's passdb about those."""
    login = f"MEMBER\\{ROOT.login}"
    assert VERSIONS in site.version(binding, "--use-kerberos=off", "-U", login)


@pytest.mark.parametrize("binding", ["connect", "krb5,connect", "spnego,connect"])
def test_level_connect_is_denied_in_the_result(site: Site, binding: str) -> None:
    assert DENIED in site.with_tickets(binding, site.admin)


@pytest.mark.parametrize("binding", ["krb5,sign", "krb5,seal", "spnego,seal", "ndr64,krb5,sign"])
def test_smbtorture_with_tickets(site: Site, binding: str) -> None:
    said = site.tool(
        "smbtorture",
        "--use-kerberos=required",
        f"ncacn_np:{MEMBER}[{binding}]",
        "rpc.fsrvp.fsrvp.get_version",
        environment=site.domain.kinit(site.admin),
    )
    assert "success: fsrvp.get_version" in said


def test_backup_operator_by_and_by(site: Site) -> None:
    """Refused while he is none, accepted once he is one."""
    assert DENIED in site.with_tickets("krb5,sign", site.clerk)
    assert DENIED in site.with_password("spnego,seal", site.clerk)
    site.may_back_up(site.clerk)
    assert VERSIONS in site.with_tickets("krb5,sign", site.clerk)
    assert VERSIONS in site.with_password("spnego,seal", site.clerk)


def test_machine_account_as_caller(site: Site) -> None:
    """The first call of a backup comes from the client's machine."""
    assert DENIED in site.as_machine("sign", "required")
    site.may_back_up(MACHINE)
    assert VERSIONS in site.as_machine("krb5,seal", "required")
    assert VERSIONS in site.as_machine("ntlm,sign", "off")


@pytest.mark.parametrize("level", [secured_agent.INTEGRITY, secured_agent.PRIVACY])
def test_impacket_with_tickets(site: Site, level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tickets = site.domain.kinit(site.admin)
    site.lab.run(["kvno", f"host/{MEMBER}"], environment=tickets)
    cache = tickets["KRB5CCNAME"].partition(":")[2]
    monkeypatch.setenv("KRB5CCNAME", str(site.lab.seen(Path(cache))))
    with TicketAgent(site, level, smb_user=site.admin, rpc_user=site.admin, domain=DOMAIN) as agent:
        assert agent.result(Opnum.GetSupportedVersion, b"") == 0


class TestNotTheSameUser:
    """impacket, since no other client has two logins."""

    def test_another_of_the_domain(self, site: Site) -> None:
        """Proved, and yet not the one whose session it is."""
        with SecuredAgent(
            site, secured_agent.INTEGRITY, smb_user=site.clerk, rpc_user=site.admin, domain=DOMAIN
        ) as agent:
            assert agent.result(Opnum.GetSupportedVersion, b"") == HResult.E_ACCESSDENIED
        wait_until(
            "the reason is logged",
            lambda: "but the SMB session belongs to LABDOM\\\\clerk" in site.daemon.tail(1),
        )

    def test_wrong_password(self, site: Site) -> None:
        wrong = User(site.admin.name, "guessed")
        with (
            SecuredAgent(
                site, secured_agent.INTEGRITY, smb_user=site.admin, rpc_user=wrong, domain=DOMAIN
            ) as agent,
            pytest.raises(Exception, match="rpc_s_access_denied"),
        ):
            agent.call(Opnum.GetSupportedVersion, b"")
        wait_until("the reason is logged", lambda: "WRONG_PASSWORD" in site.daemon.tail(1))


def test_rotated_machine_password_needs_no_restart(site: Site) -> None:
    old = site.domain.kinit(site.admin)
    assert VERSIONS in site.version("krb5,sign", "--use-kerberos=required", tickets=old)
    keytab = site.samba.place("state directory") / "fsrvpd" / "krb5.keytab"
    before = key_versions(site, keytab)
    site.tool("net", "rpc", "changetrustpw", "--machine-pass", "-S", "dc.lab.example")
    wait_until("the keytab is exported anew", lambda: key_versions(site, keytab) > before)
    assert VERSIONS in site.with_tickets("krb5,sign", site.admin)
    assert VERSIONS in site.version("krb5,sign", "--use-kerberos=required", tickets=old)


def key_versions(site: Site, keytab: object) -> set[int]:
    listed = site.lab.run(["klist", "-k", str(keytab)]).stdout
    return {int(number) for number in re.findall(r"^ +(\d+) ", listed, re.MULTILINE)}


def test_keytab_is_for_root_alone(site: Site) -> None:
    keytab = site.samba.place("state directory") / "fsrvpd" / "krb5.keytab"
    assert site.lab.seen(keytab).stat().st_mode & 0o777 == 0o600


class TestKerberosAcceptor:
    """In memory, with the keytab and a ticket of the real domain; signed headers and not."""

    @pytest.fixture
    def make(
        self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[..., tuple[Initiator, KerberosAcceptor]]:
        monkeypatch.setenv("KRB5RCACHENAME", f"file2:{tmp_path}/replays")
        cache = Path(site.domain.kinit(site.admin)["KRB5CCNAME"].partition(":")[2])
        environment = {"KRB5CCNAME": f"FILE:{cache}"}
        site.lab.run(["kvno", f"cifs/{MEMBER}"], environment=environment)
        keytab = site.samba.place("state directory") / "fsrvpd" / "krb5.keytab"

        def made(
            level: int, header_signing: bool = True, **options: Any
        ) -> tuple[Initiator, KerberosAcceptor]:
            service = f"cifs/{MEMBER}@{REALM}"
            client = Initiator(site.lab.seen(cache), service, header_signing, **options)
            terms = Terms(AuthLevel(level), header_signing)
            return client, KerberosAcceptor(terms, f"FILE:{site.lab.seen(keytab)}")

        return made

    def joined(self, both: tuple[Initiator, KerberosAcceptor]) -> None:
        client, server = both
        reply = server.step(client.first())
        assert not reply.done
        assert server.principal is None
        assert server.step(client.next(reply.token)) == Reply(b"", True)

    @pytest.mark.parametrize("header_signing", [True, False])
    @pytest.mark.parametrize("level", [5, 6])
    def test_both_ways(self, site: Site, make: Any, level: int, header_signing: bool) -> None:
        client, server = both = make(level, header_signing)
        self.joined(both)
        assert server.principal is not None
        assert server.principal.user_sid.endswith(f"-{site.domain.rid(site.admin.name)}")
        assert server.principal.account == f"{site.admin.name}@{REALM}"
        for number, body in enumerate((b"first body" * 3, b"", bytes(range(256)) * 16)):
            if level == AuthLevel.PKT_INTEGRITY:
                server.verify(pdu(body, number), client.sign(pdu(body, number)))
                token = server.sign(pdu(body, number))
                client.verify(pdu(body, number), token)
            else:
                sealed, token = client.seal(pdu(body, number))
                assert server.unseal(pdu(sealed, number), token) == body
                sealed, token = server.seal(pdu(body, number))
                assert client.unseal(pdu(sealed, number), token) == body
            assert len(token) == server.token_size(len(body))

    @pytest.mark.parametrize("part", ["head", "body", "sec_trailer"])
    @pytest.mark.parametrize("level", [5, 6])
    def test_tampering(self, make: Any, level: int, part: str) -> None:
        client, server = both = make(level)
        self.joined(both)
        message = pdu(b"the body")
        if level == AuthLevel.PKT_INTEGRITY:
            token = client.sign(message)
        else:
            sealed, token = client.seal(message)
            message = pdu(sealed)
        changed = bytearray(getattr(message, part))
        changed[0] ^= 1
        message = message._replace(**{part: bytes(changed)})
        with pytest.raises(BadSignature):
            (server.verify if level == AuthLevel.PKT_INTEGRITY else server.unseal)(message, token)

    def test_replays(self, make: Any) -> None:
        """Of a message, and of the whole login."""
        client, server = both = make(5)
        first = client.first()
        server.step(client.next(server.step(first).token))
        token = client.sign(pdu(b"once"))
        server.verify(pdu(b"once"), token)
        with pytest.raises(BadSignature):
            server.verify(pdu(b"once"), token)
        with pytest.raises(AuthenticationError, match="replay"):
            make(5)[1].step(first)
        assert both[1].principal is not None

    def test_left_out(self, make: Any) -> None:
        client, server = both = make(5)
        self.joined(both)
        client.sign(pdu(b"first"))
        with pytest.raises(BadSignature):
            server.verify(pdu(b"second"), client.sign(pdu(b"second")))

    def test_signed_only_where_sealed_belongs(self, make: Any) -> None:
        client, server = both = make(6)
        self.joined(both)
        with pytest.raises(BadSignature):
            server.unseal(pdu(b"the body"), client.sign(pdu(b"the body")))

    @pytest.mark.parametrize("missing", ["replay_detection", "out_of_sequence_detection"])
    def test_less_than_the_level_needs(self, make: Any, missing: str) -> None:
        client, server = make(6, flags=EVERYTHING & ~RequirementFlag[missing])
        with pytest.raises(AuthenticationError, match=f"does without .*{missing}"):
            self.joined((client, server))
        assert server.principal is None

    def test_two_legs_only(self, make: Any) -> None:
        """Without DCE style the client would not prove that it is still there."""
        client, server = make(5, flags=EVERYTHING & ~RequirementFlag.dce_style)
        with pytest.raises(AuthenticationError):
            server.step(client.first())
        assert server.principal is None

    def test_frame_around_the_ticket(self, make: Any) -> None:
        """As impacket sends it: RFC 2743's frame though DCE style has none."""
        client, server = make(5)
        inner = der.encode(der.OID, KRB5_OID) + b"\1\0" + client.first()
        reply = server.step(der.encode(der.APPLICATION, inner))
        assert server.step(client.next(reply.token)).done

    def test_keytab_without_the_key(self, make: Any, tmp_path: Path) -> None:
        client, _ = make(5)
        server = KerberosAcceptor(Terms(AuthLevel.PKT_INTEGRITY, True), f"FILE:{tmp_path}/none")
        with pytest.raises(AuthenticationError, match="export that again"):
            server.step(client.first())

    def test_nobody_before_the_end(self, make: Any) -> None:
        client, server = make(5)
        server.step(client.first())
        with pytest.raises(BadSignature, match="before the client was authenticated"):
            server.verify(pdu(b"early"), bytes(28))
