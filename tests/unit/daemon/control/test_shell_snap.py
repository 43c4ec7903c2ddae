"""Snapshots for Samba's own agent: only of shares with the module, and within the limits."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, Iterator, Optional

import pytest

from fsrvpd.daemon.control import shell_snap
from fsrvpd.daemon.control.shell_snap import ShellSnapHandlers, ShellSnapService
from fsrvpd.daemon.log.levels import REFUSED
from fsrvpd.errors import FsrvpdError, StorageError
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.model import NO_SET
from fsrvpd.protocol.ports import FoundSnapshot, Share, ShareLocation, Snapshot, SnapshotRequest
from tests.unit.daemon.control.examples import RecordedRequest
from tests.unit.daemon.fake_loop import FakeLoop

SHARES = {
    "data": Share("data", "/vol/my data", False, vfs_objects=("shell_snap",)),
    "other": Share("other", "/vol/other", False, vfs_objects=("shell_snap",)),
    "plain": Share("plain", "/vol/plain", False),
}


class Provider:
    """A provider that keeps its snapshots in a list."""

    name = "btrfs"

    def __init__(self) -> None:
        self.found: list[FoundSnapshot] = []

    def recheck(self, path: str, ignored: object = ()) -> None:
        """Nothing was made or mounted inside the share."""

    def plan(self, request: SnapshotRequest) -> Snapshot:
        root = f"/vol/.fsrvpd/{request.shadow_copy_id}"
        path = f"{root}/{request.location.share.name}"
        return Snapshot("btrfs", "btrfs:1", root, path, request.created)

    def prepare(self, request: SnapshotRequest) -> None:
        assert request.keep
        assert request.shadow_copy_set_id == NO_SET

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        share = request.location.share.name
        self.found.append(
            FoundSnapshot(planned, NO_SET, request.shadow_copy_id, share, request.server, True)
        )

    def find(self, roots: Any) -> list[FoundSnapshot]:
        return self.found

    def delete(self, snapshot: Snapshot) -> None:
        self.found = [each for each in self.found if each.snapshot != snapshot]


class Server:
    def __init__(self) -> None:
        self.provider = Provider()
        self.max_sets = 2
        self.full: Optional[str] = None
        self.busy: Optional[str] = None
        registry: Any = SimpleNamespace(shares=lambda: [*SHARES.values()])
        locator: Any = SimpleNamespace(locate=self._locate, storage_of=lambda share: share.path)
        selection: Any = SimpleNamespace(provider=lambda name: self.provider)
        runner: Any = SimpleNamespace(
            require_free_space=self._require_free_space, delete=self.provider.delete
        )
        exports: Any = SimpleNamespace(make=self._mount)
        self.mounted: list[str] = []
        self.service = ShellSnapService(
            registry, locator, selection, runner, exports, self._settings, time.time
        )

    def _mount(self, export: Export) -> None:
        if self.busy:
            raise StorageError(export.mount_point, self.busy)
        self.mounted.append(export.mount_point)

    def _locate(self, share: Share) -> ShareLocation:
        return ShareLocation(share, "btrfs:1", "/vol", "btrfs", share.path)

    def _settings(self) -> Any:
        return SimpleNamespace(owner_machine_name="NAS", max_sets=self.max_sets)

    def _require_free_space(self, root: str) -> None:
        if self.full:
            raise StorageError(root, self.full)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.mark.parametrize("words", [["/vol/my", "data"], ["/vol/my data"]])
def test_a_path_arrives_split_or_whole(server: Server, words: list[str]) -> None:
    assert server.service.check(words) == "/vol/my data"


@pytest.mark.parametrize("words", [["/vol/plain"], ["/vol"], []])
def test_only_shares_with_the_module_have_snapshots(server: Server, words: list[str]) -> None:
    for method in (server.service.check, server.service.create):
        with pytest.raises(FsrvpdError, match="is not the path of a share with vfs objects"):
            method(words)


def test_two_paths_that_a_shell_splits_alike_are_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = Share("twin", "/vol/my  data", False, vfs_objects=("shell_snap",))
    monkeypatch.setitem(SHARES, "twin", twin)
    with pytest.raises(FsrvpdError, match="more than one path matches"):
        server.service.check(["/vol/my", "data"])
    assert server.service.check(["/vol/my  data"]) == "/vol/my  data"


def test_a_snapshot_is_created_and_deleted(server: Server) -> None:
    path = server.service.create(["/vol/my", "data"])
    assert server.mounted == [path]
    with pytest.raises(FsrvpdError, match="a snapshot of it that was created here"):
        server.service.delete(["/vol/other", "/vol/other"])
    assert server.service.delete(["/vol/my", "data", path]) == path
    assert server.provider.found == []


def test_limits(server: Server) -> None:
    server.service.create(["/vol/other"])
    server.full = "too little space"
    with pytest.raises(StorageError, match="too little space"):
        server.service.create(["/vol/other"])
    server.full = None
    server.service.create(["/vol/other"])
    with pytest.raises(FsrvpdError, match=r"has 2 snapshots .* fsrvpd:max sets"):
        server.service.create(["/vol/other"])


def test_a_snapshot_is_fresh_for_an_hour(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.service.create(["/vol/other"])
    assert server.service.fresh() == {server.provider.found[0].shadow_copy_id}
    now = time.monotonic()
    monkeypatch.setattr(shell_snap.time, "monotonic", lambda: now + shell_snap.FRESH + 1)
    assert server.service.fresh() == frozenset()


def test_a_snapshot_that_cannot_be_mounted_is_deleted(server: Server) -> None:
    server.busy = "no mount"
    with pytest.raises(StorageError, match="no mount"):
        server.service.create(["/vol/other"])
    assert server.provider.found == []


@pytest.fixture
def handlers(server: Server) -> Iterator[tuple[ShellSnapHandlers, FakeLoop]]:
    loop = FakeLoop()
    made = ShellSnapHandlers(loop, server.service)
    yield made, loop
    made.close()
    loop.close()


def answered(made: tuple[ShellSnapHandlers, FakeLoop], message: str, *words: str) -> Any:
    handlers, loop = made
    request: Any = RecordedRequest()
    handlers.by_name()[message](words, request)
    for _ in range(200):
        if request.is_answered:
            return request
        loop.run_once(0.05)
    raise AssertionError("never answered")


def test_handlers_answer_in_the_loop(
    handlers: tuple[ShellSnapHandlers, FakeLoop], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(REFUSED)
    assert answered(handlers, "check", "/vol/other").result == {"path": "/vol/other"}
    assert "is not the path" in answered(handlers, "create", "/vol/plain").error
    assert "event=shell-snap-refused message=create uid=1000" in caplog.text


def test_an_unexpected_failure_is_answered_and_logged(
    handlers: tuple[ShellSnapHandlers, FakeLoop],
    server: Server,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server.provider, "plan", lambda request: 1 // 0)
    request = answered(handlers, "create", "/vol/other")
    assert request.error.startswith("ZeroDivisionError")
    assert "please report this" in caplog.text
