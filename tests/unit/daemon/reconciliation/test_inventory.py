"""What exists on volumes and in the registry, and what could not be read."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, Iterator, NoReturn, Optional

import pytest

from fsrvpd.daemon.reconciliation import inventory
from fsrvpd.daemon.reconciliation.inventory import NO_ANSWER, InventoryScanner, Volume
from fsrvpd.errors import FsrvpdError, StorageError
from fsrvpd.protocol.model import NO_SET
from fsrvpd.protocol.ports import FoundSnapshot, Share, ShareLocation, Snapshot


class Host:
    """Volumes by root, each with a name and snapshots, and shares of Samba."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.volumes: dict[str, str] = {}
        self.found: dict[str, list[FoundSnapshot]] = {}
        self.shares: dict[str, Share] = {}
        self.shadow_shares: dict[str, str] = {}
        self.mounted: list[str] = []
        self.on_one_storage = False
        self.handed_over: list[object] = []  # functions that threads have run
        self._hanging = ("/no", "", Event())
        self.failure: Optional[Exception] = None
        self.provider = provider = SimpleNamespace(
            name="btrfs", locate=self._locate, find=self._find, exists=self._exists
        )
        selection: Any = SimpleNamespace(all=lambda: [provider], provider=lambda name: provider)
        registry: Any = SimpleNamespace(
            shares=lambda: [*self.shares.values()],
            share=lambda name: self.shares.get(name),
            shadow_shares=lambda: self.shadow_shares,
        )
        locator: Any = SimpleNamespace(
            locate=self._locate_share,
            storage_of=lambda share: "all" if self.on_one_storage else share.path,
        )
        self.exports: list[str] = []
        self.shared = ""
        exports: Any = SimpleNamespace(mounted=lambda: self.exports)
        self.scanner = InventoryScanner(
            selection,
            registry,
            locator,
            lambda: self.mounted,
            self._volumes_at,
            exports,
            lambda root: root == self.shared,
        )
        threads = self.scanner._calls._threads
        submit = threads.submit
        threads.submit = lambda function: (  # type: ignore[method-assign]
            self.handed_over.append(function),
            submit(function),
        )[1]

    @contextmanager
    def hanging(self, root: str, what: str = "locate") -> Iterator[None]:
        """What is asked about a volume is answered after the block."""
        answers = Event()
        self._hanging = (root, what, answers)
        try:
            yield
        finally:
            answers.set()

    @contextmanager
    def failing(self, what: str, error: Exception) -> Iterator[None]:
        """`_locate` or `_find` of the provider fails in the block."""

        def fail(*unused: object) -> NoReturn:
            raise error

        setattr(self.provider, what[1:], fail)
        try:
            yield
        finally:
            setattr(self.provider, what[1:], getattr(self, what))

    def _wait(self, path: str, what: str) -> None:
        root, hangs, answers = self._hanging
        if path.startswith(root) and what == hangs:
            answers.wait()

    def _volumes_at(self, point: str) -> list[str]:
        self._wait(point, "locate")
        return [point]

    def volume(self, name: str, root: str) -> Volume:
        self.volumes[root] = name
        return Volume("btrfs", name, root)

    def snapshot(self, root: str, copy_id: str, set_id: str = "{S}") -> FoundSnapshot:
        path = f"{self.directory}/{copy_id}"
        snapshot = Snapshot("btrfs", self.volumes[root], path, path, 1.0)
        found = FoundSnapshot(snapshot, set_id, copy_id, "data", "NAS")
        self.found.setdefault(root, []).append(found)
        return found

    def share(self, name: str, path: str) -> None:
        self.shares[name] = Share(name, path, False)

    def _locate(self, root: str) -> tuple[str, str]:
        self._wait(root, "locate")
        if root not in self.volumes:
            raise StorageError(root, "not mounted")
        return self.volumes[root], root

    def _find(self, roots: list[str]) -> list[FoundSnapshot]:
        for root in roots:
            self._wait(root, "find")
        return [found for root in roots for found in self.found.get(root, [])]

    def _exists(self, snapshot: Snapshot) -> bool:
        if self.failure:
            raise self.failure
        return Path(snapshot.root).exists()

    def _locate_share(self, share: Share) -> ShareLocation:
        self._wait(share.path, "locate")
        root = "/" + share.path.split("/")[1]
        if root not in self.volumes:
            raise FsrvpdError(f"share {share.name} has no volume")
        return ShareLocation(share, self.volumes[root], root, "btrfs", share.path)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(inventory, "SILENCE", 0.1)
    monkeypatch.setattr(inventory, "SEARCH_SILENCE", 0.2)
    made = Host(tmp_path)
    yield made
    made.scanner.close()


