"""Snapshots of btrfs subvolumes, taken by ioctl on directory descriptors.

The volume of a share is the subvolume that holds its path. A snapshot of it is in
the subvolume's own `.fsrvpd`; the share is the same directory inside the snapshot.

`create` costs one transaction of the file system. The marker is put down just before: it
is in that transaction or an earlier one, so that after a power cut there are both, or the
marker alone, or nothing. `delete` works in the reverse order and waits for no transaction:
a power cut within the commit interval (30 s) can bring a deleted snapshot back, with its
marker, and `find` shows it.
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import contextmanager, suppress
from typing import ContextManager, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple
from uuid import UUID

from fsrvpd.core import btrfs, files, handles
from fsrvpd.core.descriptors import DIRECTORY_FLAGS, closing_fd, exists_at
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import (
    FoundSnapshot,
    LeftOut,
    Snapshot,
    SnapshotRequest,
)
from fsrvpd.providers import gaps
from fsrvpd.providers.btrfs import subvolumes
from fsrvpd.providers.btrfs.dirty_bytes import dirty_bytes
from fsrvpd.providers.catalog import own_directory, snapshot_directory
from fsrvpd.providers.catalog.marker import SnapshotMarker, marker_for, name_of
from fsrvpd.providers.catalog.remove_tree import remove_tree
from fsrvpd.providers.catalog.snapshot_directory import (
    SnapshotDirectory,
    volume_root_of,
    with_marker,
)
from fsrvpd.providers.catalog.snapshots import CatalogEntry, SnapshotCatalog, does_not_exist
from fsrvpd.providers.catalog.volume import identify_volume, open_below, open_directory, open_volume
from fsrvpd.providers.gaps import Gap, Place, first_obstacle, left_out
from fsrvpd.providers.os_errors import as_storage_error, storage_error

log = logging.getLogger(__name__)

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
SEALED_IN_PLACE = (
    "%s is read-only, but not replaced by a read-only snapshot (%s): a process of the server that"
    " has a file in it open for writing can go on writing to that file; make room on its volume"
)
PLAIN = (
    "%s is a plain directory, as in a volume that was copied or restored: fsrvpctl fsrvpd prune"
    " removes what was copied into it, and fsrvpd makes it a subvolume when no snapshot is in it"
)
NOT_WORTH_A_SYNC = 256 << 10  # bytes: the commit writes them in hardly more than its own time


class Btrfs:
    """A `Provider`. Its methods may be called from several threads at once."""

    name = "btrfs"
    whole_volume = True
    frees_volume = True
    auto_recovery = True
    records_itself = True  # in one transaction of the file system

    def __init__(self, mounts: LiveMounts) -> None:
        self._mounts = mounts
        self._catalog = SnapshotCatalog(self.name, _volume_name, _snapshot)

    def supports(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        with open_directory(path) as fd, as_storage_error("inspect the directory", path):
            if files.file_system_magic(fd) != btrfs.SUPER_MAGIC:
                return f"{path} is not on btrfs but on {self._mounts.lookup(path).fs_type}"
            root = self._root(path)
            if root is None:
                point = self._mounts.lookup(path).mount_point
                return (
                    f"{point} is mounted from a directory inside a btrfs subvolume; "
                    "mount the subvolume itself and share the directory from there"
                )
            unusable = _why_read_only(root) or snapshot_directory.why_unusable(root)
            return unusable or first_obstacle(self._gaps(Place(fd, path, ignored)))

    def recheck(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        """Any user can make a subvolume, without a trace in the mount table. Two context managers
        would cost as much as the system calls."""
        try:
            fd = os.open(path, DIRECTORY_FLAGS)
            try:
                return first_obstacle(self._gaps(Place(fd, path, ignored)))
            finally:
                os.close(fd)
        except OSError as error:
            raise storage_error("inspect the directory", path, error) from error

    def left_out(self, path: str, ignored: Sequence[str] = ()) -> List[LeftOut]:
        with open_directory(path) as fd, as_storage_error("inspect the directory", path):
            place = Place(fd, path, ignored)
            return left_out(path, self._gaps(place))

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._root(path)
        if root is None:
            raise StorageError(path, "the root of its btrfs subvolume is not mounted")
        return identify_volume(root, _volume_name), root

    def plan(self, request: SnapshotRequest) -> Snapshot:
        return self._catalog.plan(request)

    def prepare(self, request: SnapshotRequest) -> None:
        location = request.location
        with open_volume(location.volume_root, location.volume_name, _volume_name) as root:
            with _ensure_subvolume(root, location.volume_root) as directory:
                self._catalog.plan_ahead(request, directory)
            with as_storage_error("flush the volume", location.volume_root):
                if dirty_bytes(_file_system_in(location.volume_name)) > NOT_WORTH_A_SYNC:
                    files.sync_file_system(root)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        location, name = request.location, name_of(planned)
        marker = marker_for(request, name.timestamp)
        with open_volume(location.volume_root, location.volume_name, _volume_name) as root:
            directory = snapshot_directory.ensure(root, location.volume_root)
            with directory, with_marker(directory, marker, planned):
                read_only = not request.writable
                btrfs.create_snapshot(root, directory.fd, str(name), read_only=read_only)
                _verify_share(directory.fd, str(name), marker.path)

    def seal(self, snapshot: Snapshot) -> None:
        with self._open(snapshot) as entry:
            if entry is None:
                raise does_not_exist(snapshot)
            with as_storage_error("make the snapshot read-only", snapshot.root):
                _seal(entry.directory.fd, str(entry.marker.name))

    def discard_unsealed(self, snapshot: Snapshot) -> None:
        with self._open(snapshot) as entry:
            if entry is None:
                raise does_not_exist(snapshot)
            with as_storage_error("delete the writable snapshot", snapshot.root):
                subvolumes.destroy(entry.directory.fd, _unsealed(str(entry.marker.name)))

    def delete(self, snapshot: Snapshot) -> None:
        with self._open_any(snapshot) as entry:
            if entry is None:
                return
            with as_storage_error("delete the snapshot", snapshot.root):
                name = str(entry.marker.name)
                if _is_plain(entry):
                    if not _is_plain_directory(entry.directory.fd):
                        raise _no_subvolume(entry)
                    remove_tree(name, entry.directory.fd)
                else:
                    for each in (_unsealed(name), name):
                        subvolumes.destroy(entry.directory.fd, each)
                entry.directory.remove_marker(entry.marker.timestamp)

    def exists(self, snapshot: Snapshot) -> bool:
        with self._open_any(snapshot) as entry, as_storage_error("find it", snapshot.root):
            return entry is not None and exists_at(str(entry.marker.name), entry.directory.fd)

    def warnings(self, volume_root: str) -> List[str]:
        found = snapshot_directory.warnings(volume_root)
        with open_directory(volume_root) as root, as_storage_error("look at it", volume_root):
            directory = snapshot_directory.find(root, volume_root)
            if directory is not None:
                with directory:
                    found += [PLAIN % directory.path] if _is_plain_directory(directory.fd) else []
        return found

    def sizes(self, snapshots: Sequence[Snapshot]) -> Dict[Snapshot, int]:
        found = {each: self._size(each) for each in snapshots}
        return {each: size for each, size in found.items() if size is not None}

    def _size(self, snapshot: Snapshot) -> Optional[int]:
        """What it shares with no other subvolume, if quotas know that."""
        with self._open(snapshot) as entry, as_storage_error("ask its quota", snapshot.root):
            if entry is None or not exists_at(str(entry.marker.name), entry.directory.fd):
                return None
            name = str(entry.marker.name)
            with closing_fd(os.open(name, DIRECTORY_FLAGS, dir_fd=entry.directory.fd)) as fd:
                return btrfs.exclusive_bytes(fd, btrfs.subvolume_info(fd).id)

    def find(self, volume_roots: Iterable[str]) -> List[FoundSnapshot]:
        return self._catalog.find(volume_roots)

    def open_share(self, snapshot: Snapshot, path: str) -> int:
        with self._open(snapshot) as entry:
            if entry is None:
                raise does_not_exist(snapshot)
            with as_storage_error("open the share in the snapshot", snapshot.root):
                return open_below(entry.directory.fd, os.path.join(str(entry.marker.name), path))

    @contextmanager
    def _open(self, snapshot: Snapshot) -> Iterator[Optional[CatalogEntry]]:
        """Open a snapshot made by fsrvpd; None if it is missing. Raises: NotOurs, StorageError."""
        with self._open_any(snapshot) as entry:
            if entry is not None and _is_plain(entry):
                raise _no_subvolume(entry)
            yield entry

    def _open_any(self, snapshot: Snapshot) -> ContextManager[Optional[CatalogEntry]]:
        """`_open`, which also opens what is left of a snapshot whose volume was copied: a plain
        directory, of its name and with its marker."""
        return self._catalog.open(snapshot, volume_root_of(snapshot, depth=1))

    def _root(self, path: str) -> Optional[str]:
        """The directory at or above `path`, on the same mount, where its subvolume begins."""
        mount_point = self._mounts.lookup(path).mount_point
        with as_storage_error("look for the root of its subvolume", path):
            here = os.stat(path)
            device = here.st_dev  # each subvolume has its own
            while here.st_ino != btrfs.ROOT_INODE:
                if path == mount_point or here.st_dev != device:
                    return None
                path = os.path.dirname(path)
                here = os.stat(path)
        return path if here.st_dev == device else None

    def _gaps(self, place: Place) -> Iterator[Gap]:
        """What a snapshot would show as an empty directory."""
        yield from gaps.subvolumes(place)
        if self._mounts.below(place.path):
            is_root = btrfs.is_subvolume_root(place.directory)
            reserved = [_directory_path(place.path) + "/"] if is_root else []
            yield from gaps.mounted(place, self._mounts, reserved)


def _verify_share(directory: int, name: str, path: str) -> None:
    """Find the share in the snapshot, or delete that: the share may have been moved away
    meanwhile, or replaced by a link to somewhere else. Raises: OSError."""
    try:
        os.close(open_below(directory, os.path.join(name, path)))
    except OSError:
        subvolumes.destroy(directory, name)
        raise


def _why_read_only(root: str) -> Optional[str]:
    with open_directory(root) as fd:
        if os.fstatvfs(fd).f_flag & os.ST_RDONLY or btrfs.is_read_only(fd):
            return f"{root} is read-only, so no snapshot can be put into it"
    return None


def _is_plain(entry: CatalogEntry) -> bool:
    """Whether what has the name of the snapshot is no subvolume."""
    with suppress(FileNotFoundError):
        name, directory = str(entry.marker.name), entry.directory.fd
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        return found.st_ino != btrfs.ROOT_INODE
    return False


def _no_subvolume(entry: CatalogEntry) -> NotOurs:
    where = os.path.join(entry.directory.path, str(entry.marker.name))
    why = "is no btrfs subvolume; if it came with a copy of the volume and nobody needs it"
    return NotOurs(where, f"{why}: rm -r '{where}', then fsrvpctl fsrvpd prune")


def _is_plain_directory(directory: int) -> bool:
    return not btrfs.is_subvolume_root(directory)


def _ensure_subvolume(root: int, path: str) -> SnapshotDirectory:
    """`snapshot_directory.ensure`; it is a subvolume again if it was copied with its volume and
    nothing is in it any more. Raises: StorageError."""
    directory = snapshot_directory.ensure(root, path)
    if not _is_plain_directory(directory.fd):
        return directory
    try:
        with as_storage_error(f"replace {snapshot_directory.NAME}", path):
            if not own_directory.remove_empty(root):
                return directory
    except BaseException:
        directory.close()
        raise
    directory.close()
    return snapshot_directory.ensure(root, path)


def _seal(directory: int, name: str) -> None:
    """Put a read-only snapshot of the writable one in its place. Whoever still has a file open
    writes into the writable one: to make that read-only would not stop him.

    The snapshot holds what was written, and is in a transaction that is complete before the
    names are exchanged. The second one makes the exchange durable. Without space for a snapshot
    the writable one is made read-only all the same: what stands can be finished on a full disk.
    """
    with closing_fd(os.open(name, DIRECTORY_FLAGS, dir_fd=directory)) as fd:
        if btrfs.is_read_only(fd):
            return
        try:
            _replace(directory, name, fd)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            files.sync_file_system(fd)  # what clients have written must survive a power cut
            btrfs.set_read_only(fd, True)
            log.warning(SEALED_IN_PLACE, name, os.strerror(error.errno))
        else:
            files.sync_file_system(directory)


def _replace(directory: int, name: str, writable: int) -> None:
    other = _unsealed(name)
    subvolumes.destroy(directory, other)
    btrfs.create_snapshot(writable, directory, other, read_only=True)
    handles.exchange(directory, other, name)


def _unsealed(name: str) -> str:
    """While a snapshot is sealed: what takes its place, then what it was."""
    return f".unsealed-{name}"


def _volume_name(root: int) -> str:
    """Ids are never reused within a file system, and the top level has no UUID."""
    return f"btrfs:{UUID(bytes=btrfs.file_system_uuid(root))}:{btrfs.subvolume_info(root).id}"


def _file_system_in(volume_name: str) -> UUID:
    return UUID(volume_name.split(":")[1])


def _directory_path(volume_root: str) -> str:
    return os.path.join(volume_root, snapshot_directory.NAME)


def _snapshot(volume_root: str, volume_name: str, marker: SnapshotMarker) -> Snapshot:
    root = os.path.join(_directory_path(volume_root), str(marker.name))
    share = os.path.join(root, marker.path) if marker.path else root
    return Snapshot(Btrfs.name, volume_name, root, share, marker.created)
