"""What the server says of itself to clients that authenticate."""

from __future__ import annotations

from typing import Any

import pytest

from fsrvpd.daemon.pipe import authentication
from fsrvpd.daemon.pipe.authentication import file_time, nonce, server_names
from fsrvpd.rpc.security.ntlm_messages import Names
from samba_hooks.configuration import SambaConfiguration


def configuration(**changes: Any) -> SambaConfiguration:
    facts: dict[str, Any] = dict.fromkeys(SambaConfiguration._fields, "")
    facts.update(netbios_name="NAS", workgroup="OFFICE", server_role="ROLE_STANDALONE")
    return SambaConfiguration(**{**facts, **changes})


def test_names_of_a_standalone_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication.socket, "gethostname", lambda: "Nas-1.office.example")
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
