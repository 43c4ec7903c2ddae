"""Copies of a share's directory tree in which every file shares its blocks with the
original (FICLONE): XFS, bcachefs, and btrfs where that cannot take snapshots of its own.

It is no snapshot of the volume. Each file is one moment of its own, as after a crash of
the application that writes it; one that is renamed from a part that is still to be cloned
into one that is done is missed. It takes time by the number of files, not by their size.

.fsrvpd/<key of the share's path>/fsrvp-{ID}_GMT-…/    so that each share lists its own
.fsrvpd/.partial-{ID}/                                 see copies.py

No file system of these can make a tree read-only, and taking the right to write from its
files would change the permissions that a backup is to find. So the read-only share is
what protects the copy; root, and users with a shell who may write to the originals and
know the name of the copy, are not held back.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from hashlib import blake2b
from typing import Dict, Iterable, Iterator, List, Optional, Set, Tuple
from uuid import UUID

from fsrvpd.core import btrfs, files
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import (
    Found,
    PreviousVersions,
    Progress,
    SharePlace,
    Snapshot,
    SnapshotRequest,
)
from fsrvpd.providers import copies, ground, home
from fsrvpd.providers.allowance import Allowance
from fsrvpd.providers.copies import Cloning
from fsrvpd.providers.failures import reported
from fsrvpd.providers.home import Home
from fsrvpd.providers.labels import Labels
from fsrvpd.providers.mark import Mark, SnapshotName, encode, label
from fsrvpd.providers.options import clone_time_limit, wanted, wants_previous_versions

# Some of these can share blocks, none keeps owners, ACLs and attributes as they are.
_ELSEWHERE = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse")
_TEMPORARY = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC


class Reflink:
    """A `Provider`. Its methods may be called from several threads at once."""

    name = "reflink"
    whole_volume = False
    auto_recovery = True

    def __init__(self, mounts: LiveMounts) -> None:
        self._mounts = mounts
        self._labels = Labels()
        self._capable: Set[Tuple[str, int]] = set()
        self._under_way: Dict[str, Allowance] = {}

    def supports(self, path: str) -> Optional[str]:
        mount = self._mounts.lookup(path)
        if home.NAME in path.split("/"):
            return f"{path} is inside {home.NAME}, where fsrvpd keeps snapshots"
        if mount.fs_type.split(".")[0] in _ELSEWHERE:
            return f"{path} is on {mount.fs_type}: take its snapshots on the server that stores it"
        with ground.directory(path) as fd, reported("inspect the directory", path):
            if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                return f"{path} is on a file system that is mounted read-only"
            return self._incapable(fd, path) or self._gap(fd, path)

    def recheck(self, path: str) -> Optional[str]:
        """Only btrfs can contain what the mount table does not show."""
        if self._mounts.lookup(path).fs_type != "btrfs":
            return None
        with ground.directory(path) as fd, reported("inspect the directory", path):
            return self._gap(fd, path)

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._mounts.lookup(path).mount_point
        with ground.directory(root) as fd, reported("identify the volume", root):
            # To write into the root of another file system would be worse than to fail.
            with ground.directory(path) as directory:
                if _name(fd) != _name(directory):
                    raise StorageError(path, f"is not on the file system mounted at {root}")
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
            _home(request, root).close()
            with reported("write back what is dirty", place.volume_root):
                files.sync_file_system(root)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        place, name = request.place, ground.parsed(planned)
        with ground.opened(place.volume_root, place.volume_name, _name) as root:
            our = _home(request, root)

            def undo() -> None:
                copies.delete(our, _key(place), name)

            recorded = ground.recorded(our, planned, ground.mark_of(request), undo)
            with our, recorded, self._allowed(request) as allowance:
                cloning = Cloning(root, ground.below(place), wanted(place.share), allowance)
                copies.make(cloning, our, _key(place), name)

    def progress(self, shadow_copy_id: str) -> Optional[Progress]:
        allowance = self._under_way.get(shadow_copy_id)
        return allowance.progress() if allowance else None

    def seal(self, snapshot: Snapshot) -> None:
        """What clients wrote into it is made durable. Nothing more can be done: see above."""
        with self._found(snapshot) as (our, name), reported("seal the snapshot", snapshot.root):
            if our is None:
                raise StorageError(snapshot.root, "this snapshot is not there any more")
            os.stat(f"{_key_in(snapshot)}/{name}", dir_fd=our.fd, follow_symlinks=False)
            files.sync_file_system(our.fd)

    def delete(self, snapshot: Snapshot) -> None:
        with self._found(snapshot) as (our, name):
            if our is None:
                return
            with reported("delete the snapshot", snapshot.root):
                copies.delete(our, _key_in(snapshot), name)
                our.drop_mark(name.label)

    def find(self, volume_roots: Iterable[str]) -> List[Found]:
        return [
            found
            for root in volume_roots
            for found in ground.found_on(root, self.name, _name, _snapshot)
        ]

    def previous_versions(self, place: SharePlace) -> PreviousVersions:
        snapdir = os.path.join(place.volume_root, home.NAME, _key(place))
        return PreviousVersions(snapdir, place.directory)

    @contextmanager
    def _allowed(self, request: SnapshotRequest) -> Iterator[Allowance]:
        """The time that a clone may take, known to `progress` while it does."""
        allowance = Allowance(clone_time_limit(request.place.share))
        self._under_way[request.shadow_copy_id] = allowance
        try:
            yield allowance
        finally:
            del self._under_way[request.shadow_copy_id]

    @contextmanager
    def _found(self, snapshot: Snapshot) -> Iterator[Tuple[Optional[Home], SnapshotName]]:
        """The home that holds a snapshot of ours, None when it is gone."""
        name = ground.parsed(snapshot)
        path = ground.volume_root(snapshot, depth=2)
        with ground.opened(path, snapshot.volume_name, _name) as root:
            with reported("look for the snapshot", snapshot.root):
                our = home.find(root, path)
            if our is None:
                yield None, name
                return
            with our:
                mark = ground.present(our, name, self.name, _key_in(snapshot))
                if mark and _hash(mark.path) != _key_in(snapshot):
                    raise NotOurs(snapshot.root, f"the copy of this name is of {mark.path}")
                yield (our if mark else None), name

    def _incapable(self, directory: int, path: str) -> Optional[str]:
        """Asked of the file system itself, once: it does not change while it is mounted."""
        mount = self._mounts.lookup(path)
        known = (mount.mount_point, os.fstat(directory).st_dev)
        if known in self._capable:
            return None
        reason = _no_clones(directory, path, mount.fs_type) or _no_identity(directory, path)
        if reason is None:
            self._capable.add(known)
        return reason

    def _gap(self, directory: int, path: str) -> Optional[str]:
        """What a clone would lack, since it stays on one file system."""
        own = os.path.join(self._mounts.lookup(path).mount_point, home.NAME)
        inner = [mount.mount_point for mount in self._mounts.below(path)]
        if files.file_system_magic(directory) == btrfs.SUPER_MAGIC:
            inner += [os.path.join(path, child.path) for child in btrfs.children(directory)]
        for other in inner:
            if other != own and not other.startswith(own + "/"):
                return f"{other} inside {path} is another file system, missing in a snapshot"
        return None


def _no_clones(directory: int, path: str, kind: str) -> Optional[str]:
    """Tried on two files without names; that they are empty does not matter."""
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


def _no_identity(directory: int, path: str) -> Optional[str]:
    try:
        _name(directory)
    except OSError as error:
        if error.errno == errno.ENOTTY:
            return f"{path} is on a file system without a UUID, which could not be recognised"
        raise
    return None


def _name(root: int) -> str:
    if files.file_system_magic(root) == btrfs.SUPER_MAGIC:
        return f"reflink:{UUID(bytes=btrfs.file_system_uuid(root))}"
    return f"reflink:{UUID(bytes=files.file_system_uuid(root))}"


def _home(request: SnapshotRequest, root: int) -> Home:
    """With the directory for the copies of this share in it."""
    with reported(f"make {home.NAME}", request.place.volume_root):
        our = home.ensure(root, request.place.volume_root)
        try:
            key = _key(request.place)
            home.make_directory(key, our.fd)
            with ground.directory(os.path.join(our.path, key)) as fd:
                home.listable(fd, wants_previous_versions(request.place.share))
        except BaseException:
            our.close()
            raise
        return our


def _key(place: SharePlace) -> str:
    return _hash(ground.below(place))


def _hash(path: str) -> str:
    """A name for a path: the path itself may be longer than a name may be."""
    return blake2b(os.fsencode(path), digest_size=16).hexdigest()


def _key_in(snapshot: Snapshot) -> str:
    return os.path.basename(os.path.dirname(snapshot.root))


def _snapshot(root: str, volume_name: str, name: SnapshotName, own: Mark) -> Snapshot:
    copy = os.path.join(root, home.NAME, _hash(own.path), str(name))
    return Snapshot(Reflink.name, volume_name, copy, copy, own.created)
