"""`fsrvpctl check-config`: what a reload would report."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from fsrvpd.config.load import Configuration
from fsrvpd.ctl import check_config
from fsrvpd.errors import ConfigError

REFUSED = "share fin can have no shadow copies: a printer\n"
WARNING = "fsrvpd:dialekt: there is no such option"


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings of the configuration that is read."""
    found: list[str] = []
    registry = SimpleNamespace(close=lambda: None)

    def read(registry: Any) -> Any:
        samba: Any = SimpleNamespace(config_file="/smb.conf")
        settings: Any = None
        return Configuration(samba, settings, tuple(found), {"fin": "a printer"})

    monkeypatch.setattr(check_config, "open_registry", lambda arguments, to_read: registry)
    monkeypatch.setattr(check_config, "read_configuration", read)
    return found


def run(*, as_json: bool) -> int:
    arguments: Any = SimpleNamespace(json=as_json)
    return check_config.check_config(arguments)


def test_warnings_are_printed_and_fail(
    warnings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(as_json=False) == 0
    assert capsys.readouterr().out == f"/smb.conf: fsrvpd's options are valid\n{REFUSED}"
    warnings.append(WARNING)
    assert run(as_json=False) == 1
    assert capsys.readouterr().out == f"smb.conf: {WARNING}\n{REFUSED}"


def test_nothing_is_valid_above_an_invalid_option(
    warnings: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(registry: Any) -> Any:
        samba: Any = SimpleNamespace(config_file="/smb.conf")
        settings: Any = None
        return Configuration(samba, settings, (), {}, {"data": "fsrvp:depth = x: want a number"})

    monkeypatch.setattr(check_config, "read_configuration", read)
    assert run(as_json=False) == 1
    why = "share data can have no shadow copies: fsrvp:depth = x: want a number\n"
    assert capsys.readouterr().out == why


def test_json(warnings: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    warnings.append(WARNING)
    assert run(as_json=True) == 1
    assert json.loads(capsys.readouterr().out) == {
        "file": "/smb.conf",
        "warnings": [WARNING],
        "refused": {"fin": "a printer"},
        "faults": [],
        "mistakes": {},
    }


def test_an_error_is_the_one_of_a_reload(
    warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(registry: Any) -> Any:
        raise ConfigError("fsrvpd:dialect = old: no such dialect")

    monkeypatch.setattr(check_config, "read_configuration", refuse)
    with pytest.raises(ConfigError, match="no such dialect"):
        run(as_json=False)
