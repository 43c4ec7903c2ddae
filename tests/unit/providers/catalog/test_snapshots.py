from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import List

import pytest

from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Share, ShareLocation, Snapshot, SnapshotRequest
from fsrvpd.providers.catalog import snapshot_directory
from fsrvpd.providers.catalog.marker import SnapshotMarker, marker_for, name_of
from fsrvpd.providers.catalog.snapshot_directory import with_marker
from fsrvpd.providers.catalog.snapshots import SnapshotCatalog, plan_snapshot
from fsrvpd.providers.catalog.timestamps import UniqueTimestamps
from fsrvpd.providers.catalog.volume import open_directory

IDS = [f"{{8A2E1C5B-0000-4000-8000-00000000000{number}}}" for number in range(10)]
MOMENT = 1795000000.25
FIRST, SECOND, THIRD = (f"2026.11.18-11.06.4{number}" for number in range(3))


def snapshot_of(volume_root: str, volume_name: str, marker: SnapshotMarker) -> Snapshot:
    root = os.path.join(volume_root, ".fsrvpd", str(marker.name))
    return Snapshot("test", volume_name, root, root, marker.created)


@pytest.fixture
def catalog() -> SnapshotCatalog:
    return SnapshotCatalog("test", lambda root: "volume", snapshot_of)


def request(root: Path, number: int = 0, provider: str = "test") -> SnapshotRequest:
    share = Share("data", str(root / "share"), False)
    location = ShareLocation(share, "volume", str(root), provider, str(root / "share"))
    return SnapshotRequest(IDS[9], IDS[number], location, False, MOMENT)


def take(root: Path, asked: SnapshotRequest, planned: Snapshot) -> Snapshot:
    marker = marker_for(asked, name_of(planned).timestamp)
    with open_directory(str(root)) as fd:
        directory = snapshot_directory.ensure(fd, str(root))
    with directory, with_marker(directory, marker, planned):
        os.mkdir(planned.root)
    return planned


def planned_timestamps(root: Path, taken: List[str]) -> List[str]:
    timestamps = UniqueTimestamps()
    markers = [plan_snapshot(request(root), timestamps, taken.__contains__) for _ in range(2)]
    return [marker.timestamp for marker in markers]


def test_a_plan_has_the_first_timestamp_that_is_free(tmp_path: Path) -> None:
    assert planned_timestamps(tmp_path, []) == [FIRST, SECOND]
    assert planned_timestamps(tmp_path, [FIRST])[0] == SECOND


def test_a_plan_keeps_the_moment_of_the_request(tmp_path: Path) -> None:
    marker = plan_snapshot(request(tmp_path), UniqueTimestamps(), {FIRST}.__contains__, source="s")
    assert (marker.created, marker.timestamp, marker.source) == (MOMENT, SECOND, "s")


def test_a_marker_that_is_too_long_is_refused_when_planned(tmp_path: Path) -> None:
    long = request(tmp_path)
    directory = os.path.join(str(tmp_path), *["d" * 200] * 30)
    long = long._replace(location=long.location._replace(directory=directory))
    with pytest.raises(StorageError, match="too long to be recorded"):
        plan_snapshot(long, UniqueTimestamps(), lambda timestamp: False)


def test_planning_writes_nothing(catalog: SnapshotCatalog, tmp_path: Path) -> None:
    catalog.plan(request(tmp_path))
    assert os.listdir(tmp_path) == []


def test_planning_skips_what_is_on_the_disk(catalog: SnapshotCatalog, tmp_path: Path) -> None:
    asked = request(tmp_path)
    take(tmp_path, asked, catalog.plan(asked))
    after_restart = SnapshotCatalog("test", lambda root: "volume", snapshot_of)
    assert after_restart.plan(request(tmp_path, 1)).root.endswith(SECOND)


def test_what_was_planned_ahead_is_planned_without_the_disk(
    catalog: SnapshotCatalog, tmp_path: Path
) -> None:
    asked = request(tmp_path)
    first = take(tmp_path, asked, catalog.plan(asked))
    ahead = request(tmp_path, 1)
    where = str(tmp_path)
    with open_directory(where) as root, snapshot_directory.ensure(root, where) as directory:
        catalog.plan_ahead(ahead, directory)
    absent = ahead._replace(location=ahead.location._replace(volume_root="/absent"))
    planned = catalog.plan(absent)
    assert planned.root.endswith(SECOND)
    assert planned.root != first.root
    assert catalog.plan(ahead).root.endswith(THIRD), "it was planned ahead once"


def test_snapshots_are_found_by_their_markers(catalog: SnapshotCatalog, tmp_path: Path) -> None:
    asked = [request(tmp_path, number) for number in range(2)]
    made = [take(tmp_path, each, catalog.plan(each)) for each in asked]
    found = catalog.find([str(tmp_path), str(tmp_path / "absent")])
    assert [each.snapshot for each in found] == made
    assert [each.shadow_copy_id for each in found] == IDS[:2]


def test_snapshots_of_another_provider_are_not_found(
    catalog: SnapshotCatalog, tmp_path: Path
) -> None:
    asked = request(tmp_path, provider="other")
    take(tmp_path, asked, catalog.plan(asked))
    assert catalog.find([str(tmp_path)]) == []


def test_an_existing_snapshot_is_opened(catalog: SnapshotCatalog, tmp_path: Path) -> None:
    asked = request(tmp_path)
    made = take(tmp_path, asked, catalog.plan(asked))
    with catalog.open(made, str(tmp_path)) as entry:
        assert entry is not None
        assert entry.marker.shadow_copy_id == IDS[0]


def test_a_snapshot_that_is_gone_is_none(catalog: SnapshotCatalog, tmp_path: Path) -> None:
    planned = catalog.plan(request(tmp_path))
    with catalog.open(planned, str(tmp_path)) as entry:
        assert entry is None
    take(tmp_path, request(tmp_path, 1), catalog.plan(request(tmp_path, 1)))
    with catalog.open(planned, str(tmp_path)) as entry:
        assert entry is None


def test_a_snapshot_is_only_where_its_marker_says(catalog: SnapshotCatalog, tmp_path: Path) -> None:
    asked = request(tmp_path)
    made = take(tmp_path, asked, catalog.plan(asked))
    elsewhere = tmp_path / "elsewhere" / os.path.basename(made.root)
    elsewhere.mkdir(parents=True)
    opened = catalog.open(made._replace(root=str(elsewhere)), str(tmp_path))
    with pytest.raises(NotOurs, match=f"the snapshot of this name is {made.root}"), opened:
        pytest.fail("it must not get here")


def test_nothing_is_opened_on_another_volume(tmp_path: Path) -> None:
    wrong = SnapshotCatalog("test", lambda root: "another", snapshot_of)
    planned = snapshot_of(str(tmp_path), "volume", marker_for(request(tmp_path), FIRST))
    opened = wrong.open(planned, str(tmp_path))
    with pytest.raises(StorageError, match="expected volume volume here, found another"), opened:
        pytest.fail("it must not get here")


def test_a_volume_that_is_out_of_reach_is_not_one_without_snapshots(
    catalog: SnapshotCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shut_down(path: str, **unused: object) -> os.stat_result:
        raise OSError(errno.ESHUTDOWN, os.strerror(errno.ESHUTDOWN), path)

    monkeypatch.setattr(os, "stat", shut_down)
    with pytest.raises(StorageError, match="mount it anew") as caught:
        catalog.find(["/volume"])
    assert caught.value.out_of_reach
