"""Who verifies NTLM depends on where this server's accounts are."""

from __future__ import annotations

from typing import Any

import pytest

from fsrvpd.errors import AuthenticationError, RegistryError
from fsrvpd.protocol.ports import Caller, NtlmResponse, VerifiedAccount
from samba_hooks.accounts import verifier, winbind
from samba_hooks.accounts.passdb import LibraryMissing, PassdbVerifier
from samba_hooks.accounts.verifier import MemberVerifier, account_verifier, own_sid
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.tools import SambaTools

TOOLS = SambaTools(None, [], 30)


def configuration(role: str, clustering: bool = False) -> SambaConfiguration:
    facts: dict[str, Any] = dict.fromkeys(SambaConfiguration._fields, "")
    return SambaConfiguration(**{**facts, "server_role": role, "clustering": clustering})


@pytest.mark.parametrize("role", ["ROLE_STANDALONE", "ROLE_DOMAIN_PDC", "ROLE_DOMAIN_BDC"])
def test_a_server_with_accounts_of_its_own(role: str) -> None:
    assert isinstance(account_verifier(configuration(role), TOOLS), PassdbVerifier)


def test_a_cluster_uses_pdbedit() -> None:
    passdb = account_verifier(configuration("ROLE_STANDALONE", clustering=True), TOOLS)
    assert isinstance(passdb, PassdbVerifier)
    with pytest.raises(LibraryMissing):
        passdb.check()


@pytest.mark.parametrize("role", ["ROLE_DOMAIN_MEMBER", "ROLE_ACTIVE_DIRECTORY_DC"])
def test_others_need_winbind(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winbind, "LIBRARY", "libno-such.so.0")
    with pytest.raises(AuthenticationError, match=r"libno-such.so.0: .*install winbind"):
        account_verifier(configuration(role), TOOLS)


@pytest.mark.parametrize(
    ("account", "asked"), [("NAS\\root", "own"), ("nas\\root", "own"), ("CORP\\root", "domain")]
)
def test_a_member_has_accounts_of_its_own(
    account: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fake:
        likely_cause = ""

        def __init__(self, name: str) -> None:
            self.name = name

        def verify(self, response: NtlmResponse, caller: Caller) -> VerifiedAccount:
            return VerifiedAccount(self.name, "", b"")

    monkeypatch.setattr(verifier, "WinbindVerifier", lambda: Fake("domain"))
    member = MemberVerifier(Fake("own"), "NAS")  # type: ignore[arg-type]
    caller = Caller("192.0.2.1", account, "S-1-1", frozenset(), 0, 0, False)
    response = NtlmResponse(b"", "whoever", "", "", b"", b"")
    assert member.verify(response, caller).account == asked


def test_the_sid_of_a_members_own_accounts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def run(self: SambaTools, *argv: str) -> str:
        if argv != ("net", "getlocalsid"):
            raise RegistryError("net: secrets.tdb cannot be read")
        return "SID for domain NAS is: S-1-5-21-7-8-9\n"

    monkeypatch.setattr(SambaTools, "run", run)
    assert own_sid(configuration("ROLE_DOMAIN_MEMBER"), TOOLS) == "S-1-5-21-7-8-9"
    assert own_sid(configuration("ROLE_ACTIVE_DIRECTORY_DC"), TOOLS) == ""
    monkeypatch.setattr(SambaTools, "run", lambda self, *argv: run(self))
    assert own_sid(configuration("ROLE_DOMAIN_MEMBER"), TOOLS) == ""
    assert "secrets.tdb cannot be read; then restart fsrvpd" in caplog.text
