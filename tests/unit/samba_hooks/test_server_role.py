"""The server's role without Samba's library, as that would name it."""

from __future__ import annotations

import pytest

from samba_hooks.commands import _server_role


@pytest.mark.parametrize(
    ("role", "security", "expected"),
    [
        ("auto", "USER", "ROLE_STANDALONE"),
        ("auto", "ADS", "ROLE_DOMAIN_MEMBER"),
        ("auto", "DOMAIN", "ROLE_DOMAIN_MEMBER"),
        ("standalone server", "AUTO", "ROLE_STANDALONE"),
        ("member server", "ADS", "ROLE_DOMAIN_MEMBER"),
        ("active directory domain controller", "AUTO", "ROLE_ACTIVE_DIRECTORY_DC"),
    ],
)
def test_roles(role: str, security: str, expected: str) -> None:
    assert _server_role({"server role": role, "security": security}) == expected
