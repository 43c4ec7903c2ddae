"""Snapshots that an admin's own commands take: of any storage that Linux can mount.

The volume is what is mounted; each share on it has snapshots of its own. Wherever a command
puts its snapshot, fsrvpd shows it at

/run/fsrvpd/command/<key of the share's directory>/fsrvp-{ID}_GMT-…/

by a bind mount that is read-only whatever the command made: sealing takes no command. A
reboot removes the mounts: `bring_up` makes them again.

A share gets these snapshots only if its section says `fsrvp:provider = command`.
"""

from __future__ import annotations

import logging
import os
from hashlib import blake2b
from typing import Iterable, List, NamedTuple, Optional, Sequence, Tuple

from fsrvpd.core import files, mounts
from fsrvpd.core.bind_mounts import is_mount_point
from fsrvpd.core.descriptors import DIRECTORY_FLAGS, exists
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.options.share import ShareOptions
from fsrvpd.protocol.ports import (
    FoundSnapshot,
    LeftOut,
    Share,
    ShareLocation,
    Snapshot,
    SnapshotRequest,
)
from fsrvpd.providers import mounting
from fsrvpd.providers.catalog.marker import (
    SnapshotMarker,
    marker_for,
    name_of,
    require_readable,
)
from fsrvpd.providers.catalog.snapshots import does_not_exist, plan_snapshot
from fsrvpd.providers.catalog.timestamps import UniqueTimestamps
from fsrvpd.providers.catalog.volume import (
    find_share,
    identify_volume,
    open_directory,
    open_volume,
    relative_path,
)
from fsrvpd.providers.command import records
from fsrvpd.providers.command.hooks import Hooks, OptionsOf
from fsrvpd.providers.command.records import Record, printed_path
from fsrvpd.providers.command.volume_name import volume_name_of
from fsrvpd.providers.gaps import first_obstacle, left_out, mounted_below
from fsrvpd.providers.os_errors import as_storage_error

log = logging.getLogger(__name__)

MOUNT_ROOT = f"{mounts.MOUNT_ROOT}/command"
_FOLDER = "command"  # below the folder of the daemon's state
# s, for a command that was started before the daemon was
_RUNNING_COMMAND_TIMEOUT = 2.0 * ShareOptions.read({}).command_timeout


class _KnownSnapshot(NamedTuple):
    """A snapshot that has a record."""

    record: Record
    marker: SnapshotMarker

    @property
    def volume_root(self) -> str:
        return self.marker.source

    @property
    def directory(self) -> str:
        """The directory of which it is a snapshot."""
        return os.path.join(self.volume_root, self.marker.path).rstrip("/") or "/"


