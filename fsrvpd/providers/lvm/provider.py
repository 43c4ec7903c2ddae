"""Snapshots of LVM's thin volumes with XFS or ext4 on them.

The volume of a share is the logical volume that is mounted there. A snapshot of it is a
logical volume of the same thin pool, which has the marker in its tags from the moment at
which it exists. It is mounted at

/run/fsrvpd/lvm/<UUID of the volume>/fsrvp-{ID}_GMT-…/

which a reboot removes: `bring_up` mounts it again. LVM freezes the file system while it
takes the snapshot, so its journal is clean: a read-only snapshot is mounted without
replaying it, from a device that cannot be written to. A snapshot for auto-recovery is
mounted writable, and made read-only, device included, when it is sealed.

Snapshots share the space of the pool with their origins; when it is full, the origins
cannot be written to either. So none is taken when the pool is nearly full.
"""

from __future__ import annotations

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

from fsrvpd.core import files, mounts
from fsrvpd.core.bind_mounts import is_mount_point
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import NotOurs
from fsrvpd.protocol.ports import (
    FoundSnapshot,
    LeftOut,
    ShareLocation,
    Snapshot,
    SnapshotRequest,
)
from fsrvpd.providers import mounting
from fsrvpd.providers.catalog.marker import (
    SnapshotMarker,
    SnapshotName,
    marker_for,
    name_of,
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
from fsrvpd.providers.gaps import first_obstacle, left_out, mounted_below
from fsrvpd.providers.lvm import freeze
from fsrvpd.providers.lvm.freeze import can_snapshot_frozen, frozen
from fsrvpd.providers.lvm.lvm_commands import (
    LogicalVolume,
    device_of,
    identify,
    marker_from_tags,
    run_lvm,
    tags_of,
)
from fsrvpd.providers.lvm.volume_group import (
    VolumeGroup,
    group_of,
    parse_volume_name,
    volume_name_of,
)
from fsrvpd.providers.os_errors import as_storage_error

log = logging.getLogger(__name__)

MOUNT_ROOT = f"{mounts.MOUNT_ROOT}/lvm"


class Lvm:
    """A `Provider` that takes several snapshots at one moment, and mounts them. Its methods
    may be called from several threads at once."""

    name = "lvm"
    whole_volume = True
    auto_recovery = True
    records_itself = False  # the tags come before the mount

    def __init__(self, mounts: LiveMounts, mount_root: str = MOUNT_ROOT) -> None:
        self._mounts = mounts
        self._mount_root = mount_root
        self._timestamps = UniqueTimestamps()
        self._used: Dict[str, Set[str]] = {}  # timestamps of its snapshots, by volume name

    def supports(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        mount = self._mounts.lookup(path)
        if path.startswith(self._mount_root + "/"):
            return f"{path} is inside {self._mount_root}, where fsrvpd mounts snapshots"
        with open_directory(path) as fd, as_storage_error("inspect the directory", path):
            volume_id = identify(os.fstat(fd).st_dev)
            if volume_id is None:
                return f"{path} is on no logical volume of LVM but on {mount.source}"
            if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                return f"{path} is on a file system that is mounted read-only"
        if mount.fs_type not in mounting.KINDS:
            kinds = " and ".join(mounting.KINDS)
            return f"{path} is on {mount.fs_type}, and of LVM's snapshots only {kinds} are mounted"
        if mount.root != "/":
            return f"{mount.mount_point} is mounted from inside its volume; mount the volume itself"
        inner = self.recheck(path, ignored)
        if inner is not None:
            return inner
        volume = group_of(str(volume_id), path).origin()
        if volume.kind != "thin":
            return f"{path} is on {volume.path}, which is {volume.kind}, not a thin volume"
        return None

    def recheck(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        """Everything that could change shows in the mount table."""
        return first_obstacle(mounted_below(path, ignored, self._mounts))

    def left_out(self, path: str, ignored: Sequence[str] = ()) -> List[LeftOut]:
        return left_out(path, mounted_below(path, ignored, self._mounts))

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._mounts.lookup(path).mount_point
        return identify_volume(root, volume_name_of), root

    def plan(self, request: SnapshotRequest) -> Snapshot:
        location = request.location
        with open_volume(location.volume_root, location.volume_name, volume_name_of):
            used = self._used_timestamps(location)
            source = _source(location)
            marker = plan_snapshot(request, self._timestamps, used.__contains__, source=source)
            used.add(marker.timestamp)
        return self._snapshot(location.volume_name, marker)

    def prepare(self, request: SnapshotRequest) -> None:
        location = request.location
        with open_volume(location.volume_root, location.volume_name, volume_name_of) as root:
            _refuse_full_pool(location)
            with as_storage_error("flush the volume", location.volume_root):
                files.sync_file_system(root)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        self.create_together([(request, planned)])

    def create_together(self, requests: Sequence[Tuple[SnapshotRequest, Snapshot]]) -> None:
        """At one moment if the kernel can (Linux 6.8 and later), one after the other if not."""
        origins = [_checked_origin(request) for request, _ in requests]
        try:
            with _at_one_moment(requests):
                for (request, planned), origin in zip(requests, origins):
                    _take(request, planned, origin)
            for (request, planned), origin in zip(requests, origins):
                self._mount(request, planned, origin)
        except BaseException:
            for _, planned in requests:
                self.delete(planned)
            raise

    def bring_up(self, snapshot: Snapshot) -> None:
        """Mount it where it is expected, unless it is. Raises: StorageError. LVM, which lists all
        volumes of a group whatever it is asked, is not asked about what is mounted."""
        if self._is_place(snapshot) and is_mount_point(snapshot.root):
            return
        volume = self._present(snapshot)
        if volume is None:
            raise does_not_exist(snapshot)
        argv = ["lvchange", "--activate", "y", "--ignoreactivationskip", volume.path]
        run_lvm(argv, snapshot.root)
        mounting.mount(volume.device, snapshot.root, writable=not volume.read_only)

    def seal(self, snapshot: Snapshot) -> None:
        volume = self._present(snapshot)
        if volume is None:
            raise does_not_exist(snapshot)
        if volume.read_only:
            return
        self.bring_up(snapshot)
        mounting.make_read_only(snapshot.root)
        run_lvm(["lvchange", "--permission", "r", volume.path], snapshot.root)

    def delete(self, snapshot: Snapshot) -> None:
        volume = self._present(snapshot)
        mounting.unmount(snapshot.root)
        if volume is not None:
            run_lvm(["lvremove", "--force", "--yes", volume.path], snapshot.root)

    def exists(self, snapshot: Snapshot) -> bool:
        return self._present(snapshot) is not None

    def missing(self, snapshots: Sequence[Snapshot]) -> List[Snapshot]:
        """LVM is asked once for each volume."""
        groups = {
            each.volume_name: group_of(each.volume_name, each.root)
            for each in {each.volume_name: each for each in snapshots}.values()
        }
        return missing(snapshots, lambda each: self._present_in(groups[each.volume_name], each))

    def find(self, volume_roots: Iterable[str]) -> List[FoundSnapshot]:
        return [found for root in volume_roots for found in self._found_on(root)]

    def open_share(self, snapshot: Snapshot, path: str) -> int:
        """LVM is asked only after a reboot: only root can mount anything at a snapshot's place."""
        if os.path.dirname(snapshot.root) != self._directory(snapshot.volume_name):
            raise NotOurs(snapshot.root, "is not where fsrvpd mounts snapshots of this volume")
        if not is_mount_point(snapshot.root):
            self.bring_up(snapshot)
        return open_inside(snapshot.root, path)

    def _used_timestamps(self, location: ShareLocation) -> Set[str]:
        """LVM is asked once: only this process takes such snapshots."""
        used = self._used.get(location.volume_name)
        if used is None:
            group = group_of(location.volume_name, location.volume_root)
            found = {marker.timestamp for marker in group.markers(self.name)}
            used = self._used.setdefault(location.volume_name, found)
        return used

    def _mount(self, request: SnapshotRequest, planned: Snapshot, origin: LogicalVolume) -> None:
        """Mount a snapshot that was just taken, and find the share in it."""
        device = device_of(origin.group_name, _logical_volume_name(name_of(planned)))
        mounting.mount(device, planned.root, writable=request.writable)
        with open_directory(planned.root) as root:
            find_share(root, request.location)

    def _present(self, snapshot: Snapshot) -> Optional[LogicalVolume]:
        """The logical volume of a snapshot, None when it is gone. Raises: NotOurs when
        something has its name that is not ours; StorageError when its group is missing."""
        name_of(snapshot)
        return self._present_in(group_of(snapshot.volume_name, snapshot.root), snapshot)

    def _present_in(self, group: VolumeGroup, snapshot: Snapshot) -> Optional[LogicalVolume]:
        name = name_of(snapshot)
        if not self._is_place(snapshot):
            raise NotOurs(snapshot.root, "is not where fsrvpd mounts snapshots of this volume")
        volume = group.named(_logical_volume_name(name))
        if volume is not None:
            marker = marker_from_tags(volume)
            if marker is None or (marker.name, marker.provider) != (name, self.name):
                raise NotOurs(snapshot.root, f"{volume.path} does not carry the tags of fsrvpd")
            require_readable(marker, snapshot)
        return volume

    def _found_on(self, root: str) -> Iterator[FoundSnapshot]:
        if not is_mount_point(root):
            return
        volume_id = identify(os.stat(root).st_dev)
        if volume_id is None:
            return
        volume_name = str(volume_id)
        for marker in group_of(volume_name, root).markers(self.name):
            yield marker.found(self._snapshot(volume_name, marker))

    def _is_place(self, snapshot: Snapshot) -> bool:
        return os.path.dirname(snapshot.root) == self._directory(snapshot.volume_name)

    def _directory(self, volume_name: str) -> str:
        """Return the directory in which the snapshots of a volume are mounted."""
        return os.path.join(self._mount_root, volume_name.rpartition(":")[2])

    def _snapshot(self, volume_name: str, marker: SnapshotMarker) -> Snapshot:
        root = os.path.join(self._directory(volume_name), str(marker.name))
        share = os.path.join(root, marker.path) if marker.path else root
        return Snapshot(self.name, volume_name, root, share, marker.created)


def _at_one_moment(requests: Sequence[Tuple[SnapshotRequest, Snapshot]]) -> ContextManager[None]:
    """Freezes the volumes while several snapshots are taken, if the kernel can."""
    roots = [request.location.volume_root for request, _ in requests]
    if len(roots) == 1:
        return nullcontext()
    if can_snapshot_frozen():
        return frozen(roots, freeze.LIMIT)
    log.info(
        "%s: snapshots are taken one after the other; Linux before 6.8 cannot take them at one"
        " moment",
        ", ".join(roots),
    )
    return nullcontext()


def _checked_origin(request: SnapshotRequest) -> LogicalVolume:
    """The volume of which a snapshot is to be taken. Raises: StorageError unless the share
    is where it was and the pool has room."""
    location = request.location
    with open_volume(location.volume_root, location.volume_name, volume_name_of) as root:
        find_share(root, location)
    return _refuse_full_pool(location).origin()


def _refuse_full_pool(location: ShareLocation) -> VolumeGroup:
    group = group_of(location.volume_name, location.volume_root)
    group.refuse_full_pool(location.share.settings.pool_limit, location.volume_root)
    return group


def _take(request: SnapshotRequest, planned: Snapshot, origin: LogicalVolume) -> None:
    """Take the snapshot, which is not yet mounted and is never activated at boot."""
    name = name_of(planned)
    # Not --snapshot: that has the module dm_snapshot loaded, which it does not use and the
    # daemon's unit may not do.
    argv = ["lvcreate", "--type", "thin", "--name", _logical_volume_name(name)]
    argv += ["--permission", "rw" if request.writable else "r"]
    argv += ["--setactivationskip", "y", "--activate", "y", "--ignoreactivationskip"]
    for tag in tags_of(marker_for(request, name.timestamp, _source(request.location))):
        argv += ["--addtag", tag]
    run_lvm([*argv, origin.path], request.location.volume_root)


def _source(location: ShareLocation) -> str:
    """The origin is in the marker, for LVM forgets it when it is removed."""
    volume_id = parse_volume_name(location.volume_name)
    return volume_id.volume if volume_id else ""


def _logical_volume_name(name: SnapshotName) -> str:
    return f"fsrvp-{name.bare_id}"
