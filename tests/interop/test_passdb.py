"""Responses of impacket's, judged by the passdb of a real Samba."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from impacket import ntlm

from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import NtlmResponse
from samba_hooks.ntlm_verification import account_verifier
from samba_hooks.passdb import PassdbVerifier
from samba_hooks.samba_tools import SambaTools

USER, OTHER = "daemon", "bin"  # Unix users that every Debian has
PASSWORD = "Passdb-päss-0"
CHALLENGE = b"12345678"


class Passdb:
    """A Samba of which only the account database exists."""

    def __init__(self, directory: Path) -> None:
        self.conf = directory / "smb.conf"
        places = ("private dir", "state directory", "lock directory", "cache directory")
        lines = [f"{place} = {directory}" for place in (*places, "pid directory")]
        self.conf.write_text("\n".join(["[global]", "netbios name = LAB", *lines]) + "\n")
        for user in (USER, OTHER):
            self.run("smbpasswd", "-c", "-s", "-a", user, input=f"{PASSWORD}\n{PASSWORD}\n")
        self.verifier = PassdbVerifier(SambaTools(str(self.conf), [], 30))

    def run(self, tool: str, option: str, *arguments: str, input: str = "") -> str:
        argv = [tool, option, str(self.conf), *arguments]
        return subprocess.run(
            argv, input=input, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def sid(self, user: str) -> str:
        printed = self.run("pdbedit", "-s", "-L", "-v", "-u", user)
        return printed.partition("User SID:")[2].split()[0]


@pytest.fixture(scope="module")
def passdb(tmp_path_factory: pytest.TempPathFactory) -> Passdb:
    return Passdb(tmp_path_factory.mktemp("passdb"))


def response(
    account: str = USER, password: str = PASSWORD, domain: str = "WHATEVER"
) -> tuple[NtlmResponse, bytes]:
    pairs = ntlm.AV_PAIRS()
    pairs[ntlm.NTLMSSP_AV_DNS_HOSTNAME] = "lab".encode("utf-16-le")
    nt_response, lm_response, key = ntlm.computeResponseNTLMv2(
        0, CHALLENGE, b"c" * 8, pairs.getData(), domain, account, password
    )
    return NtlmResponse(CHALLENGE, account, domain, "", nt_response, lm_response), key


@pytest.mark.parametrize("spelling", [USER, USER.upper()])
def test_right_password(passdb: Passdb, spelling: str) -> None:
    asked, key = response(spelling)
    answer = passdb.verifier.verify(asked, passdb.sid(USER))
    assert answer == (f"LAB\\{USER}", passdb.sid(USER), key)


def test_wrong_password(passdb: Passdb) -> None:
    with pytest.raises(AuthenticationError, match="wrong password"):
        passdb.verifier.verify(response(password="guess")[0], passdb.sid(USER))


def test_password_of_another_is_not_even_tried(passdb: Passdb) -> None:
    for password in (PASSWORD, "guess"):
        with pytest.raises(AuthenticationError, match="not the user of the SMB session"):
            passdb.verifier.verify(response(OTHER, password)[0], passdb.sid(USER))


@pytest.mark.parametrize("name", ["unknown", "-L", "", "a:b", "%x", "*", "../x", "ü" * 300])
def test_unknown_account(passdb: Passdb, name: str) -> None:
    with pytest.raises(AuthenticationError, match="pdbedit"):
        passdb.verifier.verify(response(name)[0], passdb.sid(USER))


def test_disabled_account(passdb: Passdb) -> None:
    passdb.run("smbpasswd", "-c", "-d", OTHER)
    try:
        with pytest.raises(AuthenticationError, match="disabled"):
            passdb.verifier.verify(response(OTHER)[0], passdb.sid(OTHER))
    finally:
        passdb.run("smbpasswd", "-c", "-e", OTHER)


def test_broken_configuration(tmp_path: Path) -> None:
    verifier = PassdbVerifier(SambaTools(str(tmp_path / "none.conf"), [], 30))
    with pytest.raises(AuthenticationError, match="pdbedit"):
        verifier.verify(response()[0], "S-1-5-21-1-1-1-1000")


def test_member_asks_winbind() -> None:
    """Which runs here, if at all, without knowing the account."""
    verifier = account_verifier("ROLE_DOMAIN_MEMBER", SambaTools(None, [], 30))
    with pytest.raises(AuthenticationError, match=r"winbind refuses WHATEVER\\daemon: ."):
        verifier.verify(response()[0], "S-1-5-21-1-1-1-1000")


def test_standalone_server_asks_its_passdb() -> None:
    assert isinstance(account_verifier("ROLE_STANDALONE", SambaTools(None, [], 30)), PassdbVerifier)
