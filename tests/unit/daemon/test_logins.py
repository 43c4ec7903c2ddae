"""Accounts are checked beside the loop, and the loop hears of it whatever happens."""

from __future__ import annotations

import time
from typing import Any, Callable, Iterator

import pytest

from fsrvpd.daemon import logins
from fsrvpd.daemon.logins import Logins, file_time, nonce, server_names
from fsrvpd.daemon.loop import Loop
from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount
from fsrvpd.rpc.security.ntlm_messages import Names
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.samba_tools import SambaTools

RESPONSE = NtlmResponse(b"challenge", "alice", "LAB", "CLIENT", b"nt", b"lm")
VERIFIED = VerifiedAccount("LAB\\alice", "S-1-5-21-1-2-3-1000", bytes(16))


def configuration(**changes: Any) -> SambaConfiguration:
    facts: dict[str, Any] = dict.fromkeys(SambaConfiguration._fields, "")
    facts.update(netbios_name="NAS", workgroup="OFFICE", server_role="ROLE_STANDALONE")
    return SambaConfiguration(**{**facts, **changes})


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def verdict(loop: Loop, verify: Callable[[NtlmResponse, str], VerifiedAccount]) -> Any:
    class Verifier:
        def verify(self, response: NtlmResponse, user_sid: str) -> VerifiedAccount:
            return verify(response, user_sid)

    made = Logins(loop, configuration(), SambaTools(None, [], 30), "/nowhere")
    made._verifier = Verifier()
    verdicts: list[Any] = []
    made.check(RESPONSE, VERIFIED.user_sid, verdicts.append)
    deadline = time.monotonic() + 20
    while not verdicts and time.monotonic() < deadline:
        loop.turn(1.0)
    made.close()
    return verdicts[0]


def test_yes(loop: Loop) -> None:
    def verify(response: NtlmResponse, user_sid: str) -> VerifiedAccount:
        assert (response, user_sid) == (RESPONSE, VERIFIED.user_sid)
        return VERIFIED

    assert verdict(loop, verify) is VERIFIED


def test_no(loop: Loop) -> None:
    refusal = AuthenticationError("wrong password")

    def verify(response: NtlmResponse, user_sid: str) -> VerifiedAccount:
        raise refusal

    assert verdict(loop, verify) is refusal


def test_what_breaks_is_a_no(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    def verify(response: NtlmResponse, user_sid: str) -> VerifiedAccount:
        raise ZeroDivisionError("whatever")

    assert isinstance(verdict(loop, verify), AuthenticationError)
    assert "please report this" in caplog.text


def test_names_of_a_standalone_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins.socket, "gethostname", lambda: "Nas-1.office.example")
    assert server_names(configuration()) == Names("NAS", "NAS", "nas-1", "", False)


def test_names_of_a_member() -> None:
    member = configuration(server_role="ROLE_DOMAIN_MEMBER", realm="OFFICE.EXAMPLE")
    expected = Names("NAS", "OFFICE", "nas.office.example", "office.example", True)
    assert server_names(member) == expected


def test_nonces_differ() -> None:
    assert len({nonce() for _ in range(100)}) == 100
    assert len(nonce()) == 8


def test_time_of_windows() -> None:
    """Between 2026 and 2126."""
    assert 134_116_992_000_000_000 < file_time() < 165_673_728_000_000_000
