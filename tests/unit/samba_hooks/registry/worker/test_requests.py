"""Requests by name, with plain JSON in and out."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest

from fsrvpd.errors import RegistryError
from fsrvpd.protocol.ports import ShadowShare, Share
from samba_hooks.registry.config_version import ConfigVersion, FileStamp
from samba_hooks.registry.share_definition import Defaults, Definition
from samba_hooks.registry.worker import requests
from samba_hooks.registry.worker.requests import TDB_WITHOUT_MMAP, RequestHandler

SHADOW = ShadowShare("data@{C}", "data", "/data", "/snap", "a copy", True, "{S}", "{C}")


def version(sequence: int) -> ConfigVersion:
    return ConfigVersion((FileStamp("/smb.conf", 1, 2, 3),), "/registry.tdb", sequence)


class Shares:
    """The loaded configuration: one share, [data]."""

    def __init__(self, library: Any, config_file: Optional[str]) -> None:
        self.config_file = config_file
        self.defaults = Defaults({"read only": "Yes", "clustering": "No"})
        self.version = version(7)

    def refresh(self) -> None:
        pass

    def find_all(self, names: list[str]) -> list[Any]:
        known = Definition("data", {"path": "/srv", "fsrvp:keep": "yes"}, self.defaults, False)
        found = {"data": known, "bad": RegistryError("bad cannot be read")}
        return [found.get(name) for name in names]


class Shadows:
    def __init__(self, library: Any, shares: Shares, events: Any, connected: Any) -> None:
        self._shares = shares
        self.exposed: list[ShadowShare] = []

    def expose(self, shares: list[ShadowShare]) -> None:
        self.exposed += shares
        self._shares.version = version(8)


class World:
    """Library and events."""

    def __init__(self) -> None:
        self.overridden: list[tuple[str, str]] = []
        self.joined = 0

    def override(self, name: str, value: str) -> None:
        self.overridden.append((name, value))

    def default_config_file(self) -> str:
        return "/etc/samba/smb.conf"

    def join_bus(self) -> None:
        self.joined += 1


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def handler(world: Any, monkeypatch: pytest.MonkeyPatch) -> RequestHandler:
    monkeypatch.setattr(requests, "LoadedShares", Shares)
    monkeypatch.setattr(requests, "ShadowShares", Shadows)
    monkeypatch.setattr(requests.clustering, "is_on", lambda *unused: False)
    return RequestHandler(world, world, "/smb.conf", [("log level", "3")], lambda: True)


def ask(handler: RequestHandler, request: str, **arguments: Any) -> Any:
    """Over JSON, as the daemon asks."""
    return json.loads(json.dumps(handler.run(request, json.loads(json.dumps(arguments)))))


def test_overrides_are_in_force_before_the_configuration_is_read(
    handler: RequestHandler, world: World
) -> None:
    assert world.overridden == [("log level", "3"), TDB_WITHOUT_MMAP]


@pytest.mark.parametrize("overrides", [[], [("clustering", "yes")]])
def test_a_clustered_samba_maps_its_databases(
    overrides: list[tuple[str, str]],
    handler: RequestHandler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def is_on(library: World, config_file: str) -> bool:
        asked.append((config_file, list(library.overridden)))
        return True

    monkeypatch.setattr(requests.clustering, "is_on", is_on)
    world: Any = World()
    RequestHandler(world, world, None, overrides, lambda: True)
    assert asked == [("/etc/samba/smb.conf", overrides)]
    assert world.overridden == overrides


def test_who_maps_them_anyway_does_not_ask(
    handler: RequestHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests.clustering, "is_on", None)
    world: Any = World()
    RequestHandler(world, world, None, [("use mmap", "yes")], lambda: True)
    assert world.overridden == [("use mmap", "yes")]


def test_a_new_process_is_needed_when_clustering_changes(handler: RequestHandler) -> None:
    ask(handler, "shares", names=["data"])
    handler._shares.defaults["clustering"] = "Yes"
    with pytest.raises(SystemExit, match="clustering"):
        ask(handler, "shares", names=["data"])


def test_a_share_comes_by_named_fields(handler: RequestHandler) -> None:
    found = ask(handler, "shares", names=["data", "other", "bad"])
    data, *others = found["shares"]
    assert others == [None, {"error": "bad cannot be read"}]
    share = Share(**data)
    assert (share.name, share.path, share.options) == ("data", "/srv", {"keep": "yes"})
    assert ConfigVersion.from_json(found["version"]) == version(7)


def test_shadow_shares_go_by_named_fields(handler: RequestHandler, world: World) -> None:
    assert world.joined == 0
    moved = ask(handler, "expose", shares=[SHADOW._asdict()])
    assert world.joined == 1
    assert isinstance(handler._shadows, Shadows)
    assert handler._shadows.exposed == [SHADOW]
    assert ConfigVersion.from_json(moved["before"]) == version(7)
    assert ConfigVersion.from_json(moved["after"]) == version(8)


def test_a_request_that_does_not_exist(handler: RequestHandler) -> None:
    with pytest.raises(KeyError):
        handler.run("format", {})
