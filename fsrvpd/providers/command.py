"""Snapshots that an admin's own commands take: of any storage that Linux can mount.

The volume is what is mounted; each share on it has snapshots of its own. Wherever a command
puts its snapshot, it is seen at

/run/fsrvpd/command/<key of the share's directory>/fsrvp-{ID}_GMT-…/

where it is mounted read-only once more (a bind mount), whatever the command made: that it
is sealed takes no command. What is mounted goes with a reboot: `bring_up` puts it back.

A share gets these snapshots only if its section says `fsrvp:provider = command`.
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from hashlib import blake2b
from typing import Iterable, List, NamedTuple, Optional, Tuple
from uuid import UUID

from fsrvpd.core import btrfs, files
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import (
    Found,
    PreviousVersions,
    Share,
    SharePlace,
    Snapshot,
    SnapshotRequest,
)
from fsrvpd.providers import ground, records, snapshot_mounts
from fsrvpd.providers.failures import reported
from fsrvpd.providers.labels import Labels
from fsrvpd.providers.mark import Mark, SnapshotName, encode, label
from fsrvpd.providers.options import DEFAULT_COMMAND_TIMEOUT, wants_previous_versions
from fsrvpd.providers.records import Record
from fsrvpd.providers.scripts import OptionsOf, Scripts

log = logging.getLogger(__name__)

PLACE = f"{snapshot_mounts.PLACE}/command"
_BY_UUID = "/dev/disk/by-uuid"
RECORDS = "command"  # below the folder of the daemon's state
_PATIENCE = 2.0 * DEFAULT_COMMAND_TIMEOUT  # s, for a command that a former life has started


class _Known(NamedTuple):
    """A snapshot of ours that is not gone."""

    record: Record
    mark: Mark
    root: str  # of the volume

    @property
    def base(self) -> str:
        """The directory of which it is a snapshot."""
        return os.path.join(self.root, self.mark.path) if self.mark.path else self.root


class Command:
    """A `Provider`, one that asks the share, one whose snapshots are mounted. Its methods
    may be called from several threads at once."""

    name = "command"
    whole_volume = False
    auto_recovery = True

    def __init__(
        self, mounts: LiveMounts, options_of: OptionsOf, folder: str, place: str = PLACE
    ) -> None:
        """`folder` is the daemon's own; for `options_of` see `Scripts`."""
        self._mounts = mounts
        self._scripts = Scripts(options_of)
        self._records = os.path.join(folder, RECORDS)
        self._labels = Labels()
        self._place = place

    def supports(self, path: str) -> Optional[str]:
        if path.startswith(self._place + "/"):
            return f"{path} is inside {self._place}, where fsrvpd mounts snapshots"
        for inner in self._mounts.below(path):
            return f"what is mounted at {inner.mount_point} would be missing in a snapshot"
        with ground.directory(path) as fd, reported("inspect the directory", path):
            if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                return f"{path} is on a file system that is mounted read-only"
        return None

    def supports_share(self, share: Share, path: str) -> Optional[str]:
        return self.supports(path) or self._scripts.why_not(share, path)

    def recheck(self, path: str) -> Optional[str]:
        """What the command would say is asked again when the mount table has changed."""
        return None

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._mounts.lookup(path).mount_point
        with ground.directory(root) as fd, reported("identify the volume", root):
            return self._name(fd), root

    def plan(self, request: SnapshotRequest) -> Snapshot:
        place, own = request.place, _mark(request)
        encode(own)  # refused now rather than when applications stand still
        directory = os.path.join(self._records, _key(place.volume_name, own.path))
        with ground.opened(place.volume_root, place.volume_name, self._name):
            second = self._labels.reserve(
                directory,
                int(request.created),
                lambda second: os.path.lexists(os.path.join(directory, label(second))),
            )
        return self._snapshot(place.volume_name, label(second), own)

    def prepare(self, request: SnapshotRequest) -> None:
        place = request.place
        with ground.opened(place.volume_root, place.volume_name, self._name) as root:
            self._directory(request)
            with reported("write back what is dirty", place.volume_root):
                files.sync_file_system(root)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        place, own = request.place, _mark(request)
        record = self._record(planned)
        with ground.opened(place.volume_root, place.volume_name, self._name) as root:
            with reported("find the share", place.directory):
                os.close(ground.open_below(root, own.path))
            record.put(own, writable=request.writable)
            try:
                self._take(request, planned, record, root)
            except BaseException:
                self.delete(planned)
                raise

    def bring_up(self, snapshot: Snapshot) -> None:
        """Mount it where it is expected; nothing happens when it is. Raises: StorageError."""
        known = self._present(snapshot)
        if known is None:
            raise StorageError(snapshot.root, "this snapshot is not there any more")
        if not os.path.ismount(snapshot.root):
            with known.record.locked(_PATIENCE) as fd:
                path = records.answer(fd)
            if not path:
                raise StorageError(snapshot.root, "its create command never came to an end")
            snapshot_mounts.bind(path, snapshot.root, writable=known.record.writable)

    def seal(self, snapshot: Snapshot) -> None:
        self.bring_up(snapshot)
        with ground.directory(snapshot.root) as fd, reported("write it back", snapshot.root):
            files.sync_file_system(fd)
        snapshot_mounts.make_bind_read_only(snapshot.root)
        self._record(snapshot).seal()

    def delete(self, snapshot: Snapshot) -> None:
        known = self._present(snapshot)
        if known is None:
            return
        snapshot_mounts.unmount(snapshot.root)
        with known.record.locked(_PATIENCE) as fd:
            path = records.answer(fd)
            if path:
                self._remove(known, path, fd)
            else:
                log.warning("%s: its create command named nothing to delete", snapshot.root)
        with ground.directory(known.root) as root, reported("write back", known.root):
            files.sync_file_system(root)
        known.record.drop()

    def find(self, volume_roots: Iterable[str]) -> List[Found]:
        here = {root: self._name_at(root) for root in volume_roots if os.path.ismount(root)}
        return [
            self._found(here[own.holder], label, own)
            for key, label, own in records.all_in(self._records)
            if own.holder in here and key == _key(here[own.holder], own.path)
        ]

    def previous_versions(self, place: SharePlace) -> PreviousVersions:
        key = _key(place.volume_name, ground.below(place))
        return PreviousVersions(os.path.join(self._place, key), place.directory)

    def _remove(self, known: _Known, path: str, lock: int) -> None:
        """What the command made, unless it has gone already."""
        if _holds(path, known.base):
            raise StorageError(path, "would be deleted, and is or holds the share itself")
        try:
            self._scripts.delete(known.mark, known.record.name, known.base, path, lock)
        except StorageError:
            if os.path.lexists(path):
                raise
            log.info("%s: has gone already", path)

    def _take(self, request: SnapshotRequest, planned: Snapshot, record: Record, root: int) -> None:
        """Have the command run, and look at what it made."""
        with record.locked(0) as fd:
            self._scripts.create(request, record.name, fd)
            path = records.answer(fd)
            with reported("write it to the disk", planned.root):
                os.fsync(fd)
                files.sync_file_system(root)
        why = _why_impossible(path, request.place.directory)
        if why is not None:
            raise StorageError(request.place.directory, f"its create command said {path!r}, {why}")
        self._directory(request)
        snapshot_mounts.bind(path, planned.root, writable=request.writable)
        if request.writable and not os.access(planned.root, os.W_OK):
            raise StorageError(
                request.place.directory,
                f"its create command made {path}, which cannot be written to, but the requestor"
                " wants to recover in it (auto-recovery); see $FSRVPD_WRITABLE",
            )

    def _directory(self, request: SnapshotRequest) -> None:
        """Where snapshots of the share are mounted: passed through by users, and listed if
        the share wants that."""
        place = request.place
        with reported("make the directory of its snapshots", place.directory):
            snapshot_mounts.make_shelf(
                self.previous_versions(place).snapdir, wants_previous_versions(place.share)
            )

    def _present(self, snapshot: Snapshot) -> Optional[_Known]:
        """None when it is gone. Raises: NotOurs when something has its place that is not
        ours; StorageError when its volume is not here."""
        record = self._record(snapshot)
        own = record.mark()
        if own is None:
            if os.path.lexists(snapshot.root):
                raise NotOurs(snapshot.root, "there is no record of it by fsrvpd")
            return None
        if record.key != _key(snapshot.volume_name, own.path):
            raise NotOurs(snapshot.root, "is not of the volume that is said")
        with ground.opened(own.holder, snapshot.volume_name, self._name):
            return _Known(record, own, own.holder)

    def _record(self, snapshot: Snapshot) -> Record:
        name = ground.parsed(snapshot)
        place, key = os.path.split(os.path.dirname(snapshot.root))
        if place != self._place:
            raise NotOurs(snapshot.root, "is not where fsrvpd mounts snapshots")
        return Record(self._records, key, name)

    def _found(self, volume_name: str, label: str, own: Mark) -> Found:
        return ground.found(self._snapshot(volume_name, label, own), own)

    def _snapshot(self, volume_name: str, label: str, own: Mark) -> Snapshot:
        name = SnapshotName(own.shadow_copy_id, label)
        root = os.path.join(self._place, _key(volume_name, own.path), str(name))
        return Snapshot(self.name, volume_name, root, root, own.created)

    def _name_at(self, root: str) -> str:
        with ground.directory(root) as fd, reported("identify the volume", root):
            return self._name(fd)

    def _name(self, root: int) -> str:
        """Its UUID where it has one that the kernel tells, else what was mounted."""
        with suppress(OSError):
            return f"command:{_uuid(root)}"
        mount = self._mounts.lookup(os.readlink(f"/proc/self/fd/{root}"))
        return f"command:{mount.fs_type}:{mount.source}:{mount.root}"


