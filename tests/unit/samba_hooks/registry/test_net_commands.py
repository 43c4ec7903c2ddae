"""The server's role without Samba's library, as that would name it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from samba_hooks.registry import net_commands
from samba_hooks.registry.net_commands import CommandRegistry, _server_role


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


@pytest.mark.parametrize(
    ("given", "expected"), [("/x.conf", "/x.conf"), (None, "/etc/samba/smb.conf")]
)
def test_the_configuration_names_its_file(
    given: Any, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages begin with it."""
    tools = SimpleNamespace(
        config_file=given,
        default_config_file=lambda: "/etc/samba/smb.conf",
        version=lambda: "4.22",
    )
    parameters = {"server role": "standalone server", "security": "USER"}
    monkeypatch.setattr(net_commands, "SambaTools", lambda *_: tools)
    monkeypatch.setattr(
        net_commands, "PrintedShares", lambda _: SimpleNamespace(defaults=parameters)
    )
    monkeypatch.setattr(net_commands, "configuration", lambda _, **named: named)
    found: Any = CommandRegistry(given).configuration()
    assert found["config_file"] == expected