class Command:
    """A `Provider` that asks the share, and mounts its snapshots. Its methods may be called
    from several threads at once."""

    name = "command"
    whole_volume = False
    auto_recovery = True
    records_itself = False  # the record comes before what the command makes

    def __init__(
        self,
        mounts: LiveMounts,
        options_of: OptionsOf,
        folder: str,
        mount_root: str = MOUNT_ROOT,
    ) -> None:
        """`folder` is that of the daemon's state; for `options_of` see `Hooks`."""
        self._mounts = mounts
        self._hooks = Hooks(options_of)
        self._folder = os.path.join(folder, _FOLDER)
        self._timestamps = UniqueTimestamps()
        self._mount_root = mount_root

    def supports(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        if path.startswith(self._mount_root + "/"):
            return f"{path} is inside {self._mount_root}, where fsrvpd mounts snapshots"
        inner = self.recheck(path, ignored)
        if inner is not None:
            return inner
        with open_directory(path) as fd, as_storage_error("inspect the directory", path):
            if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                return f"{path} is on a file system that is mounted read-only"
        return None

    def supports_share(self, share: Share, path: str) -> Optional[str]:
        ignored = share.settings.ignore_subvolumes
        return self.supports(path, ignored) or self._hooks.why_not(share, path)

    def recheck(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        """The check command is run again when the mount table has changed."""
        return first_obstacle(mounted_below(path, ignored, self._mounts))

    def left_out(self, path: str, ignored: Sequence[str] = ()) -> List[LeftOut]:
        return left_out(path, mounted_below(path, ignored, self._mounts))

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._mounts.lookup(path).mount_point
        return identify_volume(root, self._volume_name), root

    def plan(self, request: SnapshotRequest) -> Snapshot:
        location = request.location
        directory = os.path.join(self._folder, _key_for(location))
        with open_volume(location.volume_root, location.volume_name, self._volume_name):
            marker = plan_snapshot(
                request,
                self._timestamps,
                lambda timestamp: os.path.lexists(os.path.join(directory, timestamp)),
                source=location.volume_root,
                scope=directory,
            )
        return self._snapshot(location.volume_name, marker)

    def prepare(self, request: SnapshotRequest) -> None:
        location = request.location
        root, name = location.volume_root, location.volume_name
        opened = open_volume(root, name, self._volume_name)
        with opened as fd, as_storage_error("flush the volume", root):
            files.sync_file_system(fd)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        location, record = request.location, self._record(planned)
        marker = marker_for(request, record.name.timestamp, location.volume_root)
        with open_volume(location.volume_root, location.volume_name, self._volume_name) as root:
            find_share(root, location)
            record.put(marker, writable=request.writable)
            try:
                path = self._run_create(request, marker, record, root)
                self._mount(request, planned, path)
            except BaseException:
                self.delete(planned)
                raise

    def bring_up(self, snapshot: Snapshot) -> None:
        """Mount it where it is expected, unless it is. Raises: StorageError."""
        known = self._present(snapshot)
        if known is None:
            raise does_not_exist(snapshot)
        if not is_mount_point(snapshot.root):
            with known.record.locked(_RUNNING_COMMAND_TIMEOUT) as fd:
                path = printed_path(fd)
            if not path:
                raise StorageError(snapshot.root, "its create command did not finish")
            mounting.bind(path, snapshot.root, writable=known.record.writable)

    def seal(self, snapshot: Snapshot) -> None:
        self.bring_up(snapshot)
        with open_directory(snapshot.root) as fd, as_storage_error("flush it", snapshot.root):
            files.sync_file_system(fd)
        mounting.make_bind_read_only(snapshot.root)
        self._record(snapshot).seal()

    def delete(self, snapshot: Snapshot) -> None:
        known = self._present(snapshot)
        if known is None:
            return
        mounting.unmount(snapshot.root)
        with known.record.locked(_RUNNING_COMMAND_TIMEOUT) as fd:
            path = printed_path(fd)
            if path:
                self._run_delete(known, path, fd)
            else:
                log.warning(
                    "%s: the create command had printed no path, so the delete command is not run",
                    snapshot.root,
                )
        root = known.volume_root
        with open_directory(root) as volume, as_storage_error("flush the volume", root):
            files.sync_file_system(volume)
        known.record.remove()

    def exists(self, snapshot: Snapshot) -> bool:
        if self._present(snapshot) is None:
            return False
        with as_storage_error("find it", snapshot.root):
            return exists(snapshot.root)

    def find(self, volume_roots: Iterable[str]) -> List[FoundSnapshot]:
        volume_names = {
            root: identify_volume(root, self._volume_name)
            for root in volume_roots
            if is_mount_point(root)
        }
        return [
            marker.found(self._snapshot(volume_names[marker.source], marker))
            for key, marker in records.markers_in(self._folder)
            if marker.source in volume_names
            and key == _key(volume_names[marker.source], marker.path)
        ]

    def open_share(self, snapshot: Snapshot, path: str) -> int:
        self.bring_up(snapshot)
        marker = self._record(snapshot).marker()
        if marker is None or marker.path != path:
            raise StorageError(snapshot.root, f"is no snapshot of {path}")
        with as_storage_error("open the share in the snapshot", snapshot.root):
            return os.open(snapshot.root, DIRECTORY_FLAGS)

    def _run_create(
        self, request: SnapshotRequest, marker: SnapshotMarker, record: Record, root: int
    ) -> str:
        """The path that the create command printed, on the disk with what is there."""
        with record.locked(0) as fd:
            self._hooks.create(request, marker, fd)
            with as_storage_error("flush the volume", marker.source):
                os.fsync(fd)
                files.sync_file_system(root)
            path = printed_path(fd)
        directory = request.location.directory
        reason = _why_impossible(path, directory)
        if reason is not None:
            raise StorageError(directory, f"its create command printed {path!r}, {reason}")
        return path

    def _mount(self, request: SnapshotRequest, planned: Snapshot, path: str) -> None:
        mounting.bind(path, planned.root, writable=request.writable)
        if request.writable and not os.access(planned.root, os.W_OK):
            raise StorageError(
                request.location.directory,
                f"its create command made {path}, which cannot be written to, but the requestor"
                " wants to recover in it (auto-recovery); see $FSRVPD_WRITABLE",
            )

    def _run_delete(self, known: _KnownSnapshot, path: str, lock: int) -> None:
        """Delete what the create command made, unless it is gone already."""
        if _holds(path, known.directory):
            raise StorageError(path, "is not deleted, because it is or holds the share itself")
        try:
            self._hooks.delete(known.marker, known.directory, path, lock)
        except StorageError:
            with as_storage_error("find out whether it was deleted", path):
                is_left = exists(path)
            if is_left:
                raise
            log.info("%s: the delete command failed, but nothing is left at this path", path)

    def _present(self, snapshot: Snapshot) -> Optional[_KnownSnapshot]:
        """None when it is gone. Raises: NotOurs when something that is not ours is at its
        path; StorageError when its volume is not mounted."""
        record = self._record(snapshot)
        marker = record.marker()
        if marker is None:
            with as_storage_error("look for it", snapshot.root):
                is_there = exists(snapshot.root)
            if is_there:
                raise NotOurs(snapshot.root, "fsrvpd has no record of it")
            return None
        require_readable(marker, snapshot)
        if record.key != _key(snapshot.volume_name, marker.path):
            raise NotOurs(snapshot.root, "its record is of another volume")
        with open_volume(marker.source, snapshot.volume_name, self._volume_name):
            return _KnownSnapshot(record, marker)

    def _record(self, snapshot: Snapshot) -> Record:
        name = name_of(snapshot)
        mount_root, key = os.path.split(os.path.dirname(snapshot.root))
        if mount_root != self._mount_root:
            raise NotOurs(snapshot.root, "is not where fsrvpd mounts snapshots")
        return Record(self._folder, key, name)

    def _snapshot(self, volume_name: str, marker: SnapshotMarker) -> Snapshot:
        key = _key(volume_name, marker.path)
        root = os.path.join(self._mount_root, key, str(marker.name))
        return Snapshot(self.name, volume_name, root, root, marker.created)

    def _volume_name(self, root: int) -> str:
        return volume_name_of(root, self._mounts)


def _why_impossible(path: str, directory: str) -> Optional[str]:
    """Why a printed path cannot be that of a snapshot of a share's directory, or None."""
    if not os.path.isabs(path):
        return "which is no absolute path"
    if not os.path.isdir(path):
        return "which is no directory"
    if _holds(path, directory):
        return "which is or holds the share itself"
    return None


def _holds(path: str, directory: str) -> bool:
    real = os.path.realpath(path)
    return os.path.commonpath([real, directory]) == real


def _key_for(location: ShareLocation) -> str:
    return _key(location.volume_name, relative_path(location))


def _key(volume_name: str, path: str) -> str:
    """A name for a directory of a volume."""
    return blake2b(os.fsencode(f"{volume_name}\0{path}"), digest_size=16).hexdigest()