def _why_impossible(path: str, base: str) -> Optional[str]:
    """Why a command's answer cannot be the place of a snapshot of `base`, None if it can."""
    if not os.path.isabs(path):
        return "which is no absolute path"
    if not os.path.isdir(path):
        return "which is no directory"
    if _holds(path, base):
        return "which is or holds the share itself"
    return None


def _holds(path: str, base: str) -> bool:
    real = os.path.realpath(path)
    return os.path.commonpath([real, base]) == real


def _uuid(root: int) -> UUID:
    """Raises: OSError when there is none, or Linux before 6.9 does not tell."""
    if files.file_system_magic(root) == btrfs.SUPER_MAGIC:
        return UUID(bytes=btrfs.file_system_uuid(root))
    with suppress(OSError):
        return UUID(bytes=files.file_system_uuid(root))
    device = os.fstat(root).st_dev
    for name in os.listdir(_BY_UUID):
        if os.stat(os.path.join(_BY_UUID, name)).st_rdev == device:
            return UUID(name)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), _BY_UUID)


def _mark(request: SnapshotRequest) -> Mark:
    return ground.mark_of(request)._replace(holder=request.place.volume_root)


def _key(volume_name: str, path: str) -> str:
    """A name for a directory of a volume."""
    return blake2b(os.fsencode(f"{volume_name}\0{path}"), digest_size=16).hexdigest()
