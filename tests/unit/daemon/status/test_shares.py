"""Shares and their volumes, asked without waiting for storage that hangs."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Iterator, Optional

import pytest

from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.status import shares as module
from fsrvpd.daemon.status.shares import Overview, ShareStates
from fsrvpd.errors import PeerError, RegistryError
from fsrvpd.protocol.ports import Share, ShareLocation
from tests.unit.daemon.control.examples import SNAPSHOT


def share(name: str, **options: Any) -> Share:
    return Share(name, f"/srv/{name}", False, **options)


class World:
    """Registry, volumes and selection; the storage of `hanging` hangs."""

    def __init__(self, root: str) -> None:
        self.loop = EventLoop()
        self.root = root
        self.names = [
            share("data"),
            share("bad", mistake="x", available=False),
            share("homes"),
            share("gone", available=False),
        ]
        self.failure: Optional[Exception] = None
        self.released = threading.Event()
        kept = SimpleNamespace(snapshot=SNAPSHOT, keep=True)
        other = SimpleNamespace(snapshot=SNAPSHOT._replace(root="/other"), keep=False)
        self.find = lambda roots: [kept, other]
        world: Any = self
        self.globals = SimpleNamespace(samba=SimpleNamespace(registry_shares=True), faults=())
        self.states = ShareStates(self.loop, lambda: world.globals, world, world, world)

    def shares(self) -> list[Share]:
        if self.failure:
            raise self.failure
        return self.names

    def provider(self, name: str) -> Any:
        return self

    def storage_of(self, share: Share) -> str:
        return share.name

    def locate(self, share: Share) -> ShareLocation:
        if share.name == "hanging":
            self.released.wait(20)
        if share.name == "bad":
            raise PeerError(1, "share bad: btrfs: it is on ext4")
        return ShareLocation(share, "v", self.root, "btrfs", share.path)

    def overview(self) -> Overview:
        found: list[Overview] = []
        self.states.find(found.append)
        self.until(lambda: bool(found))
        return found[0]

    def until(self, condition: Callable[[], bool]) -> None:
        limit = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < limit
            self.loop.run_once(0.05)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(str(tmp_path))
    yield made
    made.released.set()
    made.states.close()
    made.loop.close()


def states(overview: Overview) -> dict[str, str]:
    return {each.share: each.state for each in overview.shares}


def test_what_is_ready_and_what_is_not(world: World) -> None:
    overview = world.overview()
    expected = {"data": "ready", "bad": "not-ready", "homes": "off", "gone": "off"}
    assert states(overview) == expected
    assert [each.reason for each in overview.shares if each.share == "bad"] == [
        "btrfs: it is on ext4"
    ]
    [volume] = overview.volumes
    assert (volume.volume, volume.snapshots, volume.kept) == (world.root, 2, 1)
    assert volume.oldest_kept == SNAPSHOT.created
    assert 0 < volume.free <= volume.size


def test_nobody_waits_for_storage_that_hangs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.names.append(share("hanging"))
    began = time.monotonic()
    assert states(world.overview())["hanging"] == "pending"
    assert time.monotonic() - began < 5
    monkeypatch.setattr(module, "SILENCE", 0.0)
    assert states(world.overview())["hanging"] == "silent"
    world.released.set()
    world.until(lambda: states(world.overview())["hanging"] == "ready")


def test_a_registry_that_fails_is_said(world: World) -> None:
    world.failure = RegistryError("locked")
    assert world.overview() == Overview([], [], "locked")
    world.failure = ZeroDivisionError("x")
    assert world.overview().failure == "ZeroDivisionError: x"
    world.failure = None
    assert world.overview().failure == ""


def test_what_smb_conf_says_for_all_shares(world: World) -> None:
    found = world.overview()
    assert (found.registry_shares, found.faults) == (True, ())
    world.globals.samba.registry_shares = False
    world.globals.faults = ("x",)
    found = world.overview()
    assert (found.registry_shares, found.faults) == (False, ("x",))
