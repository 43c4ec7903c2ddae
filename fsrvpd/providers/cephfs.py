"""Snapshots of CephFS directories: a directory made in the `.snap` of another is one.

A snapshot holds the directory with all below it. It is taken of the share's own directory,
or of the nearest above it at which this client may take snapshots (`source` here): below
the root of a CephFS subvolume, for instance, the cluster allows none. Which one that is can
only be found out by trying, once for each share, with a snapshot that is removed at once.

The volume is what is mounted. The markers are in its `.fsrvpd`; the snapshots are not,
since they are wherever their directory is. A marker is older than its snapshot in the
journal of the metadata server, and that journals a snapshot before it answers: no crash
leaves a snapshot without a marker.

Nothing can ever be written into such a snapshot, so there is no auto-recovery.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from fsrvpd.core import files
from fsrvpd.core.descriptors import closing_fd, exists
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.core.mounts import Mount
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import (
    FoundSnapshot,
    LeftOut,
    ShareLocation,
    Snapshot,
    SnapshotRequest,
)
from fsrvpd.providers.catalog import snapshot_directory
from fsrvpd.providers.catalog.marker import SnapshotMarker, marker_for, name_of
from fsrvpd.providers.catalog.snapshot_directory import with_marker
from fsrvpd.providers.catalog.snapshots import CatalogEntry, SnapshotCatalog, does_not_exist
from fsrvpd.providers.catalog.volume import (
    find_share,
    identify_volume,
    open_below,
    open_directory,
    open_inside,
    open_volume,
)
from fsrvpd.providers.gaps import first_obstacle, left_out, mounted_below
from fsrvpd.providers.os_errors import as_storage_error

_KINDS = ("ceph", "fuse.ceph-fuse")
_NOT_ALLOWED = (errno.EPERM, errno.EACCES)
_DEFAULT_SNAPDIR_NAME = ".snap"
_FIRST_INODE = 1
_TRIAL_NAME = "fsrvp-trial"
_NAME_OPTION = "snapdirname="


class CephFs:
    """A `Provider`. Its methods may be called from several threads at once."""

    name = "cephfs"
    whole_volume = False
    auto_recovery = False
    records_itself = False  # the MDS may still have both in memory

    def __init__(self, mounts: LiveMounts) -> None:
        self._mounts = mounts
        self._catalog = SnapshotCatalog(self.name, _volume_name, self._snapshot)
        self._sources: Dict[Tuple[str, int], str] = {}  # by path and inode of a share

    def supports(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        """Also removes the trial snapshot that a crash may have left."""
        mount = self._mounts.lookup(path)
        if mount.fs_type not in _KINDS:
            return f"{path} is not on CephFS but on {mount.fs_type}"
        for reserved in (snapshot_directory.NAME, _snapdir_name(mount)):
            if reserved in path.split("/"):
                return f"{path} is inside {reserved}, where snapshots are"
        inner = self.recheck(path, ignored)
        if inner is not None:
            return inner
        with open_directory(path) as fd, as_storage_error("inspect the directory", path):
            if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                return f"{path} is on a file system that is mounted read-only"
        return None if self._find_source(path) else _why_not(path)

    def recheck(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        """What a client may do changes with its next mount only."""
        return first_obstacle(mounted_below(path, ignored, self._mounts))

    def left_out(self, path: str, ignored: Sequence[str] = ()) -> List[LeftOut]:
        return left_out(path, mounted_below(path, ignored, self._mounts))

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._mounts.lookup(path).mount_point
        return identify_volume(root, _volume_name), root

    def plan(self, request: SnapshotRequest) -> Snapshot:
        _refuse_writable(request)
        return self._catalog.plan(request, self._source(request.location))

    def prepare(self, request: SnapshotRequest) -> None:
        _refuse_writable(request)
        location = request.location
        with open_volume(location.volume_root, location.volume_name, _volume_name) as root:
            snapshot_directory.ensure(root, location.volume_root).close()
            with as_storage_error("flush the volume", location.volume_root):
                files.sync_file_system(root)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        location, name = request.location, name_of(planned)
        marker = marker_for(request, name.timestamp, self._source(location))
        snapdir = os.path.relpath(os.path.dirname(planned.root), location.volume_root)
        with open_volume(location.volume_root, location.volume_name, _volume_name) as root:
            directory = snapshot_directory.ensure(root, location.volume_root)
            with directory, with_marker(directory, marker, planned):
                find_share(root, location)
                with closing_fd(open_below(root, snapdir)) as snapshots:
                    os.mkdir(str(name), dir_fd=snapshots)

    def seal(self, snapshot: Snapshot) -> None:
        """Nothing is to be done, but it must exist."""
        with self._open(snapshot) as entry, as_storage_error("find it", snapshot.root):
            if entry is None:
                raise does_not_exist(snapshot)
            os.stat(snapshot.root, follow_symlinks=False)

    def delete(self, snapshot: Snapshot) -> None:
        with self._open(snapshot) as entry:
            if entry is None:
                return
            # A directory with snapshots cannot be deleted: if it is not here, it was moved.
            snapdir, name = os.path.split(snapshot.root)
            with open_directory(snapdir) as fd, as_storage_error("delete it", snapshot.root):
                with suppress(FileNotFoundError):
                    os.rmdir(name, dir_fd=fd)
                entry.directory.remove_marker(entry.marker.timestamp)

    def exists(self, snapshot: Snapshot) -> bool:
        with self._open(snapshot) as entry, as_storage_error("find it", snapshot.root):
            if entry is None:
                return False
            # A directory with snapshots cannot be deleted: if it is not here, it was moved.
            os.stat(os.path.dirname(snapshot.root), follow_symlinks=False)
            return exists(snapshot.root)

    def warnings(self, volume_root: str) -> List[str]:
        return snapshot_directory.warnings(volume_root)

    def find(self, volume_roots: Iterable[str]) -> List[FoundSnapshot]:
        return self._catalog.find(volume_roots)

    def open_share(self, snapshot: Snapshot, path: str) -> int:
        with self._open(snapshot) as entry:
            if entry is None:
                raise does_not_exist(snapshot)
            if path != entry.marker.path:
                raise StorageError(snapshot.root, f"is of {entry.marker.path}, not of {path}")
            below = os.path.relpath(path or ".", entry.marker.source or ".")
            return open_inside(snapshot.root, "" if below == "." else below)

    @contextmanager
    def _open(self, snapshot: Snapshot) -> Iterator[Optional[CatalogEntry]]:
        """Open a snapshot made by fsrvpd; None if it is missing. Raises: NotOurs, StorageError."""
        name_of(snapshot)
        snapdir = os.path.dirname(snapshot.root)
        mount = self._mounts.lookup(os.path.dirname(snapdir))
        if os.path.basename(snapdir) != _snapdir_name(mount):
            raise NotOurs(snapshot.root, "is not where CephFS has snapshots")
        with self._catalog.open(snapshot, mount.mount_point) as entry:
            yield entry

    def _find_source(self, path: str) -> Optional[str]:
        """The nearest directory, from `path` up, of which snapshots can be taken."""
        mount = self._mounts.lookup(path)
        with open_directory(path) as fd, as_storage_error("inspect the directory", path):
            key = (path, os.fstat(fd).st_ino)
        if key not in self._sources:
            source = path
            while not _may_take(os.path.join(source, _snapdir_name(mount))):
                if source == mount.mount_point:
                    return None
                source = os.path.dirname(source)
            self._sources[key] = source
        return self._sources[key]

    def _source(self, location: ShareLocation) -> str:
        """`SnapshotMarker.source`: relative to the volume's root. Raises: StorageError."""
        source = self._find_source(location.directory)
        if source is None:
            raise StorageError(location.directory, _why_not(location.directory))
        if source == location.volume_root:
            return ""
        return os.path.relpath(source, location.volume_root)

    def _snapshot(self, volume_root: str, volume_name: str, marker: SnapshotMarker) -> Snapshot:
        """Without trailing slashes where the share or its source is the volume's root."""
        snapdir_name = _snapdir_name(self._mounts.lookup(volume_root))
        root = os.path.join(volume_root, marker.source, snapdir_name, str(marker.name))
        below = os.path.relpath(marker.path or ".", marker.source or ".")
        share = os.path.normpath(os.path.join(root, below))
        return Snapshot(self.name, volume_name, root, share, marker.created)


