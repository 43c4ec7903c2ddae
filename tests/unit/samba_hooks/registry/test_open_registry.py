"""The library is used if it can be loaded, otherwise Samba's tools."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from fsrvpd.errors import RegistryError
from samba_hooks.registry.client import LibraryMissing, RegistryClient
from samba_hooks.registry.net_commands import CommandRegistry
from samba_hooks.registry.open_registry import open_registry


def with_configuration(monkeypatch: pytest.MonkeyPatch, error: Any) -> list[RegistryClient]:
    """Clients whose configuration is or raises `error`; returns those that were closed."""
    closed: list[RegistryClient] = []

    def configuration(self: RegistryClient) -> Any:
        if error:
            raise error
        return None

    monkeypatch.setattr(RegistryClient, "configuration", configuration)
    monkeypatch.setattr(RegistryClient, "close", lambda self: closed.append(self))
    return closed


def test_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = with_configuration(monkeypatch, None)
    assert isinstance(open_registry("/smb.conf"), RegistryClient)
    assert closed == []


def test_samba_without_the_library(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    closed = with_configuration(monkeypatch, LibraryMissing("libsmbconf.so.0 cannot be loaded"))
    found = open_registry("/smb.conf", [("log level", "3")])
    assert isinstance(found, CommandRegistry)
    assert found.tools().config_file == "/smb.conf"
    assert len(closed) == 1
    assert "libsmbconf.so.0 cannot be loaded" in caplog.text


def test_a_configuration_that_samba_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = with_configuration(monkeypatch, RegistryError("smb.conf: Samba cannot read it"))
    with pytest.raises(RegistryError, match="cannot read it"):
        open_registry("/smb.conf")
    assert len(closed) == 1
