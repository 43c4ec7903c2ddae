"""Snapshots of LVM's thin volumes with XFS or ext4 on them.

The volume of a share is the logical volume that is mounted there. A snapshot of it is a
logical volume of the same thin pool, which holds our mark in its tags from the moment at
which it exists. It is mounted at

/run/fsrvpd/lvm/<UUID of the volume>/fsrvp-{ID}_GMT-…/

and what is mounted goes with a reboot: `bring_up` puts it back. LVM freezes the file
system while it takes the snapshot, so its journal is clean: a read-only one is mounted
without replaying it, from a device that cannot be written to. One for auto-recovery is
mounted as it is, and made read-only, device included, when it is sealed.

Snapshots share the space of the pool with their origins; when it is full the origins, too,
cannot be written to. So none is taken when the pool is nearly full.
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import nullcontext
from typing import (
    ContextManager,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from fsrvpd.core import files
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Found, PreviousVersions, SharePlace, Snapshot, SnapshotRequest
from fsrvpd.providers import freezing, ground, snapshot_mounts, volume_group
from fsrvpd.providers import volume_manager as manager
from fsrvpd.providers.failures import reported
from fsrvpd.providers.freezing import can_hold_for_snapshots, frozen
from fsrvpd.providers.labels import Labels
from fsrvpd.providers.mark import Mark, SnapshotName, encode, label
from fsrvpd.providers.options import pool_limit, wants_previous_versions
from fsrvpd.providers.volume_group import Group, group_of, name_of
from fsrvpd.providers.volume_manager import LogicalVolume, VolumeId

log = logging.getLogger(__name__)

PLACE = f"{snapshot_mounts.PLACE}/lvm"


class Lvm:
    """A `Provider`, one that takes several at one moment, one whose snapshots are mounted.
    Its methods may be called from several threads at once."""

    name = "lvm"
    whole_volume = True
    auto_recovery = True

    def __init__(self, mounts: LiveMounts, place: str = PLACE) -> None:
        self._mounts = mounts
        self._labels = Labels()
        self._taken: Dict[str, Set[str]] = {}  # labels by volume
        self._place = place

    def supports(self, path: str) -> Optional[str]:
        mount = self._mounts.lookup(path)
        if path.startswith(self._place + "/"):
            return f"{path} is inside {self._place}, where fsrvpd mounts snapshots"
        with ground.directory(path) as fd, reported("inspect the directory", path):
            known = manager.identify(os.fstat(fd).st_dev)
            if known is None:
                return f"{path} is on no logical volume of LVM but on {mount.source}"
            if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                return f"{path} is on a file system that is mounted read-only"
        if mount.fs_type not in snapshot_mounts.KINDS:
            kinds = " and ".join(snapshot_mounts.KINDS)
            return f"{path} is on {mount.fs_type}, and of LVM's snapshots only {kinds} are mounted"
        if mount.root != "/":
            return f"{mount.mount_point} is mounted from inside its volume; mount the volume itself"
        for inner in self._mounts.below(path):
            return f"what is mounted at {inner.mount_point} would be missing in a snapshot"
        volume = self._volume(path, known)
        if volume.kind != "thin":
            return f"{path} is on {volume.path}, which is {volume.kind}, not a thin volume"
        return None

    def recheck(self, path: str) -> Optional[str]:
        """All that could change shows in the mount table."""
        return None

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._mounts.lookup(path).mount_point
        with ground.directory(root) as fd, reported("identify the volume", root):
            return name_of(fd), root

    def plan(self, request: SnapshotRequest) -> Snapshot:
        place, own = request.place, _mark(request)
        encode(own)  # refused now rather than when applications stand still
        with ground.opened(place.volume_root, place.volume_name, name_of):
            labels = self._known_labels(place)
            second = self._labels.reserve(
                place.volume_name, int(request.created), lambda second: label(second) in labels
            )
            labels.add(label(second))
        return self._snapshot(place.volume_name, label(second), own)

    def prepare(self, request: SnapshotRequest) -> None:
        place = request.place
        with ground.opened(place.volume_root, place.volume_name, name_of) as root:
            _refuse_full_pool(group_of(place.volume_name, place.volume_root), place)
            self._directory(place)
            with reported("write back what is dirty", place.volume_root):
                files.sync_file_system(root)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        self.create_together([(request, planned)])

    def create_together(self, wanted: Sequence[Tuple[SnapshotRequest, Snapshot]]) -> None:
        """Of one moment if the kernel can (Linux 6.8 and later), one after the other if not."""
        origins = [self._ready(request) for request, _ in wanted]
        try:
            with _held(wanted):
                for (request, planned), origin in zip(wanted, origins):
                    self._take(request, planned, origin)
            for (request, planned), origin in zip(wanted, origins):
                self._show(request, planned, origin)
        except BaseException:
            for _, planned in wanted:
                self.delete(planned)
            raise

    def bring_up(self, snapshot: Snapshot) -> None:
        """Mount it where it is expected; nothing happens when it is. Raises: StorageError."""
        volume = self._present(snapshot)
        if volume is None:
            raise StorageError(snapshot.root, "this snapshot is not there any more")
        if not os.path.ismount(snapshot.root):
            argv = ["lvchange", "--activate", "y", "--ignoreactivationskip", volume.path]
            manager.manage(argv, snapshot.root)
            snapshot_mounts.mount(volume.device, snapshot.root, writable=not volume.read_only)

    def seal(self, snapshot: Snapshot) -> None:
        volume = self._present(snapshot)
        if volume is None:
            raise StorageError(snapshot.root, "this snapshot is not there any more")
        if volume.read_only:
            return
        self.bring_up(snapshot)
        snapshot_mounts.make_read_only(snapshot.root)
        manager.manage(["lvchange", "--permission", "r", volume.path], snapshot.root)

    def delete(self, snapshot: Snapshot) -> None:
        volume = self._present(snapshot)
        snapshot_mounts.unmount(snapshot.root)
        if volume is not None:
            manager.manage(["lvremove", "--force", "--yes", volume.path], snapshot.root)

    def find(self, volume_roots: Iterable[str]) -> List[Found]:
        return [found for root in volume_roots for found in self._found_on(root)]

    def previous_versions(self, place: SharePlace) -> PreviousVersions:
        return PreviousVersions(self._directory_of(place.volume_name), place.volume_root)

    def _known_labels(self, place: SharePlace) -> Set[str]:
        """LVM is asked once: nobody else makes any."""
        known = self._taken.get(place.volume_name)
        if known is None:
            group = group_of(place.volume_name, place.volume_root)
            found = {own.label for own in group.snapshots(self.name)}
            known = self._taken.setdefault(place.volume_name, found)
        return known

    def _ready(self, request: SnapshotRequest) -> LogicalVolume:
        """The volume to be taken. Raises: StorageError unless the share is where it was and
        the pool has room."""
        place = request.place
        with ground.opened(place.volume_root, place.volume_name, name_of) as root:
            _find_share(root, place)
        group = group_of(place.volume_name, place.volume_root)
        _refuse_full_pool(group, place)
        return group.origin()

    def _take(self, request: SnapshotRequest, planned: Snapshot, origin: LogicalVolume) -> None:
        """The snapshot itself, not yet to be seen anywhere. At boot nobody activates it."""
        name, own = ground.parsed(planned), _mark(request)
        # Not --snapshot: that has the module dm_snapshot loaded, which it does not use and the
        # daemon's unit may not do.
        argv = ["lvcreate", "--type", "thin", "--name", _volume_of(name)]
        argv += ["--permission", "rw" if request.writable else "r"]
        argv += ["--setactivationskip", "y", "--activate", "y", "--ignoreactivationskip"]
        for tag in manager.tags(name.label, own):
            argv += ["--addtag", tag]
        manager.manage([*argv, origin.path], request.place.volume_root)

    def _show(self, request: SnapshotRequest, planned: Snapshot, origin: LogicalVolume) -> None:
        """Mount it, and find the share in it."""
        self._directory(request.place)
        device = manager.device_of(origin.group_name, _volume_of(ground.parsed(planned)))
        snapshot_mounts.mount(device, planned.root, writable=request.writable)
        with ground.directory(planned.root) as root:
            _find_share(root, request.place)

    def _present(self, snapshot: Snapshot) -> Optional[LogicalVolume]:
        """The logical volume of a snapshot, None when it is gone. Raises: NotOurs when
        something has its name that is not ours; StorageError when its group is not here."""
        name = ground.parsed(snapshot)
        if os.path.dirname(snapshot.root) != self._directory_of(snapshot.volume_name):
            raise NotOurs(snapshot.root, "is not where fsrvpd mounts snapshots of this volume")
        volume = group_of(snapshot.volume_name, snapshot.root).named(_volume_of(name))
        if volume is not None:
            own = manager.tagged(volume)
            if own is None or own.label != name.label or not _belongs(own.mark, name):
                raise NotOurs(snapshot.root, f"{volume.path} does not carry the tags of fsrvpd")
        return volume

    def _found_on(self, root: str) -> Iterator[Found]:
        if not os.path.ismount(root):
            return
        known = manager.identify(os.stat(root).st_dev)
        if known is None:
            return
        volume_name = str(known)
        for own in group_of(volume_name, root).snapshots(self.name):
            yield ground.found(self._snapshot(volume_name, own.label, own.mark), own.mark)

    def _volume(self, path: str, known: VolumeId) -> LogicalVolume:
        return group_of(str(known), path).origin()

    def _directory_of(self, volume_name: str) -> str:
        return os.path.join(self._place, volume_name.rpartition(":")[2])

    def _directory(self, place: SharePlace) -> None:
        """Where the snapshots of a volume are mounted: passed through by users, and listed
        if the share wants that."""
        with reported("make the directory of its snapshots", place.volume_root):
            snapshot_mounts.make_shelf(
                self._directory_of(place.volume_name), wants_previous_versions(place.share)
            )

    def _snapshot(self, volume_name: str, label: str, own: Mark) -> Snapshot:
        name = SnapshotName(own.shadow_copy_id, label)
        root = os.path.join(self._directory_of(volume_name), str(name))
        share = os.path.join(root, own.path) if own.path else root
        return Snapshot(self.name, volume_name, root, share, own.created)


def _held(wanted: Sequence[Tuple[SnapshotRequest, Snapshot]]) -> ContextManager[None]:
    """The volumes, for the time in which several snapshots are taken, if the kernel can."""
    roots = [request.place.volume_root for request, _ in wanted]
    if len(roots) == 1:
        return nullcontext()
    if can_hold_for_snapshots():
        return frozen(roots, freezing.LIMIT)
    log.info("%s: one after the other; Linux before 6.8 cannot hold them all", ", ".join(roots))
    return nullcontext()


def _refuse_full_pool(group: Group, place: SharePlace) -> None:
    pool, limit = group.pool(), pool_limit(place.share)
    for what, fill in (("data", pool.data_percent), ("metadata", pool.metadata_percent)):
        if fill >= limit:
            raise StorageError(
                place.volume_root,
                f"the {what} of its thin pool {pool.path} is {fill:g}% full, and no snapshot"
                f" is taken from {limit:g}% on (fsrvp:pool limit): delete some or lvextend it",
                error_number=errno.ENOSPC,
            )


def _mark(request: SnapshotRequest) -> Mark:
    """Its origin is in it, for LVM forgets that when the origin goes."""
    known = volume_group.parse_name(request.place.volume_name)
    return ground.mark_of(request)._replace(holder=known.volume if known else "")


def _find_share(root: int, place: SharePlace) -> None:
    """It may have been moved away meanwhile, or replaced by a link to elsewhere."""
    with reported("find the share", place.directory):
        os.close(ground.open_below(root, ground.below(place)))


def _volume_of(name: SnapshotName) -> str:
    """LVM allows no braces in a name."""
    return f"fsrvp-{name.shadow_copy_id.strip('{}')}"


def _belongs(own: Mark, name: SnapshotName) -> bool:
    return (own.shadow_copy_id, own.provider) == (name.shadow_copy_id, Lvm.name)