def _may_take(snapdir: str) -> bool:
    """By trying. The name is always the same, so that the next trial removes one that a
    crash has left.

    Raises: StorageError for any failure but that of permission.
    """
    trial = os.path.join(snapdir, _TRIAL_NAME)
    with as_storage_error("find out whether snapshots can be taken", snapdir):
        try:
            with suppress(FileExistsError):
                os.mkdir(trial)
        except OSError as error:
            if error.errno in _NOT_ALLOWED:
                return False
            raise
        with suppress(FileNotFoundError):
            os.rmdir(trial)
    return True


def _why_not(path: str) -> str:
    return (
        f"this client may take no snapshot of {path} nor of a directory above it: give its key"
        " the flag s (ceph fs authorize … rws), and see that `ceph fs set NAME allow_new_snaps"
        " true` was done"
    )


def _refuse_writable(request: SnapshotRequest) -> None:
    if request.writable:
        raise StorageError(
            request.location.directory,
            "a snapshot of CephFS cannot be written to, so no application can recover in it"
            " (auto-recovery): ask for a shadow copy without (DISKSHADOW: set context … with"
            " noautorecover), or set fsrvp:provider = command with scripts that make a copy",
        )


def _snapdir_name(mount: Mount) -> str:
    """`.snap`, unless the mount options of the kernel's client give another name."""
    for option in mount.super_options:
        if option.startswith(_NAME_OPTION):
            return option[len(_NAME_OPTION) :]
    return _DEFAULT_SNAPDIR_NAME


def _volume_name(root: int) -> str:
    """The cluster and the directory that is mounted: CephFS never reuses an inode's number.
    ceph-fuse gives number 1 to every directory that it mounts; there the path tells."""
    cluster, number = os.getxattr(root, "ceph.cluster_fsid").decode(), os.fstat(root).st_ino
    mounted = os.readlink(f"/proc/self/fd/{root}") if number == _FIRST_INODE else f"{number:x}"
    return f"cephfs:{cluster}:{mounted}"
