"""`.fsrvpd` on any file system; on those of providers it is proved in
tests/contract/providers/test_snapshot_directory.py."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Snapshot
from fsrvpd.providers.catalog.marker import SnapshotMarker
from fsrvpd.providers.catalog.snapshot_directory import (
    SnapshotDirectory,
    ensure,
    find,
    find_marker,
    volume_root_of,
    with_marker,
)
from fsrvpd.providers.catalog.volume import open_directory

ID = "{8A2E1C5B-0000-4000-8000-00000000ABCD}"
OTHER = "{0B5C1D2E-0000-4C39-9D1C-3B1E0A6A5D11}"
TIMESTAMP = "2026.11.18-11.06.40"
MARKER = SnapshotMarker(
    *("reflink", OTHER, ID, "data", "NAS", 1.5, "a/b", False, "", "", TIMESTAMP)
)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    with open_directory(str(tmp_path)) as fd:
        yield fd


@pytest.fixture
def directory(root: int, tmp_path: Path) -> Iterator[SnapshotDirectory]:
    with ensure(root, str(tmp_path)) as made:
        yield made


def planned(directory: SnapshotDirectory, marker: SnapshotMarker = MARKER) -> Snapshot:
    root = os.path.join(directory.path, str(marker.name))
    return Snapshot("reflink", "volume", root, root, 1.5)


def test_a_volume_has_none_before_it_is_needed(root: int, tmp_path: Path) -> None:
    assert find(root, str(tmp_path)) is None
    ensure(root, str(tmp_path)).close()
    found = find(root, str(tmp_path))
    assert found is not None
    assert found.path == str(tmp_path / ".fsrvpd")
    found.close()


def test_it_is_closed_to_users(root: int, tmp_path: Path) -> None:
    ensure(root, str(tmp_path)).close()
    assert (tmp_path / ".fsrvpd").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".fsrvpd/.marks").stat().st_mode & 0o777 == 0o700


def test_a_marker_is_found_again(directory: SnapshotDirectory) -> None:
    assert not directory.has_timestamp(TIMESTAMP)
    with with_marker(directory, MARKER, planned(directory)):
        assert directory.marker(TIMESTAMP) == MARKER
    assert directory.has_timestamp(TIMESTAMP)
    assert directory.markers() == [MARKER]
    directory.remove_marker(TIMESTAMP)
    directory.remove_marker(TIMESTAMP)
    assert directory.markers() == []


def test_markers_are_listed_oldest_first(directory: SnapshotDirectory) -> None:
    earlier = MARKER._replace(timestamp="2025.11.18-11.06.40")
    for marker in (MARKER, earlier):
        directory.put_marker(marker)
    assert directory.markers() == [earlier, MARKER]


def test_a_failure_takes_the_marker_away_after_the_snapshot(directory: SnapshotDirectory) -> None:
    seen = []

    def undo() -> None:
        seen.append(directory.marker(TIMESTAMP))

    recorded = with_marker(directory, MARKER, planned(directory), undo)
    with pytest.raises(StorageError, match="cannot take the snapshot: No space left"), recorded:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert seen == [MARKER]
    assert directory.markers() == []


def test_a_marker_stays_with_what_could_not_be_undone(directory: SnapshotDirectory) -> None:
    def undo() -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    recorded = with_marker(directory, MARKER, planned(directory), undo)
    with pytest.raises(OSError, match="Input/output error"), recorded:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert directory.markers() == [MARKER]


def test_a_timestamp_is_used_once(directory: SnapshotDirectory) -> None:
    directory.put_marker(MARKER)
    with pytest.raises(StorageError) as caught:
        directory.put_marker(MARKER._replace(shadow_copy_id=OTHER))
    assert caught.value.error_number == errno.EEXIST


def test_a_snapshot_without_its_marker_is_not_ours(directory: SnapshotDirectory) -> None:
    name = MARKER.name
    assert find_marker(directory, name, "reflink", str(name)) is None
    os.mkdir(str(name), dir_fd=directory.fd)
    with pytest.raises(NotOurs, match="does not carry the marker"):
        find_marker(directory, name, "reflink", str(name))
    directory.put_marker(MARKER)
    assert find_marker(directory, name, "reflink", str(name)) == MARKER
    with pytest.raises(NotOurs):
        find_marker(directory, name, "btrfs", str(name))


def test_the_volume_of_a_snapshot_is_above_its_directory() -> None:
    name = str(MARKER.name)
    for root, depth, volume in [
        (f"/srv/.fsrvpd/{name}", 1, "/srv"),
        (f"/.fsrvpd/{name}", 1, "/"),
        (f"/srv/.fsrvpd/4f1c/{name}", 2, "/srv"),
    ]:
        assert volume_root_of(Snapshot("p", "v", root, root, 1.5), depth) == volume


@pytest.mark.parametrize("root", ["/srv/x", "/srv/.fsrvpd/4f1c/x", "/x", ".fsrvpd/x"])
def test_a_snapshot_elsewhere_is_not_ours(root: str) -> None:
    with pytest.raises(NotOurs, match=r"is not in the \.fsrvpd of a volume"):
        volume_root_of(Snapshot("p", "v", root, root, 1.5), depth=1)
