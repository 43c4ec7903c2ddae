"""Plans, finds and opens the snapshots of a provider, by their markers."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from contextlib import contextmanager
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional

from fsrvpd.core.descriptors import exists
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import FoundSnapshot, Snapshot, SnapshotRequest
from fsrvpd.providers.catalog import snapshot_directory
from fsrvpd.providers.catalog.marker import SnapshotMarker, encode, marker_for, name_of
from fsrvpd.providers.catalog.snapshot_directory import SnapshotDirectory, find_marker
from fsrvpd.providers.catalog.timestamps import UniqueTimestamps, format_timestamp
from fsrvpd.providers.catalog.volume import VolumeNameOf, open_directory, open_volume
from fsrvpd.providers.os_errors import as_storage_error

PLANNED_MAX = 1000  # snapshots that are planned ahead; of sets that are never committed, too

log = logging.getLogger(__name__)

# (volume_root, volume_name, marker): where the snapshot with this marker is.
SnapshotOf = Callable[[str, str, SnapshotMarker], Snapshot]


def plan_snapshot(
    request: SnapshotRequest,
    timestamps: UniqueTimestamps,
    is_taken: Callable[[str], bool],
    *,
    source: str = "",
    scope: str = "",
) -> SnapshotMarker:
    """The marker of a requested snapshot, with a timestamp that no other has.

    `is_taken` tells whether the storage has a snapshot with a timestamp; no two of one
    `scope`, the volume unless given, share one. Raises: StorageError, also when the marker
    cannot be stored: better now than when applications wait for the snapshot.
    """
    encode(marker_for(request, "", source))
    second = timestamps.reserve(
        scope or request.location.volume_name,
        int(request.created),
        lambda second: is_taken(format_timestamp(second)),
    )
    return marker_for(request, format_timestamp(second), source)


def does_not_exist(snapshot: Snapshot) -> StorageError:
    """The error to raise when an operation needs a snapshot that is gone."""
    return StorageError(snapshot.root, "this snapshot no longer exists")


def missing(
    snapshots: Iterable[Snapshot], look: Callable[[Snapshot], Optional[object]]
) -> List[Snapshot]:
    """Those for which `look` finds nothing. One of which that cannot be said is logged."""
    gone = []
    for each in snapshots:
        try:
            if look(each) is None:
                gone.append(each)
        except StorageError as error:
            log.error("snapshot %s: %s", each.root, error)
    return gone


class CatalogEntry(NamedTuple):
    """A snapshot that exists, with the open directory that holds its marker."""

    directory: SnapshotDirectory
    marker: SnapshotMarker


class SnapshotCatalog:
    """The snapshots of one provider whose markers are in the `.fsrvpd` of their volume.

    Held by a provider; thread-safe.
    """

    def __init__(self, provider: str, name_of: VolumeNameOf, snapshot_of: SnapshotOf) -> None:
        self._provider = provider
        self._name_of = name_of
        self._snapshot_of = snapshot_of
        self._timestamps = UniqueTimestamps()
        self._planned: OrderedDict[str, Snapshot] = OrderedDict()  # ahead, by shadow copy id

    def plan_ahead(self, request: SnapshotRequest, directory: SnapshotDirectory) -> None:
        """For `prepare`: `plan` then asks no disk while applications wait. That the volume is the
        right one, and the timestamp still free, `create` finds out in any case."""
        location = request.location
        marker = plan_snapshot(request, self._timestamps, directory.has_timestamp)
        planned = self._snapshot_of(location.volume_root, location.volume_name, marker)
        self._planned[request.shadow_copy_id] = planned
        while len(self._planned) > PLANNED_MAX:
            self._planned.popitem(last=False)

    def plan(self, request: SnapshotRequest, source: str = "") -> Snapshot:
        """`Provider.plan`; `source` as in the marker. Nothing is written."""
        ahead = self._planned.pop(request.shadow_copy_id, None)
        if ahead is not None:
            return ahead
        root, name = request.location.volume_root, request.location.volume_name
        with open_volume(root, name, self._name_of) as fd:
            with as_storage_error("look for snapshots", root):
                directory = snapshot_directory.find(fd, root)
            if directory is None:
                marker = plan_snapshot(request, self._timestamps, _never, source=source)
            else:
                with directory:
                    is_taken = directory.has_timestamp
                    marker = plan_snapshot(request, self._timestamps, is_taken, source=source)
        return self._snapshot_of(root, name, marker)

    def find(self, volume_roots: Iterable[str]) -> List[FoundSnapshot]:
        """`Provider.find`. A volume that is not there has none. Raises: StorageError."""
        return [found for root in volume_roots for found in self._find_on(root)]

    @contextmanager
    def open(self, snapshot: Snapshot, volume_root: str) -> Iterator[Optional[CatalogEntry]]:
        """Open a snapshot made by fsrvpd; None if it is missing.

        Raises: StorageError when its volume is not at `volume_root`, NotOurs when what is
        there is not, or not known to be, what fsrvpd made.
        """
        name = name_of(snapshot)
        with open_volume(volume_root, snapshot.volume_name, self._name_of) as root:
            with as_storage_error("look for the snapshot", snapshot.root):
                directory = snapshot_directory.find(root, volume_root)
            if directory is None:
                yield None
                return
            with directory:
                where = os.path.relpath(snapshot.root, directory.path)
                with as_storage_error("look for the snapshot", snapshot.root):
                    marker = find_marker(directory, name, self._provider, where)
                if marker is None:
                    yield None
                    return
                marked = self._snapshot_of(volume_root, snapshot.volume_name, marker)
                if marked.root != snapshot.root:
                    raise NotOurs(snapshot.root, f"the snapshot of this name is {marked.root}")
                yield CatalogEntry(directory, marker)

    def _find_on(self, volume_root: str) -> Iterator[FoundSnapshot]:
        with as_storage_error("find snapshots", volume_root):
            if not exists(volume_root):
                return
        with open_directory(volume_root) as root, as_storage_error("find snapshots", volume_root):
            directory = snapshot_directory.find(root, volume_root)
            if directory is None:
                return
            with directory:
                markers = directory.markers()
            name = self._name_of(root)
        for marker in markers:
            if marker.provider == self._provider:
                yield marker.found(self._snapshot_of(volume_root, name, marker))


def _never(timestamp: str) -> bool:
    return False