def test_volumes_of_the_state_and_of_shares_are_scanned(host: Host) -> None:
    known = host.volume("btrfs:1", "/one")
    host.volume("btrfs:2", "/two")
    host.share("data", "/two/data")
    host.share("nowhere", "/three")
    expected = [host.snapshot("/one", "{A}"), host.snapshot("/two", "{B}")]
    taken = host.scanner.scan([known], [])
    assert taken.found == expected
    assert taken.scanned == {"/one", "/two"}
    assert taken.unclaimed == frozenset()


def test_whatever_is_on_one_disk_the_others_are_scanned(host: Host) -> None:
    volumes = [host.volume("btrfs:1", "/one"), host.volume("btrfs:2", "/two")]
    bad: Any = None  # not even a list: TypeError
    host.found["/one"] = bad
    expected = [host.snapshot("/two", "{B}")]
    assert host.scanner.scan(volumes, []).found == expected


@pytest.mark.parametrize(
    ("mounted", "reason"),
    [(None, "not mounted"), ("btrfs:9", "btrfs:9 is mounted there, not btrfs:1")],
)
def test_a_snapshot_of_a_volume_that_is_away_is_not_gone(
    host: Host, mounted: Optional[str], reason: str
) -> None:
    volume = Volume("btrfs", "btrfs:1", "/one")
    if mounted:
        host.volume(mounted, "/one")
    taken = host.scanner.scan([volume], [Snapshot("btrfs", "btrfs:1", "/no", "/no", 1.0)])
    assert reason in taken.unavailable[volume]
    assert taken.gone == frozenset()


def test_a_snapshot_is_gone_when_its_volume_is_there(host: Host) -> None:
    volume = host.volume("btrfs:1", "/one")
    present = Snapshot("btrfs", "btrfs:1", str(host.directory), "", 1.0)
    gone = present._replace(root="/no/such/directory")
    assert host.scanner.scan([volume], [present, gone]).gone == {gone}


@pytest.mark.parametrize("failure", [StorageError("/one", "not ours"), ValueError("a NUL")])
def test_a_snapshot_that_cannot_be_looked_for_is_not_gone(host: Host, failure: Exception) -> None:
    host.failure = failure
    gone = Snapshot("btrfs", "btrfs:1", "/no/such/directory", "", 1.0)
    assert host.scanner.scan([host.volume("btrfs:1", "/one")], [gone]).gone == frozenset()


@pytest.mark.parametrize("where", ["volume", "share", "mount"])
def test_storage_that_hangs_holds_up_no_other(host: Host, where: str) -> None:
    dead, live = host.volume("btrfs:1", "/one"), host.volume("btrfs:2", "/two")
    host.snapshot("/one", "{A}")
    expected = host.snapshot("/two", "{B}")
    gone = [Snapshot("btrfs", name, f"/no/{name}", "", 1.0) for name in ("btrfs:1", "btrfs:2")]
    if where == "share":
        host.share("data", "/one/data")
    if where == "mount":
        host.mounted = ["/one"]
    known = [dead, live] if where == "volume" else [live]
    answered = Event()
    with host.hanging("/one"):
        taken = host.scanner.scan(known, gone)
        host.scanner.when_silent_answers(answered.set)
        assert not answered.is_set()
    assert taken.found == [expected]
    assert taken.scanned == {"/two"}
    assert taken.gone == {gone[1]}
    assert [each.startswith("/one") for each in taken.silent] == [True]
    assert taken.unavailable == ({dead: NO_ANSWER} if where == "volume" else {})
    assert answered.wait(5)
    assert not host.scanner.scan(known, gone).silent


