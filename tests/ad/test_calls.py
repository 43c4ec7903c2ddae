"""Which users may call a member of a domain, with Kerberos and NTLM."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from lab.accounts import ROOT, User
from lab.domain import DOMAIN, MEMBER
from lab.namespaces import wait_until
from tests.ad.nas import DENIED, MACHINE, VERSIONS, Nas
from tests.interop import secured_agent
from tests.interop.secured_agent import SecuredAgent, TicketAgent

KERBEROS = ["krb5,packet", "krb5,sign", "krb5,seal", "spnego,sign", "spnego,seal"]
NTLM = ["ntlm,sign", "ntlm,seal", "spnego,sign", "spnego,seal"]


@pytest.mark.parametrize("binding", KERBEROS)
def test_kerberos(nas: Nas, binding: str) -> None:
    assert VERSIONS in nas.with_tickets(binding, nas.admin)


@pytest.mark.parametrize("binding", NTLM)
def test_ntlm_through_winbind(nas: Nas, binding: str) -> None:
    assert VERSIONS in nas.with_password(binding, nas.admin)


@pytest.mark.parametrize("binding", NTLM)
def test_account_of_the_members_own(nas: Nas, binding: str) -> None:
    """winbindd looks up local accounts in the member's passdb."""
    login = f"MEMBER\\{ROOT.login}"
    assert VERSIONS in nas.version(binding, "--use-kerberos=off", "-U", login)


@pytest.mark.parametrize("binding", ["connect", "krb5,connect", "spnego,connect"])
def test_level_connect_is_denied_in_the_result(nas: Nas, binding: str) -> None:
    assert DENIED in nas.with_tickets(binding, nas.admin)


@pytest.mark.parametrize("binding", ["krb5,sign", "krb5,seal", "spnego,seal", "ndr64,krb5,sign"])
def test_smbtorture_with_tickets(nas: Nas, binding: str) -> None:
    said = nas.tool(
        "smbtorture",
        "--use-kerberos=required",
        f"ncacn_np:{MEMBER}[{binding}]",
        "rpc.fsrvp.fsrvp.get_version",
        environment=nas.domain.kinit(nas.admin),
    )
    assert "success: fsrvp.get_version" in said


def test_backup_operator_by_and_by(nas: Nas) -> None:
    """The user is refused before joining Backup Operators, and accepted afterwards."""
    assert DENIED in nas.with_tickets("krb5,sign", nas.ordinary_user)
    assert DENIED in nas.with_password("spnego,seal", nas.ordinary_user)
    nas.may_back_up(nas.ordinary_user)
    assert VERSIONS in nas.with_tickets("krb5,sign", nas.ordinary_user)
    assert VERSIONS in nas.with_password("spnego,seal", nas.ordinary_user)


def test_machine_account_as_caller(nas: Nas) -> None:
    """A backup's first call is made with the account of the client's machine."""
    assert DENIED in nas.as_machine("sign", "required")
    nas.may_back_up(MACHINE)
    assert VERSIONS in nas.as_machine("krb5,seal", "required")
    assert VERSIONS in nas.as_machine("ntlm,sign", "off")


@pytest.mark.parametrize("level", [secured_agent.INTEGRITY, secured_agent.PRIVACY])
def test_impacket_with_tickets(nas: Nas, level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tickets = nas.domain.kinit(nas.admin)
    nas.lab.run(["kvno", f"host/{MEMBER}"], environment=tickets)
    cache = tickets["KRB5CCNAME"].partition(":")[2]
    monkeypatch.setenv("KRB5CCNAME", str(nas.lab.seen(Path(cache))))
    with TicketAgent(nas, level, smb_user=nas.admin, rpc_user=nas.admin, domain=DOMAIN) as agent:
        assert agent.result(Opnum.GetSupportedVersion, b"") == 0


class TestNotTheSameUser:
    """These tests use impacket, since no other client has two logins."""

    def test_another_of_the_domain(self, nas: Nas) -> None:
        """The RPC login is valid, but it is not the user of the SMB session."""
        with (
            SecuredAgent(
                nas,
                secured_agent.INTEGRITY,
                smb_user=nas.ordinary_user,
                rpc_user=nas.admin,
                domain=DOMAIN,
            ) as agent,
            pytest.raises(Exception, match="rpc_s_access_denied"),
        ):
            agent.call(Opnum.GetSupportedVersion, b"")
        wait_until(
            "the reason is logged",
            lambda: f"'{nas.admin.name}' is not the user of the SMB session" in nas.daemon.tail(1),
        )

    def test_wrong_password(self, nas: Nas) -> None:
        wrong = User(nas.admin.name, "guessed")
        with (
            SecuredAgent(
                nas, secured_agent.INTEGRITY, smb_user=nas.admin, rpc_user=wrong, domain=DOMAIN
            ) as agent,
            pytest.raises(Exception, match="rpc_s_access_denied"),
        ):
            agent.call(Opnum.GetSupportedVersion, b"")
        wait_until("the reason is logged", lambda: "WRONG_PASSWORD" in nas.daemon.tail(1))


@pytest.fixture
def mapping(nas: Nas) -> Iterator[Nas]:
    """smbd maps a user of the domain, and a name that is nobody's, to a local backup operator."""
    vault = nas.samba.add_user("vault", "Vault-pass-1")
    nas.tool("net", "sam", "createbuiltingroup", "Backup Operators", check=False)
    nas.tool("net", "sam", "addmem", "BUILTIN\\Backup Operators", f"MEMBER\\{vault.name}")
    file = nas.lab.directory / "users.map"
    file.write_text(f"!vault = {DOMAIN}\\{nas.ordinary_user.name} keeper\n")
    nas.samba.set_option("username map", str(file))
    nas.samba.reload()
    yield nas
    nas.samba.set_option("username map", None)
    nas.samba.reload()


def test_who_is_mapped_to_a_local_user_by_smbd(mapping: Nas) -> None:
    """The session has the local user's SIDs, the login is the domain's or, for `keeper`, local."""
    assert VERSIONS in mapping.with_tickets("krb5,sign", mapping.ordinary_user)
    assert VERSIONS in mapping.with_tickets("spnego,seal", mapping.ordinary_user)
    assert VERSIONS in mapping.with_password("spnego,seal", mapping.ordinary_user)
    login = "MEMBER\\keeper%Vault-pass-1"
    assert VERSIONS in mapping.version("ntlm,sign", "--use-kerberos=off", "-U", login)
