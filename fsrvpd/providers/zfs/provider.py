"""Snapshots of ZFS datasets; those of several datasets of one pool are taken at one moment.

The volume of a share is the dataset that is mounted there. A snapshot is read where ZFS
shows it, in `.zfs/snapshot` of its dataset, and nobody can write to it. For auto-recovery
there is a clone beside it, a dataset of its own below the share's, mounted in `.fsrvpd`,
and made read-only when it is sealed:

tank/projects@fsrvp-ID_GMT-2026.11.21-08.30.00
tank/projects/fsrvp-ID                            only for auto-recovery

The marker is a user property of the snapshot (see datasets.py). A hold that an admin has put
on a snapshot is respected: it is not deleted, and the error says why.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import (
    Collection,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from fsrvpd.core import files
from fsrvpd.core.bind_mounts import is_mount_point
from fsrvpd.core.descriptors import exists
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import NotOurs
from fsrvpd.protocol.ports import (
    FoundSnapshot,
    LeftOut,
    ShareLocation,
    Snapshot,
    SnapshotRequest,
)
from fsrvpd.providers.catalog import snapshot_directory
from fsrvpd.providers.catalog.marker import (
    SnapshotMarker,
    SnapshotName,
    marker_for,
    parse_name,
    require_readable,
)
from fsrvpd.providers.catalog.snapshots import does_not_exist, missing, plan_snapshot
from fsrvpd.providers.catalog.timestamps import UniqueTimestamps
from fsrvpd.providers.catalog.volume import (
    find_share,
    identify_volume,
    open_directory,
    open_inside,
    open_volume,
)
from fsrvpd.providers.gaps import Gap, first_obstacle, left_out, mounted_below
from fsrvpd.providers.os_errors import as_storage_error
from fsrvpd.providers.zfs import datasets

SNAPSHOTS = ".zfs/snapshot"
_RESERVED = (".zfs", snapshot_directory.NAME)
_CLONE = "clone"  # `SnapshotMarker.source` of one that is for auto-recovery


class _ZfsSnapshot(NamedTuple):
    """What the path of a snapshot means."""

    volume_root: str
    dataset: str
    name: SnapshotName
    has_clone: bool

    @property
    def full_name(self) -> str:
        return f"{self.dataset}@{datasets.snapshot_name(self.name)}"

    @property
    def clone_dataset(self) -> str:
        return f"{self.dataset}/fsrvp-{self.name.bare_id}"


class Zfs:
    """A `Provider` that takes several snapshots at one moment. Its methods may be called
    from several threads at once."""

    name = "zfs"
    whole_volume = True
    frees_volume = True
    auto_recovery = True
    records_itself = False  # the marker comes before the clone of a writable one

    def __init__(self, mounts: LiveMounts) -> None:
        self._mounts = mounts
        self._timestamps = UniqueTimestamps()

    def supports(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        mount = self._mounts.lookup(path)
        if mount.fs_type != "zfs":
            return f"{path} is not on ZFS but on {mount.fs_type}"
        for reserved in _RESERVED:
            if reserved in path.split("/"):
                return f"{path} is inside {reserved}, where snapshots are"
        if mount.root != "/":
            return f"{mount.mount_point} is mounted from inside a dataset; mount the dataset itself"
        inner = self.recheck(path, ignored)
        if inner is not None:
            return inner
        with open_directory(path) as fd, as_storage_error("inspect the directory", path):
            if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                return f"{path} is on a dataset that is mounted read-only"
        return None

    def recheck(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        """Everything that could change shows in the mount table."""
        return first_obstacle(self._gaps(path, ignored))

    def left_out(self, path: str, ignored: Sequence[str] = ()) -> List[LeftOut]:
        return left_out(path, self._gaps(path, ignored))

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._mounts.lookup(path).mount_point
        return identify_volume(root, _volume_name), root

    def plan(self, request: SnapshotRequest) -> Snapshot:
        location = request.location
        with open_volume(location.volume_root, location.volume_name, _volume_name):
            used = _used_timestamps(location.volume_root)
            source = _source(request)
            marker = plan_snapshot(request, self._timestamps, used.__contains__, source=source)
        return _snapshot(location.volume_root, location.volume_name, marker)

    def prepare(self, request: SnapshotRequest) -> None:
        location = request.location
        with open_volume(location.volume_root, location.volume_name, _volume_name) as root:
            if request.writable:
                snapshot_directory.ensure(root, location.volume_root).close()
            _flush(root, location.volume_root)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        self.create_together([(request, planned)])

    def create_together(self, requests: Sequence[Tuple[SnapshotRequest, Snapshot]]) -> None:
        """At one moment within each pool; one pool follows the other."""
        pools: Dict[str, List[Tuple[str, SnapshotMarker]]] = {}
        for request, planned in requests:
            _find_share_in(request.location.volume_root, request.location)
            parsed = self._parse(planned)
            marker = marker_for(request, parsed.name.timestamp, _source(request))
            pool = datasets.pool_of(parsed.dataset)
            pools.setdefault(pool, []).append((parsed.dataset, marker))
        try:
            for snapshots in pools.values():
                datasets.take(snapshots)
            for request, planned in requests:
                self._publish(request, planned)
        except BaseException:
            for _, planned in requests:
                self.delete(planned)
            raise

    def seal(self, snapshot: Snapshot) -> None:
        parsed = self._present(snapshot)
        if parsed is None:
            raise does_not_exist(snapshot)
        if parsed.has_clone:
            with open_directory(snapshot.root) as fd:
                _flush(fd, snapshot.root)
            datasets.make_read_only(parsed.clone_dataset)

    def delete(self, snapshot: Snapshot) -> None:
        parsed = self._present(snapshot)
        if parsed is None:
            return
        if parsed.has_clone:
            if datasets.children(parsed.dataset).get(parsed.clone_dataset) == parsed.full_name:
                datasets.destroy(parsed.clone_dataset)
            root = snapshot.root
            with as_storage_error("remove the mount point", root), suppress(FileNotFoundError):
                os.rmdir(root)
        datasets.destroy(parsed.full_name)

    def exists(self, snapshot: Snapshot) -> bool:
        return self._present(snapshot) is not None

    def sizes(self, snapshots: Sequence[Snapshot]) -> Dict[Snapshot, int]:
        """ZFS does not count what a snapshot and its clone hold together."""
        parsed = {each: self._parse(each) for each in snapshots}
        used = {
            name: datasets.used_bytes(name) for name in {each.dataset for each in parsed.values()}
        }
        return {
            snapshot: used[each.dataset][each.full_name]
            for snapshot, each in parsed.items()
            if not each.has_clone and each.full_name in used[each.dataset]
        }

    def missing(self, snapshots: Sequence[Snapshot]) -> List[Snapshot]:
        """ZFS is asked once for each dataset."""
        known: Dict[str, Tuple[List[SnapshotMarker], Set[str]]] = {}

        def look(snapshot: Snapshot) -> Optional[_ZfsSnapshot]:
            parsed = self._parse(snapshot)
            if parsed.dataset not in known:
                found = datasets.markers(parsed.dataset), {*_listed(parsed.volume_root)}
                known[parsed.dataset] = found
            return _present_among(*known[parsed.dataset], snapshot, parsed)

        return missing(snapshots, look)

    def find(self, volume_roots: Iterable[str]) -> List[FoundSnapshot]:
        return [found for root in volume_roots for found in self._found_on(root)]

    def open_share(self, snapshot: Snapshot, path: str) -> int:
        if self._present(snapshot) is None:
            raise does_not_exist(snapshot)
        return open_inside(snapshot.root, path)

    def _gaps(self, path: str, ignored: Sequence[str]) -> List[Gap]:
        root = self._mounts.lookup(path).mount_point
        reserved = [os.path.join(root, name, "") for name in _RESERVED]
        return mounted_below(path, ignored, self._mounts, reserved)

    def _publish(self, request: SnapshotRequest, planned: Snapshot) -> None:
        """Clone it where it must be writable, and find the share in it."""
        parsed = self._parse(planned)
        if parsed.has_clone:
            self.prepare(request)
            with as_storage_error("make the mount point", planned.root):
                os.mkdir(planned.root, 0o700)  # ZFS' own way fails beyond ASCII in locale C
            datasets.clone(parsed.full_name, parsed.clone_dataset, planned.root)
        _find_share_in(planned.root, request.location)

    def _parse(self, snapshot: Snapshot) -> _ZfsSnapshot:
        """Raises: NotOurs if it cannot be one of fsrvpd's, StorageError when its volume is not
        mounted."""
        directory, _, text = snapshot.root.rpartition("/")
        for below, parse in (
            (SNAPSHOTS, datasets.parse_snapshot_name),
            (snapshot_directory.NAME, parse_name),
        ):
            name = parse(text)
            if name is not None and directory.endswith("/" + below) and "/.." not in directory:
                root = directory[: -len(below) - 1] or "/"
                with open_volume(root, snapshot.volume_name, _volume_name):
                    dataset = self._mounts.lookup(root).source
                return _ZfsSnapshot(root, dataset, name, below == snapshot_directory.NAME)
        raise NotOurs(snapshot.root, "is not named like a snapshot that fsrvpd made")

    def _present(self, snapshot: Snapshot) -> Optional[_ZfsSnapshot]:
        """None when nothing of it exists any more. Raises: NotOurs when it has no marker."""
        parsed = self._parse(snapshot)
        listed = _listed(parsed.volume_root)
        if datasets.snapshot_name(parsed.name) in listed:
            markers = datasets.markers_of(parsed.full_name)
        else:  # so it is gone, but for what lists only its own datasets' snapshots
            markers = datasets.markers(parsed.dataset)
        return _present_among(markers, listed, snapshot, parsed)

    def _found_on(self, root: str) -> Iterator[FoundSnapshot]:
        if not is_mount_point(root):
            return
        mount = self._mounts.lookup(root)
        if mount.fs_type != "zfs" or "@" in mount.source:
            return
        volume_name = identify_volume(root, _volume_name)
        for marker in datasets.markers(mount.source):
            yield marker.found(_snapshot(root, volume_name, marker))


def _present_among(
    markers: Iterable[SnapshotMarker],
    listed: Collection[str],
    snapshot: Snapshot,
    parsed: _ZfsSnapshot,
) -> Optional[_ZfsSnapshot]:
    for marker in markers:
        if marker.name == parsed.name and (marker.source == _CLONE) == parsed.has_clone:
            require_readable(marker, snapshot)
            return parsed
    # ZFS still knows the path of a snapshot for a while after it was destroyed, but does
    # not list it.
    is_listed = datasets.snapshot_name(parsed.name) in listed
    with as_storage_error("look for its clone", snapshot.root):
        is_there = is_listed or (parsed.has_clone and exists(snapshot.root))
    if is_there:
        raise NotOurs(snapshot.root, "does not carry the marker of fsrvpd")
    return None


def _flush(root: int, path: str) -> None:
    with as_storage_error("flush the volume", path):
        files.sync_file_system(root)


def _volume_name(root: int) -> str:
    """A dataset keeps this id for life, also when it is renamed."""
    return f"zfs:{os.fstatvfs(root).f_fsid:016x}"


def _source(request: SnapshotRequest) -> str:
    return _CLONE if request.writable else ""


def _snapshot(volume_root: str, volume_name: str, marker: SnapshotMarker) -> Snapshot:
    if marker.source == _CLONE:
        root = os.path.join(volume_root, snapshot_directory.NAME, str(marker.name))
    else:
        root = os.path.join(volume_root, SNAPSHOTS, datasets.snapshot_name(marker.name))
    share = os.path.join(root, marker.path) if marker.path else root
    return Snapshot(Zfs.name, volume_name, root, share, marker.created)


def _listed(volume_root: str) -> List[str]:
    with as_storage_error("list the snapshots", volume_root):
        return os.listdir(os.path.join(volume_root, SNAPSHOTS))


def _used_timestamps(volume_root: str) -> Set[str]:
    names = (datasets.parse_snapshot_name(text) for text in _listed(volume_root))
    return {name.timestamp for name in names if name}


def _find_share_in(path: str, location: ShareLocation) -> None:
    with open_directory(path) as root:
        find_share(root, location)