def test_a_share_that_hangs_leaves_those_behind_it(host: Host) -> None:
    """They are located by one call, since all seem to lie on one file system."""
    host.on_one_storage = True
    host.volume("btrfs:1", "/one")
    expected = host.snapshot("/one", "{A}")
    host.share("first", "/dead/data")
    host.share("second", "/one/data")
    with host.hanging("/dead"):
        taken = host.scanner.scan([], [])
    assert taken.found == [expected]
    assert taken.silent == {"/dead/data"}


def test_many_shares_are_located_by_few_calls(host: Host) -> None:
    host.on_one_storage = True
    host.volume("btrfs:1", "/one")
    for number in range(1000):
        host.share(f"s{number}", f"/one/s{number}")
    before = len(host.handed_over)
    assert host.scanner.scan([], []).scanned == {"/one"}
    assert len(host.handed_over) - before < 1000 / 10


def test_storage_that_hangs_in_the_search_holds_up_no_other(host: Host) -> None:
    volumes = [host.volume("btrfs:1", "/one"), host.volume("btrfs:2", "/two")]
    host.snapshot("/one", "{A}")
    expected = host.snapshot("/two", "{B}")
    with host.hanging("/one", "find"):
        taken = host.scanner.scan(volumes, [])
    assert taken.found == [expected]
    assert taken.unavailable == {volumes[0]: NO_ANSWER}


def test_a_volume_that_nothing_names_is_unclaimed_and_counted_once(host: Host) -> None:
    for root in ("/copy", "/again"):
        host.volume("btrfs:3", root)
        host.snapshot(root, "{C}")
    host.mounted = ["/copy", "/again"]
    taken = host.scanner.scan([], [])
    [found] = taken.found
    assert taken.unclaimed == {found}
    assert taken.scanned == frozenset()


def test_a_shadow_copy_share_without_a_snapshot_keeps_its_path(host: Host) -> None:
    host.volume("btrfs:1", "/one")
    host.share("data", "/one")
    host.snapshot("/one", "{A}")
    host.share("data@{A}", "/one/.fsrvpd/a")
    host.share("data@{B}", "/one/.fsrvpd/b")
    host.shadow_shares = {"data@{A}": "{A}", "data@{B}": "{B}"}
    taken = host.scanner.scan([], [])
    assert taken.shares == host.shadow_shares
    assert taken.paths == {"data@{B}": "/one/.fsrvpd/b"}


@pytest.mark.parametrize("number", [errno.ESHUTDOWN, errno.ENOTCONN, errno.ESTALE, errno.EIO])
@pytest.mark.parametrize("at", ["_locate", "_find"])
def test_a_volume_that_went_out_of_reach_is_not_scanned(host: Host, number: int, at: str) -> None:
    """It was there when the shares were looked up."""
    host.volume("btrfs:1", "/one")
    host.share("data", "/one/data")
    error = StorageError("/one", os.strerror(number), error_number=number)
    with host.failing(at, error):
        seen = host.scanner.scan([], [])
    assert seen.scanned == frozenset()
    assert host.scanner.scan([], []).scanned == {"/one"}


def test_a_volume_of_another_kind_is_scanned(host: Host) -> None:
    host.volume("btrfs:1", "/one")
    host.share("data", "/one/data")
    error = StorageError("/one", "no such attribute", error_number=errno.ENODATA)
    with host.failing("_locate", error):
        assert host.scanner.scan([], []).scanned == {"/one"}


def test_what_several_servers_may_use_is_told(host: Host) -> None:
    known = [host.volume("btrfs:1", "/one"), host.volume("btrfs:2", "/two")]
    shared = host.snapshot("/one", "{A}")
    host.snapshot("/two", "{B}")
    host.shared = "/one"
    seen = host.scanner.scan(known, [])
    assert seen.shared == {shared}
    assert seen.shared_roots == {"/one"}


def test_what_sambas_own_agent_has_shared(host: Host) -> None:
    host.volume("btrfs:1", "/one")
    host.share("data", "/one")
    shared = host.snapshot("/one", "{A}", NO_SET)
    host.snapshot("/one", "{B}", NO_SET)
    host.share("fss{A}", f"{shared.snapshot.root}/below/")
    assert host.scanner.scan([], []).exported == {"{A}"}
