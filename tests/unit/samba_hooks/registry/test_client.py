"""The daemon's client of the registry worker: caching, retries and timeouts."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from fsrvpd.errors import RegistryError
from samba_hooks.registry import client as module
from samba_hooks.registry.client import LibraryMissing, RegistryClient
from samba_hooks.registry.config_version import ConfigVersion, stamp
from samba_hooks.worker import process, wire

TDB = b"TDB file\n".ljust(48, b"\0")
Answer = Callable[[wire.Message], Optional[wire.Message]]  # None: the worker dies


class Process:
    """As much of a Popen as the client uses."""

    killed = False

    def kill(self) -> None:
        self.killed = True

    def wait(self, timeout: float = 0) -> None:
        pass


class Workers:
    """Starts threads in place of worker processes."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[str] = []
        self.processes: list[Process] = []

    def start(self) -> Any:
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._serve, args=[theirs], daemon=True).start()
        self.processes.append(Process())
        return process.Child(self.processes[-1], ours)  # type: ignore[arg-type]

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while True:
                try:
                    request = wire.receive(connection)
                except wire.Closed:
                    return
                self.requests.append(request["request"])
                answer = self.answer(request)
                if answer is None:
                    return
                wire.send(connection, {"log": [], **answer})


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    path = tmp_path / "registry.tdb"
    path.write_bytes(TDB + b"\0\0\0\x07")
    return path


@pytest.fixture
def version(registry: Path) -> ConfigVersion:
    sequence = module.ConfigChangeDetector().sequence(str(registry))
    return ConfigVersion((stamp(str(registry)),), str(registry), sequence)


@pytest.fixture
def workers(version: ConfigVersion) -> Workers:
    share = {"name": "data", "path": "/srv", "from_registry": False, "vfs_objects": ["acl_xattr"]}
    return Workers(lambda _: {"result": {"shares": [share], "version": version.to_json()}})


@pytest.fixture
def client(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistryClient]:
    monkeypatch.setattr(process.WorkerProcess, "_start", lambda self: workers.start())
    client = RegistryClient(timeout=5)
    yield client
    client.close()


def test_a_share_is_asked_for_once(client: RegistryClient, workers: Workers) -> None:
    assert client.known("data") is None
    share = client.share("data")
    assert share is not None
    assert (share.path, share.vfs_objects) == ("/srv", ("acl_xattr",))
    assert client.share("DATA") is share
    assert client.known("Data") is share
    assert workers.requests == ["shares"]


def test_it_is_asked_for_again_after_a_change(
    client: RegistryClient, workers: Workers, registry: Path
) -> None:
    client.share("data")
    registry.write_bytes(TDB + b"\0\0\0\x08")
    assert client.known("data") is None
    client.share("data")
    assert workers.requests == ["shares", "shares"]


def test_our_own_change_keeps_other_shares(
    client: RegistryClient, workers: Workers, version: ConfigVersion, registry: Path
) -> None:
    share = client.share("data")
    registry.write_bytes(TDB + b"\0\0\0\x08")
    after = ConfigVersion(
        (stamp(str(registry)),),
        str(registry),
        module.ConfigChangeDetector().sequence(str(registry)),
    )
    workers.answer = lambda _: {"result": {"before": version.to_json(), "after": after.to_json()}}
    client.unexpose(["data@{1}"])
    assert client.known("data") is share
    client.seal(["Data"])
    assert client.known("data") is None


def test_all_shares_are_asked_for_in_batches_once(
    client: RegistryClient,
    workers: Workers,
    version: ConfigVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_BATCH", 3)
    names = ["a", "b", "off", "bad", "gone", "c"]
    asked: list[str] = []

    def answer(request: wire.Message) -> wire.Message:
        if request["request"] == "share_names":
            return {"result": names}
        asked.extend(request["arguments"]["names"])
        shares = [fields(name) for name in request["arguments"]["names"]]
        return {"result": {"shares": shares, "version": version.to_json()}}

    def fields(name: str) -> Any:
        share = {"name": name, "path": "/srv", "from_registry": False, "vfs_objects": []}
        others = {"bad": {"error": "it cannot be read"}, "gone": None}
        return others.get(name, {**share, "available": name != "off"})

    workers.answer = answer
    found = client.shares()
    assert [share.name for share in found] == ["a", "b", "bad", "c"]
    assert [share.mistake for share in found if share.mistake] == [
        "it cannot be read; look at it with `net conf showshare bad`"
    ]
    assert workers.requests == ["share_names", "shares", "shares"]
    assert [share.name for share in client.shares()] == ["a", "b", "bad", "c"]
    assert asked == [*names, "bad", "gone"]
    with pytest.raises(RegistryError, match="it cannot be read"):
        client.share("bad")


def test_a_request_is_repeated_once_with_a_new_worker(
    client: RegistryClient, workers: Workers
) -> None:
    workers.answer = (
        lambda _: None if len(workers.requests) < 2 else {"result": {"data@{1}": "{1}"}}
    )
    assert client.shadow_shares() == {"data@{1}": "{1}"}
    assert len(workers.processes) == 2
    assert workers.processes[0].killed


def test_a_worker_that_dies_twice(client: RegistryClient, workers: Workers) -> None:
    workers.answer = lambda _: None
    with pytest.raises(RegistryError, match="shadow_shares failed: the registry worker died twice"):
        client.shadow_shares()
    assert workers.requests == ["shadow_shares"] * 2


def test_a_worker_that_hangs_is_killed_and_not_asked_again(
    client: RegistryClient, workers: Workers
) -> None:
    end = threading.Event()

    def hang(request: wire.Message) -> None:
        end.wait(30)

    workers.answer = hang
    client._worker.timeout = 0.1
    with pytest.raises(RegistryError, match=r"worker timed out after 0.1 s"):
        client.shadow_shares()
    end.set()
    assert workers.processes[0].killed
    assert workers.requests == ["shadow_shares"]


def test_an_error_and_what_samba_logged(
    client: RegistryClient, workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    log = [{"level": 0, "text": "tdb is damaged"}, {"level": 1, "text": "hm"}]
    workers.answer = lambda _: {"error": "no such thing", "log": log}
    with pytest.raises(RegistryError, match="no such thing"):
        client.shadow_shares()
    found = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert ("ERROR", "samba: tdb is damaged") in found
    assert ("WARNING", "samba: hm") in found


def test_a_missing_library_has_its_own_error(client: RegistryClient, workers: Workers) -> None:
    workers.answer = lambda _: {"error": "libsmbconf cannot be loaded", "no library": True}
    with pytest.raises(LibraryMissing, match="cannot be loaded"):
        client.configuration()
