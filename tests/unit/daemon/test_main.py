"""The command fsrvpd, where it needs no Samba."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fsrvpd.daemon import main
from fsrvpd.errors import StoreError


class Registry:
    """The registry of a Samba without any configuration."""

    def tools(self) -> None:
        return None

    def close(self) -> None:
        return None


@pytest.mark.parametrize("place", ["serve", "daemonize"])
def test_why_it_cannot_start_in_the_background_is_logged(
    place: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Its standard error is not shown, so the log must say what to do with an old state file, and
    why smb.conf cannot be read any more."""

    def refuse(*_: object) -> None:
        raise StoreError("the state file holds sets of format 2")

    def change_smb_conf() -> None:
        if place == "daemonize":
            monkeypatch.setattr(main, "read_globals", refuse)

    samba = SimpleNamespace(log_level="0", log_file="/var/log/samba/log.%m")
    configuration = SimpleNamespace(samba=samba)
    set_up: list[object] = []
    monkeypatch.setattr(main, "read_globals", lambda registry: configuration)
    monkeypatch.setattr(main, "daemonize", change_smb_conf)
    monkeypatch.setattr(main.levels, "set_up", lambda level, path: set_up.append(path))
    monkeypatch.setattr(main, "serve", refuse)
    components: Any = SimpleNamespace(registry=lambda arguments: Registry())
    assert main.main([], components) == 1
    assert set_up == ["/var/log/samba/log.fsrvpd"]
    assert "cannot start: the state file holds sets of format 2" in caplog.text
