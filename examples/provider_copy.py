"""A provider that copies the share's directory with `cp`: an example, on any local file system.

It is slow, needs the space of a full copy, and each file is one moment of its own. But it keeps
the whole contract of docs/writing-a-provider.md, and the tests of the contract run it.
"""

from __future__ import annotations

import fcntl
import os
from typing import ContextManager, Iterable, List, Optional, Sequence, Set, Tuple
from uuid import UUID

from fsrvpd.core import clones, files
from fsrvpd.core.descriptors import closing_fd, exists_at
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.protocol.ports import FoundSnapshot, Snapshot, SnapshotRequest
from fsrvpd.providers.catalog import snapshot_directory
from fsrvpd.providers.catalog.marker import SnapshotMarker, marker_for, name_of
from fsrvpd.providers.catalog.snapshot_directory import (
    NAME,
    SnapshotDirectory,
    volume_root_of,
    with_marker,
)
from fsrvpd.providers.catalog.snapshots import CatalogEntry, SnapshotCatalog, does_not_exist
from fsrvpd.providers.catalog.volume import identify_volume, open_below, open_directory, open_volume
from fsrvpd.providers.os_errors import as_storage_error
from fsrvpd.providers.storage_command import run

COPY_TIMEOUT = 50.0  # s; Windows waits 60 for a commit


class Copy:
    """A `Provider`. Its methods may be called from several threads at once."""

    name = "copy"
    whole_volume = False
    auto_recovery = True
    records_itself = False  # a crash leaves a marker and a part of the copy

    def __init__(self, mounts: LiveMounts) -> None:
        self._mounts = mounts
        self._catalog = SnapshotCatalog(self.name, _volume_name, _snapshot)

    def supports(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        if NAME in path.split("/"):
            return f"{path} is inside {NAME}, where fsrvpd keeps snapshots"
        for inner in self._mounts.below(path):
            return f"what is mounted at {inner.mount_point} would be missing in a snapshot"
        with open_directory(path) as fd, as_storage_error("inspect the directory", path):
            if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                return f"{path} is on a file system that is mounted read-only"
            _volume_name(fd)
        return snapshot_directory.why_unusable(self._mounts.lookup(path).mount_point)

    def recheck(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        """Everything that could change shows in the mount table."""
        return None

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._mounts.lookup(path).mount_point
        return identify_volume(root, _volume_name), root

    def plan(self, request: SnapshotRequest) -> Snapshot:
        return self._catalog.plan(request)

    def prepare(self, request: SnapshotRequest) -> None:
        location = request.location
        with open_volume(location.volume_root, location.volume_name, _volume_name) as root:
            snapshot_directory.ensure(root, location.volume_root).close()
            with as_storage_error("flush the volume", location.volume_root):
                files.sync_file_system(root)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        location, name = request.location, name_of(planned)
        marker = marker_for(request, name.timestamp)
        with open_volume(location.volume_root, location.volume_name, _volume_name) as root:
            directory = snapshot_directory.ensure(root, location.volume_root)

            def undo() -> None:
                _remove(directory, str(name))

            with directory, with_marker(directory, marker, planned, undo):
                os.mkdir(str(name), 0o700, dir_fd=directory.fd)
                source, target = open_below(root, marker.path), open_below(directory.fd, str(name))
                with closing_fd(source), closing_fd(target):
                    at_volume_root = not marker.path
                    _copy(source, target, {NAME} if at_volume_root else set(), planned.root)

    def seal(self, snapshot: Snapshot) -> None:
        """What clients wrote into it is flushed; the share is what makes it read-only."""
        with self._open(snapshot) as entry:
            if entry is None:
                raise does_not_exist(snapshot)
            with as_storage_error("flush the snapshot", snapshot.root):
                files.sync_file_system(entry.directory.fd)

    def delete(self, snapshot: Snapshot) -> None:
        with self._open(snapshot) as entry:
            if entry is None:
                return
            with as_storage_error("delete the snapshot", snapshot.root):
                _remove(entry.directory, str(entry.marker.name))
                entry.directory.remove_marker(entry.marker.timestamp)

    def exists(self, snapshot: Snapshot) -> bool:
        with self._open(snapshot) as entry, as_storage_error("find it", snapshot.root):
            return entry is not None and exists_at(str(entry.marker.name), entry.directory.fd)

    def warnings(self, volume_root: str) -> List[str]:
        return snapshot_directory.warnings(volume_root)

    def find(self, volume_roots: Iterable[str]) -> List[FoundSnapshot]:
        return self._catalog.find(volume_roots)

    def open_share(self, snapshot: Snapshot, path: str) -> int:
        with self._open(snapshot) as entry:
            if entry is None or entry.marker.path != path:
                raise does_not_exist(snapshot)
            with as_storage_error("find the share", snapshot.root):
                return open_below(entry.directory.fd, str(entry.marker.name))

    def _open(self, snapshot: Snapshot) -> ContextManager[Optional[CatalogEntry]]:
        return self._catalog.open(snapshot, volume_root_of(snapshot, depth=1))


def _volume_name(root: int) -> str:
    return f"copy:{UUID(bytes=files.file_system_uuid(root))}"


def _snapshot(volume_root: str, volume_name: str, marker: SnapshotMarker) -> Snapshot:
    root = os.path.join(volume_root, NAME, str(marker.name))
    return Snapshot(Copy.name, volume_name, root, root, marker.created)


def _copy(source: int, target: int, left_out: Set[str], object: str) -> None:
    """Durable when this returns. `cp` inherits the lock on `target`, so that `_remove` waits for
    it even if this process is killed meanwhile."""
    fcntl.flock(target, fcntl.LOCK_EX)
    paths = [f"/proc/self/fd/{source}/{name}" for name in {*os.listdir(source)} - left_out]
    if paths:
        argv = ["cp", "--archive", f"--target-directory=/proc/self/fd/{target}", *paths]
        run(argv, object, timeout=COPY_TIMEOUT, keep_open=[source, target])
    clones.copy_attributes(source, target, clones.read_status(source))
    files.sync_file_system(target)


def _remove(directory: SnapshotDirectory, name: str) -> None:
    """Nothing happens when there is none."""
    if not exists_at(name, directory.fd):
        return
    with closing_fd(open_below(directory.fd, name)) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX)
    run(["rm", "-rf", f"/proc/self/fd/{directory.fd}/{name}"], name, keep_open=[directory.fd])
