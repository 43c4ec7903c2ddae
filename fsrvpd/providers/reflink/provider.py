"""Copies of a share's directory tree in which every file shares its blocks with the
original (FICLONE): XFS, bcachefs, and btrfs where that cannot take snapshots of its own.

It is no snapshot of the volume. Each file is consistent in itself, as after a crash of the
application that writes it; a file that is renamed from a part that is not yet cloned into
one that is, is missed. The time depends on the number of files, not on their size. Most of it
is spent before the applications wait: `prepare` clones the tree, `create` what changed since.

.fsrvpd/<key of the share's path>/fsrvp-{ID}_GMT-…/    so that each share lists its own
.fsrvpd/.partial-{ID}/                                 see staging.py

None of these file systems can make a tree read-only, and removing write permission from
the files would change the permissions that a backup must find. So the copy is protected by
the read-only share and mount alone; root, and users with a shell who may write to the
originals and have held a directory of the copy open since it was writable, can still change it.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from typing import (
    ContextManager,
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
from uuid import UUID

from fsrvpd.capabilities import FOR_CLONES, lacking
from fsrvpd.core import btrfs, files
from fsrvpd.core.descriptors import exists_at
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import StorageError
from fsrvpd.protocol.ports import (
    FoundSnapshot,
    LeftOut,
    Progress,
    ShareLocation,
    Snapshot,
    SnapshotRequest,
)
from fsrvpd.providers import gaps
from fsrvpd.providers.catalog import snapshot_directory
from fsrvpd.providers.catalog.marker import SnapshotMarker, marker_for, name_of
from fsrvpd.providers.catalog.snapshot_directory import (
    SnapshotDirectory,
    make_directory,
    undone_on_failure,
    volume_root_of,
    with_marker,
)
from fsrvpd.providers.catalog.snapshots import CatalogEntry, SnapshotCatalog, does_not_exist
from fsrvpd.providers.catalog.volume import (
    identify_volume,
    open_below,
    open_directory,
    open_volume,
    relative_path,
)
from fsrvpd.providers.gaps import Gap, Place, first_obstacle, left_out
from fsrvpd.providers.os_errors import as_storage_error
from fsrvpd.providers.reflink import staging, user_space
from fsrvpd.providers.reflink.clone_record import CloneRecord, new_record
from fsrvpd.providers.reflink.file_filter import filter_of
from fsrvpd.providers.reflink.staging import CloneJob
from fsrvpd.providers.reflink.time_budget import TimeBudget
from fsrvpd.providers.reflink.tree_clone import PassesOver

# Some of these can share blocks, none keeps owners, ACLs and attributes as they are.
_REMOTE = ("nfs", "nfs4", "cifs", "smb3", "9p")
_TEMPORARY = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC


class _Prepared(NamedTuple):
    """What `prepare` has cloned, under the marker of the planned snapshot."""

    planned: Snapshot
    record: CloneRecord


class Reflink:
    """A `Provider`. Its methods may be called from several threads at once."""

    name = "reflink"
    whole_volume = False
    frees_volume = True
    auto_recovery = True
    records_itself = False  # of what made it, something may be left beside it

    def __init__(self, mounts: LiveMounts) -> None:
        self._mounts = mounts
        self._catalog = SnapshotCatalog(self.name, _volume_name, _snapshot)
        self._capable: Set[Tuple[str, int]] = set()
        # By shadow copy id:
        self._running: Dict[str, TimeBudget] = {}
        self._prepared: Dict[str, _Prepared] = {}

    def supports(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        mount = self._mounts.lookup(path)
        if snapshot_directory.NAME in path.split("/"):
            return f"{path} is inside {snapshot_directory.NAME}, where fsrvpd keeps snapshots"
        if mount.fs_type == "overlay":
            return (
                f"{path} is on overlay, whose files may lie on several file systems: share a"
                " directory of one of these (in a container, of a volume)"
            )
        if mount.fs_type.split(".")[0] == "fuse":
            return user_space.why_not(path, mount)
        if mount.fs_type in _REMOTE:
            return f"{path} is on {mount.fs_type}: take its snapshots on the server that stores it"
        with open_directory(path) as fd, as_storage_error("inspect the directory", path):
            if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                return f"{path} is on a file system that is mounted read-only"
            incapable = _why_unprivileged() or self._why_incapable(fd, path)
            unusable = incapable or snapshot_directory.why_unusable(mount.mount_point)
            return unusable or first_obstacle(self._gaps(Place(fd, path, ignored)))

    def recheck(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        with open_directory(path) as fd, as_storage_error("inspect the directory", path):
            return first_obstacle(self._gaps(Place(fd, path, ignored)))

    def left_out(self, path: str, ignored: Sequence[str] = ()) -> List[LeftOut]:
        with open_directory(path) as fd, as_storage_error("inspect the directory", path):
            return left_out(path, self._gaps(Place(fd, path, ignored)))

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._mounts.lookup(path).mount_point
        name = identify_volume(root, _volume_name)
        # To write into the root of another file system would be worse than to fail.
        if identify_volume(path, _volume_name) != name:
            raise StorageError(path, f"is not on the file system mounted at {root}")
        return name, root

    def plan(self, request: SnapshotRequest) -> Snapshot:
        prepared = self._prepared.get(request.shadow_copy_id)
        return prepared.planned if prepared else self._catalog.plan(request)

    def prepare(self, request: SnapshotRequest) -> None:
        """Clones the tree already. Nothing happens when that was done before: `create` finds out
        what changed since. What is cloned here is no copy to keep: no set may be stored yet."""
        if request.shadow_copy_id in self._prepared:
            return
        record, location = new_record(), request.location
        with self._open_root(request) as root, _ensure_directory(request, root) as directory:
            with as_storage_error("flush the volume", location.volume_root):
                files.sync_file_system(root)
            planned = self._catalog.plan(request)
            marker = marker_for(request._replace(keep=False), name_of(planned).timestamp)
            undo = partial(staging.delete, directory, _key_of(planned), marker.name)
            with with_marker(directory, marker, planned, undo), self._job(request, root) as job:
                staging.clone_ahead(job, directory, marker.name, record)
        self._prepared[request.shadow_copy_id] = _Prepared(planned, record)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        prepared = self._prepared.pop(request.shadow_copy_id, None)
        marker, key = marker_for(request, name_of(planned).timestamp), _key_of(planned)
        with self._open_root(request) as root, _ensure_directory(request, root) as directory:
            undo = partial(staging.delete, directory, key, marker.name)
            marked = undone_on_failure if prepared else with_marker
            with marked(directory, marker, planned, undo), self._job(request, root) as job:
                if prepared and request.keep:
                    directory.replace_marker(marker, staging.free_path(marker.name))
                earlier = prepared.record if prepared else None
                staging.make(job, directory, key, marker.name, earlier)

    def progress(self, shadow_copy_id: str) -> Optional[Progress]:
        time_budget = self._running.get(shadow_copy_id)
        return time_budget.progress() if time_budget else None

    def seal(self, snapshot: Snapshot) -> None:
        """Flushes what clients wrote into it. Nothing more can be done: see above."""
        with self._open(snapshot) as entry, as_storage_error("seal the snapshot", snapshot.root):
            if entry is None:
                raise does_not_exist(snapshot)
            where = f"{_key_of(snapshot)}/{entry.marker.name}"
            os.stat(where, dir_fd=entry.directory.fd, follow_symlinks=False)
            files.sync_file_system(entry.directory.fd)

    def delete(self, snapshot: Snapshot) -> None:
        self._prepared.pop(name_of(snapshot).shadow_copy_id, None)
        with self._open(snapshot) as entry:
            if entry is None:
                return
            with as_storage_error("delete the snapshot", snapshot.root):
                staging.delete(entry.directory, _key_of(snapshot), entry.marker.name)
                entry.directory.remove_marker(entry.marker.timestamp)

    def exists(self, snapshot: Snapshot) -> bool:
        with self._open(snapshot) as entry, as_storage_error("find it", snapshot.root):
            if entry is None:
                return False
            return exists_at(f"{_key_of(snapshot)}/{entry.marker.name}", entry.directory.fd)

    def warnings(self, volume_root: str) -> List[str]:
        return snapshot_directory.warnings(volume_root)

    def find(self, volume_roots: Iterable[str]) -> List[FoundSnapshot]:
        return self._catalog.find(volume_roots)

    def open_share(self, snapshot: Snapshot, path: str) -> int:
        with self._open(snapshot) as entry:
            if entry is None:
                raise does_not_exist(snapshot)
            if path != entry.marker.path:
                raise StorageError(
                    snapshot.root, f"is a copy of {entry.marker.path}, not of {path}"
                )
            with as_storage_error("open the share in the snapshot", snapshot.root):
                where = os.path.join(_key_of(snapshot), str(entry.marker.name))
                return open_below(entry.directory.fd, where)

    def _open(self, snapshot: Snapshot) -> ContextManager[Optional[CatalogEntry]]:
        """Open a snapshot made by fsrvpd; None if it is missing. Raises: NotOurs, StorageError."""
        return self._catalog.open(snapshot, volume_root_of(snapshot, depth=2))

    def _open_root(self, request: SnapshotRequest) -> ContextManager[int]:
        location = request.location
        return open_volume(location.volume_root, location.volume_name, _volume_name)

    @contextmanager
    def _job(self, request: SnapshotRequest, root: int) -> Iterator[CloneJob]:
        """What is to be cloned, in a time that is known to `progress` meanwhile."""
        location = request.location
        share, path = location.share, relative_path(location)
        time_budget = TimeBudget(share.settings.clone_time_limit)
        self._running[request.shadow_copy_id] = time_budget
        try:
            with self._passed_over(location) as passed_over:
                yield CloneJob(root, path, filter_of(share), time_budget, passed_over)
        finally:
            del self._running[request.shadow_copy_id]

    def _why_incapable(self, directory: int, path: str) -> Optional[str]:
        """Found out by trying, once: it does not change while the file system is mounted."""
        mount = self._mounts.lookup(path)
        known = (mount.mount_point, os.fstat(directory).st_dev)
        if known in self._capable:
            return None
        reason = _why_no_clones(directory, path, mount.fs_type) or _why_no_name(directory, path)
        if reason is None:
            self._capable.add(known)
        return reason

    def _gaps(self, place: Place) -> Iterator[Gap]:
        """What would be missing in a clone, which never leaves its file system."""
        if files.file_system_magic(place.directory) == btrfs.SUPER_MAGIC:
            yield from gaps.subvolumes(place)
        root = self._mounts.lookup(place.path).mount_point
        snapshots = os.path.join(root, snapshot_directory.NAME, "")
        yield from gaps.mounted(place, self._mounts, [snapshots])

    @contextmanager
    def _passed_over(self, location: ShareLocation) -> Iterator[PassesOver]:
        """Tells of a path below the share whether what is there is left out of its clone."""
        path, ignored = location.directory, location.share.settings.ignore_subvolumes
        with open_directory(path) as fd:
            place, known = Place(fd, path, ignored), set[str]()

            def is_passed_over(below: str) -> bool:
                if below not in known:  # a snapshot may be new
                    known.update(gap.path for gap in self._gaps(place) if gap.harmless)
                return below in known

            yield is_passed_over


def _why_unprivileged() -> Optional[str]:
    missing = lacking(FOR_CLONES)
    if not missing:
        return None
    return f"fsrvpd runs without {', '.join(missing)}, so that some files could not be cloned"


def _why_no_clones(directory: int, path: str, kind: str) -> Optional[str]:
    """Tries it on two unnamed files; it does not matter that they are empty."""
    opened: List[int] = []
    try:
        for _ in range(2):
            opened.append(os.open(".", _TEMPORARY, 0o600, dir_fd=directory))
        files.clone_file(*opened)
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        return f"{path} is on {kind}, which cannot share blocks between files ({cause})"
    finally:
        for file in opened:
            os.close(file)
    return None


def _why_no_name(directory: int, path: str) -> Optional[str]:
    try:
        _volume_name(directory)
    except OSError as error:
        if error.errno == errno.ENOTTY:
            return f"{path} is on a file system without a UUID, by which snapshots are found again"
        raise
    return None


def _volume_name(root: int) -> str:
    if files.file_system_magic(root) == btrfs.SUPER_MAGIC:
        return f"reflink:{UUID(bytes=btrfs.file_system_uuid(root))}"
    return f"reflink:{UUID(bytes=files.file_system_uuid(root))}"


def _ensure_directory(request: SnapshotRequest, root: int) -> SnapshotDirectory:
    """With the directory for the copies of this share in it."""
    location = request.location
    directory = snapshot_directory.ensure(root, location.volume_root)
    try:
        with as_storage_error(f"make {snapshot_directory.NAME}", location.volume_root):
            make_directory(_key(relative_path(location)), directory.fd)
    except BaseException:
        directory.close()
        raise
    return directory


def _key(path: str) -> str:
    """A name for a path: the path itself may be longer than a name may be."""
    return blake2b(os.fsencode(path), digest_size=16).hexdigest()


def _key_of(snapshot: Snapshot) -> str:
    return os.path.basename(os.path.dirname(snapshot.root))


def _snapshot(volume_root: str, volume_name: str, marker: SnapshotMarker) -> Snapshot:
    directory = os.path.join(volume_root, snapshot_directory.NAME, _key(marker.path))
    root = os.path.join(directory, str(marker.name))
    return Snapshot(Reflink.name, volume_name, root, root, marker.created)
