"""Snapshots of CephFS directories: a directory made in the `.snap` of another is one.

A snapshot holds the directory with all below it. The share's own directory is taken, or
the nearest above it at which this client may take snapshots: below the root of a CephFS
subvolume, for instance, the cluster allows none. Which one that is can only be found out
by trying, once for each share, with a snapshot that is removed at once.

The volume is what is mounted. Our marks are in its `.fsrvpd`; the snapshots are not, since
they are wherever their directory is. A mark is older than its snapshot in the journal of
the metadata server, and that journals a snapshot before it answers: no crash leaves a
snapshot without a mark.

Nothing can ever be written into such a snapshot, so there is no auto-recovery.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from fsrvpd.core import files
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.core.mounts import Mount
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Found, PreviousVersions, SharePlace, Snapshot, SnapshotRequest
from fsrvpd.providers import ground, home
from fsrvpd.providers.failures import reported
from fsrvpd.providers.labels import Labels
from fsrvpd.providers.mark import Mark, SnapshotName, encode, label

_KINDS = ("ceph", "fuse.ceph-fuse")
_NOT_ALLOWED = (errno.EPERM, errno.EACCES)
_SNAPDIR = ".snap"
_FIRST_INODE = 1
_TRIAL = "fsrvp-trial"
_SNAPDIR_OPTION = "snapdirname="


class CephFs:
    """A `Provider`. Its methods may be called from several threads at once."""

    name = "cephfs"
    whole_volume = False
    auto_recovery = False

    def __init__(self, mounts: LiveMounts) -> None:
        self._mounts = mounts
        self._labels = Labels()
        self._holders: Dict[Tuple[str, int], str] = {}

    def supports(self, path: str) -> Optional[str]:
        """Also removes the trial that a crash may have left."""
        mount = self._mounts.lookup(path)
        if mount.fs_type not in _KINDS:
            return f"{path} is not on CephFS but on {mount.fs_type}"
        for reserved in (home.NAME, _snapdir(mount)):
            if reserved in path.split("/"):
                return f"{path} is inside {reserved}, where snapshots are"
        for inner in self._mounts.below(path):
            return f"what is mounted at {inner.mount_point} would be missing in a snapshot"
        with ground.directory(path) as fd, reported("inspect the directory", path):
            if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                return f"{path} is on a file system that is mounted read-only"
        return None if self._holder(path) else _why_not(path)

    def recheck(self, path: str) -> Optional[str]:
        """What a client may do changes with its next mount only."""
        return None

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._mounts.lookup(path).mount_point
        with ground.directory(root) as fd, reported("identify the volume", root):
            return _name(fd), root

    def plan(self, request: SnapshotRequest) -> Snapshot:
        _refuse_writing(request)
        place, own = request.place, self._mark(request)
        encode(own)  # refused now rather than when applications stand still
        with ground.opened(place.volume_root, place.volume_name, _name) as root:
            second = ground.free_second(self._labels, request, root)
        name = SnapshotName(request.shadow_copy_id, label(second))
        return self._snapshot(place.volume_root, place.volume_name, name, own)

    def prepare(self, request: SnapshotRequest) -> None:
        _refuse_writing(request)
        place = request.place
        with ground.opened(place.volume_root, place.volume_name, _name) as root:
            _home(root, place.volume_root).close()
            with reported("write back what is dirty", place.volume_root):
                files.sync_file_system(root)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        place, name, own = request.place, str(ground.parsed(planned)), self._mark(request)
        below = os.path.relpath(planned.root, place.volume_root)
        with ground.opened(place.volume_root, place.volume_name, _name) as root:
            our = _home(root, place.volume_root)
            with our, ground.recorded(our, planned, own):
                os.close(ground.open_below(root, own.path))  # still a directory, and no link
                snapshots = ground.open_below(root, os.path.dirname(below))
                try:
                    os.mkdir(name, dir_fd=snapshots)
                finally:
                    os.close(snapshots)

    def seal(self, snapshot: Snapshot) -> None:
        """Nothing is to be done, but it must be there."""
        with self._found(snapshot) as our, reported("look for the snapshot", snapshot.root):
            if our is None:
                raise StorageError(snapshot.root, "this snapshot is not there any more")
            os.stat(snapshot.root, follow_symlinks=False)

    def delete(self, snapshot: Snapshot) -> None:
        name, snapdir = ground.parsed(snapshot), os.path.dirname(snapshot.root)
        with self._found(snapshot) as our, reported("delete the snapshot", snapshot.root):
            if our is None:
                return
            # A directory with snapshots cannot be deleted: if it is not here, it was moved.
            with ground.directory(snapdir) as snapshots, suppress(FileNotFoundError):
                os.rmdir(str(name), dir_fd=snapshots)
            our.drop_mark(name.label)

    def find(self, volume_roots: Iterable[str]) -> List[Found]:
        return [
            found
            for root in volume_roots
            for found in ground.found_on(root, self.name, _name, self._snapshot)
        ]

    def previous_versions(self, place: SharePlace) -> PreviousVersions:
        holder = self._holder(place.directory)
        if holder is None:
            raise StorageError(place.directory, _why_not(place.directory))
        return PreviousVersions(os.path.join(holder, _snapdir(self._mounts.lookup(holder))), holder)

    @contextmanager
    def _found(self, snapshot: Snapshot) -> Iterator[Optional[home.Home]]:
        """The home with the mark of a snapshot of ours, None when it is gone."""
        name, snapdir = ground.parsed(snapshot), os.path.dirname(snapshot.root)
        holder = os.path.dirname(snapdir)
        mount = self._mounts.lookup(holder)
        root = mount.mount_point
        if os.path.basename(snapdir) != _snapdir(mount):
            raise NotOurs(snapshot.root, "is not where CephFS has snapshots")
        with ground.opened(root, snapshot.volume_name, _name) as volume:
            with reported("look for the snapshot", snapshot.root):
                our = home.find(volume, root)
            if our is None:
                yield None
                return
            with our:
                own = ground.present(our, name, self.name, os.path.relpath(snapdir, our.path))
                if own and own.holder != _below(root, holder):
                    raise NotOurs(snapshot.root, f"the snapshot of this name is of {own.holder}")
                yield our if own else None

    def _holder(self, path: str) -> Optional[str]:
        """The nearest directory, from `path` up, of which snapshots can be taken."""
        mount = self._mounts.lookup(path)
        with ground.directory(path) as fd, reported("inspect the directory", path):
            status = os.fstat(fd)
        known = (path, status.st_ino)
        if known not in self._holders:
            holder = path
            while not _may_take(os.path.join(holder, _snapdir(mount))):
                if holder == mount.mount_point:
                    return None
                holder = os.path.dirname(holder)
            self._holders[known] = holder
        return self._holders[known]

    def _mark(self, request: SnapshotRequest) -> Mark:
        place = request.place
        holder = self._holder(place.directory)
        if holder is None:
            raise StorageError(place.directory, _why_not(place.directory))
        return ground.mark_of(request)._replace(holder=_below(place.volume_root, holder))

    def _snapshot(self, root: str, volume_name: str, name: SnapshotName, own: Mark) -> Snapshot:
        """Without trailing slashes where the share or its holder is the volume's root."""
        snapdir = os.path.join(root, own.holder, _snapdir(self._mounts.lookup(root)))
        directory = os.path.join(snapdir, str(name))
        share = os.path.normpath(
            os.path.join(directory, os.path.relpath(own.path or ".", own.holder or "."))
        )
        return Snapshot(self.name, volume_name, directory, share, own.created)


