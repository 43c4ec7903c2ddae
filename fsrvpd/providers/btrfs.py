"""Snapshots of btrfs subvolumes, taken by ioctl on directory descriptors.

The volume of a share is the subvolume that holds its path. A snapshot of it stands in
the subvolume's own `.fsrvpd`; the share is the same directory inside the snapshot.

`create` costs one transaction of the file system. The mark is put down just before: it
is in that transaction or an earlier one, so that after a power cut there are both, or the
mark alone, or nothing. `delete` goes the other way round and waits for no transaction: a
power cut within the commit interval (30 s) can bring a deleted snapshot back, with its
mark, and `find` shows it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import Iterable, Iterator, List, Optional, Tuple
from uuid import UUID

from fsrvpd.core import btrfs, files
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Found, PreviousVersions, SharePlace, Snapshot, SnapshotRequest
from fsrvpd.providers import ground, home, subvolumes
from fsrvpd.providers.failures import reported
from fsrvpd.providers.home import Home
from fsrvpd.providers.labels import Labels
from fsrvpd.providers.mark import Mark, SnapshotName, encode, label
from fsrvpd.providers.options import wants_previous_versions
from fsrvpd.providers.unwritten import unwritten

NOT_WORTH_A_SYNC = 256 << 10  # bytes: the commit writes them in hardly more than its own time


class Btrfs:
    """A `Provider`. Its methods may be called from several threads at once."""

    name = "btrfs"
    whole_volume = True
    auto_recovery = True

    def __init__(self, mounts: LiveMounts) -> None:
        self._mounts = mounts
        self._labels = Labels()

    def supports(self, path: str) -> Optional[str]:
        with ground.directory(path) as fd, reported("inspect the directory", path):
            if files.file_system_magic(fd) != btrfs.SUPER_MAGIC:
                return f"{path} is not on btrfs but on {self._mounts.lookup(path).fs_type}"
            root = self._root(path)
            if root is None:
                point = self._mounts.lookup(path).mount_point
                return (
                    f"{point} is mounted from a directory inside a btrfs subvolume; "
                    "mount the subvolume itself and share the directory from there"
                )
            return self._nested(path, fd) or self._mounted(path, root) or _unwritable(root)

    def recheck(self, path: str) -> Optional[str]:
        """A subvolume can be made inside without a trace in the mount table."""
        with reported("inspect the directory", path):
            fd = os.open(path, home.DIRECTORY)
            try:
                return self._nested(path, fd) if btrfs.has_children(fd) else None
            finally:
                os.close(fd)

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._root(path)
        if root is None:
            raise StorageError(path, "the root of its btrfs subvolume is not mounted")
        with ground.directory(root) as fd, reported("identify the volume", root):
            return _name(fd), root

    def plan(self, request: SnapshotRequest) -> Snapshot:
        place = request.place
        own = ground.mark_of(request)
        encode(own)  # refused now rather than when applications stand still
        with ground.opened(place.volume_root, place.volume_name, _name) as root:
            second = ground.free_second(self._labels, request, root)
        name = SnapshotName(request.shadow_copy_id, label(second))
        return _snapshot(place.volume_root, place.volume_name, name, own)

    def prepare(self, request: SnapshotRequest) -> None:
        place = request.place
        with ground.opened(place.volume_root, place.volume_name, _name) as root:
            self._home(request, root).close()
            with reported("write back what is dirty", place.volume_root):
                file_system = UUID(bytes=btrfs.file_system_uuid(root))
                if unwritten(file_system) > NOT_WORTH_A_SYNC:
                    files.sync_file_system(root)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        place, name = request.place, str(ground.parsed(planned))
        with ground.opened(place.volume_root, place.volume_name, _name) as root:
            our = self._home(request, root)
            with our, ground.recorded(our, planned, ground.mark_of(request)):
                btrfs.create_snapshot(root, our.fd, name, read_only=not request.writable)
                _look_into(our.fd, name, ground.below(place))

    def seal(self, snapshot: Snapshot) -> None:
        with self._found(snapshot) as (our, name):
            if our is None:
                raise StorageError(snapshot.root, "this snapshot is not there any more")
            with reported("make the snapshot read-only", snapshot.root):
                _seal(our.fd, str(name))

    def delete(self, snapshot: Snapshot) -> None:
        with self._found(snapshot) as (our, name):
            if our is None:
                return
            with reported("delete the snapshot", snapshot.root):
                subvolumes.destroy(our.fd, str(name))
                our.drop_mark(name.label)

    def find(self, volume_roots: Iterable[str]) -> List[Found]:
        return [
            found
            for root in volume_roots
            for found in ground.found_on(root, self.name, _name, _snapshot)
        ]

    def previous_versions(self, place: SharePlace) -> PreviousVersions:
        return PreviousVersions(_home_path(place.volume_root), place.volume_root)

    @contextmanager
    def _found(self, snapshot: Snapshot) -> Iterator[Tuple[Optional[Home], SnapshotName]]:
        """The home that holds a snapshot of ours, None when it is gone."""
        name = ground.parsed(snapshot)
        path = ground.volume_root(snapshot, depth=1)
        with ground.opened(path, snapshot.volume_name, _name) as root:
            with reported("look for the snapshot", snapshot.root):
                our = home.find(root, path)
            if our is None:
                yield None, name
                return
            with our:
                there = ground.present(our, name, self.name)
                _distrust(our, name)
                yield (our if there else None), name

    def _home(self, request: SnapshotRequest, root: int) -> Home:
        with reported(f"make {home.NAME}", request.place.volume_root):
            our = home.ensure(root, request.place.volume_root)
            home.listable(our.fd, wants_previous_versions(request.place.share))
            return our

    def _root(self, path: str) -> Optional[str]:
        """The directory at or above `path`, on the same mount, where its subvolume begins."""
        mount_point = self._mounts.lookup(path).mount_point
        with reported("look for the root of its subvolume", path):
            here = os.stat(path)
            device = here.st_dev  # each subvolume has its own
            while here.st_ino != btrfs.ROOT_INODE:
                if path == mount_point or here.st_dev != device:
                    return None
                path = os.path.dirname(path)
                here = os.stat(path)
        return path if here.st_dev == device else None

    def _nested(self, path: str, directory: int) -> Optional[str]:
        """What a snapshot would show as an empty directory. The home of snapshots is one
        only at the root of its subvolume, so that a name is enough to know it by."""
        for child in btrfs.children(directory):
            if child.path != home.NAME:
                nested = os.path.join(path, child.path)
                return f"the subvolume {nested} inside {path} would be missing in a snapshot"
        return None

    def _mounted(self, path: str, root: str) -> Optional[str]:
        own = _home_path(root)
        for mount in self._mounts.below(path):
            if not mount.mount_point.startswith(own + "/"):
                return f"what is mounted at {mount.mount_point} would be missing in a snapshot"
        return None


def _look_into(directory: int, name: str, path: str) -> None:
    """Find the share in the snapshot, or destroy that: the share may have been moved away
    meanwhile, or replaced by a link to elsewhere. Raises: OSError."""
    try:
        os.close(ground.open_below(directory, os.path.join(name, path)))
    except OSError:
        subvolumes.destroy(directory, name)
        raise


def _unwritable(root: str) -> Optional[str]:
    with ground.directory(root) as fd:
        if os.fstatvfs(fd).f_flag & os.ST_RDONLY or btrfs.is_read_only(fd):
            return f"{root} is read-only, so no snapshot can be put into it"
    return None


def _distrust(our: Home, name: SnapshotName) -> None:
    """Raises: NotOurs when something bears the name that is no subvolume."""
    with suppress(FileNotFoundError):
        if os.stat(str(name), dir_fd=our.fd, follow_symlinks=False).st_ino != btrfs.ROOT_INODE:
            raise NotOurs(os.path.join(our.path, str(name)), "is no btrfs subvolume")


def _seal(directory: int, name: str) -> None:
    fd = os.open(name, home.DIRECTORY, dir_fd=directory)
    try:
        if not btrfs.is_read_only(fd):
            files.sync_file_system(fd)  # what clients wrote since must survive a power cut
            btrfs.set_read_only(fd, True)
    finally:
        os.close(fd)


def _name(root: int) -> str:
    """Ids are never given twice within a file system, and the top level has no UUID."""
    return f"btrfs:{UUID(bytes=btrfs.file_system_uuid(root))}:{btrfs.subvolume_info(root).id}"


def _home_path(volume_root: str) -> str:
    return os.path.join(volume_root, home.NAME)


def _snapshot(root: str, volume_name: str, name: SnapshotName, own: Mark) -> Snapshot:
    directory = os.path.join(_home_path(root), str(name))
    share = os.path.join(directory, own.path) if own.path else directory
    return Snapshot(Btrfs.name, volume_name, directory, share, own.created)
