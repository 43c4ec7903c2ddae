"""Who may call, with Kerberos and NTLM, as a member of a domain sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from tests.ad.site import DENIED, MACHINE, VERSIONS, Site
from tests.interop import secured_agent
from tests.interop.secured_agent import SecuredAgent, TicketAgent
from tests.lab.accounts import ROOT, User
from tests.lab.domain import DOMAIN, MEMBER
from tests.lab.namespaces import wait_until

KERBEROS = ["krb5,packet", "krb5,sign", "krb5,seal", "spnego,sign", "spnego,seal"]
NTLM = ["ntlm,sign", "ntlm,seal", "spnego,sign", "spnego,seal"]


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