def _may_take(snapdir: str) -> bool:
    """The name is always the same, so that one that a crash has left goes with the next.

    Raises: StorageError for any failure but that of permission.
    """
    trial = os.path.join(snapdir, _TRIAL)
    with reported("find out whether snapshots can be taken", snapdir):
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


def _refuse_writing(request: SnapshotRequest) -> None:
    if request.writable:
        raise StorageError(
            request.place.directory,
            "a snapshot of CephFS cannot be written to, so no application can recover in it"
            " (auto-recovery): ask for a shadow copy without (DISKSHADOW: set context … with"
            " noautorecover), or set fsrvp:provider = command with scripts that make a copy",
        )


def _snapdir(mount: Mount) -> str:
    """`.snap`, unless the kernel's client was told another name."""
    for option in mount.super_options:
        if option.startswith(_SNAPDIR_OPTION):
            return option[len(_SNAPDIR_OPTION) :]
    return _SNAPDIR


def _below(root: str, path: str) -> str:
    return "" if path == root else os.path.relpath(path, root)


def _home(root: int, path: str) -> home.Home:
    with reported(f"make {home.NAME}", path):
        return home.ensure(root, path)


def _name(root: int) -> str:
    """The cluster and the directory that is mounted: CephFS never gives a number of an
    inode again. ceph-fuse calls every directory 1 that it mounts; then its place tells."""
    cluster, number = os.getxattr(root, "ceph.cluster_fsid").decode(), os.fstat(root).st_ino
    place = os.readlink(f"/proc/self/fd/{root}") if number == _FIRST_INODE else f"{number:x}"
    return f"cephfs:{cluster}:{place}"
