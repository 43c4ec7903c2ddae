"""Snapshots of ZFS datasets; those of several datasets of one pool are taken at one moment.

The volume of a share is the dataset that is mounted there. A snapshot is read where ZFS
shows it, in `.zfs/snapshot` of its dataset, and nobody can write to it. For auto-recovery
there is a clone beside it, a dataset of its own below the share's, mounted in `.fsrvpd`,
and made read-only when it is sealed:

tank/projects@fsrvp-ID_GMT-2026.11.21-08.30.00
tank/projects/fsrvp-ID                            only for auto-recovery

A user property of the snapshot is our mark (see datasets.py). A hold that somebody has put
on a snapshot of ours is respected: it is not deleted, and the error says why.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from fsrvpd.core import files
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Found, PreviousVersions, SharePlace, Snapshot, SnapshotRequest
from fsrvpd.providers import datasets, ground, home, mark
from fsrvpd.providers.failures import reported
from fsrvpd.providers.labels import Labels
from fsrvpd.providers.mark import Mark, SnapshotName, label

SNAPSHOTS = ".zfs/snapshot"
_RESERVED = (".zfs", home.NAME)
_CLONE = "clone"  # in the mark of one that is for auto-recovery


class _Place(NamedTuple):
    """A snapshot of ours: where it is, and as what."""

    root: str  # of the volume
    dataset: str
    name: SnapshotName
    clone: bool

    @property
    def snapshot(self) -> str:
        return f"{self.dataset}@{datasets.name_of(self.name)}"

    @property
    def clone_dataset(self) -> str:
        return f"{self.dataset}/fsrvp-{self.name.shadow_copy_id.strip('{}')}"


class Zfs:
    """A `Provider`, one that takes several at one moment. Its methods may be called from
    several threads at once."""

    name = "zfs"
    whole_volume = True
    auto_recovery = True

    def __init__(self, mounts: LiveMounts) -> None:
        self._mounts = mounts
        self._labels = Labels()

    def supports(self, path: str) -> Optional[str]:
        mount = self._mounts.lookup(path)
        if mount.fs_type != "zfs":
            return f"{path} is not on ZFS but on {mount.fs_type}"
        for reserved in _RESERVED:
            if reserved in path.split("/"):
                return f"{path} is inside {reserved}, where snapshots are"
        if mount.root != "/":
            return f"{mount.mount_point} is mounted from inside a dataset; mount the dataset itself"
        own = tuple(os.path.join(mount.mount_point, each, "") for each in _RESERVED)
        for inner in self._mounts.below(path):
            if not inner.mount_point.startswith(own):
                return (
                    f"{inner.source}, mounted at {inner.mount_point}, would be missing in a"
                    " snapshot: share it by itself"
                )
        with ground.directory(path) as fd, reported("inspect the directory", path):
            if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                return f"{path} is on a dataset that is mounted read-only"
        return None

    def recheck(self, path: str) -> Optional[str]:
        """All that could change shows in the mount table."""
        return None

    def locate(self, path: str) -> Tuple[str, str]:
        root = self._mounts.lookup(path).mount_point
        with ground.directory(root) as fd, reported("identify the volume", root):
            return _name(fd), root

    def plan(self, request: SnapshotRequest) -> Snapshot:
        place, own = request.place, _mark(request)
        mark.encode(own)  # refused now rather than when applications stand still
        with ground.opened(place.volume_root, place.volume_name, _name):
            labels = _labels(place.volume_root)
            second = self._labels.reserve(
                place.volume_name, int(request.created), lambda second: label(second) in labels
            )
        name = SnapshotName(request.shadow_copy_id, label(second))
        return _snapshot(place.volume_root, place.volume_name, name, own)

    def prepare(self, request: SnapshotRequest) -> None:
        place = request.place
        with ground.opened(place.volume_root, place.volume_name, _name) as root:
            if request.writable:
                with reported(f"make {home.NAME}", place.volume_root):
                    home.ensure(root, place.volume_root).close()
            _write_back(root, place.volume_root)

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        self.create_together([(request, planned)])

    def create_together(self, wanted: Sequence[Tuple[SnapshotRequest, Snapshot]]) -> None:
        """Of one moment within each pool; one pool follows the other."""
        pools: Dict[str, List[Tuple[str, SnapshotName, Mark]]] = {}
        for request, planned in wanted:
            _find_share(request.place, request.place.volume_root)
            place = self._place(planned)
            item = (place.dataset, place.name, _mark(request))
            pools.setdefault(datasets.pool_of(place.dataset), []).append(item)
        try:
            for together in pools.values():
                datasets.take(together)
            for request, planned in wanted:
                self._show(request, planned)
        except BaseException:
            for _, planned in wanted:
                self.delete(planned)
            raise

    def seal(self, snapshot: Snapshot) -> None:
        place = self._present(snapshot)
        if place is None:
            raise StorageError(snapshot.root, "this snapshot is not there any more")
        if place.clone:
            with ground.directory(snapshot.root) as fd:
                _write_back(fd, snapshot.root)
            datasets.make_read_only(place.clone_dataset)

    def delete(self, snapshot: Snapshot) -> None:
        place = self._present(snapshot)
        if place is None:
            return
        if place.clone:
            if datasets.children(place.dataset).get(place.clone_dataset) == place.snapshot:
                datasets.destroy(place.clone_dataset)
            with reported("remove the mount point", snapshot.root), suppress(FileNotFoundError):
                os.rmdir(snapshot.root)
        datasets.destroy(place.snapshot)

    def find(self, volume_roots: Iterable[str]) -> List[Found]:
        return [found for root in volume_roots for found in self._found_on(root)]

    def previous_versions(self, place: SharePlace) -> PreviousVersions:
        return PreviousVersions(os.path.join(place.volume_root, SNAPSHOTS), place.volume_root)

    def _show(self, request: SnapshotRequest, planned: Snapshot) -> None:
        """Make it writable where that was asked for, and find the share in it."""
        place = self._place(planned)
        if place.clone:
            self.prepare(request)
            with reported("make the mount point", planned.root):
                os.mkdir(planned.root, 0o700)  # ZFS' own way fails beyond ASCII in locale C
            datasets.clone(place.snapshot, place.clone_dataset, planned.root)
        _find_share(request.place, planned.root)

    def _place(self, snapshot: Snapshot) -> _Place:
        """Raises: NotOurs when it cannot be one, StorageError when its volume is not here."""
        directory, _, text = snapshot.root.rpartition("/")
        for below, parse in ((SNAPSHOTS, datasets.parse_name), (home.NAME, mark.parse_name)):
            name = parse(text)
            if name is not None and directory.endswith("/" + below) and "/.." not in directory:
                root = directory[: -len(below) - 1] or "/"
                with ground.opened(root, snapshot.volume_name, _name):
                    dataset = self._mounts.lookup(root).source
                return _Place(root, dataset, name, below == home.NAME)
        raise NotOurs(snapshot.root, "is not named like a snapshot that fsrvpd made")

    def _present(self, snapshot: Snapshot) -> Optional[_Place]:
        """None when there is nothing of it any more. Raises: NotOurs without our mark."""
        place = self._place(snapshot)
        for found in datasets.marked(place.dataset):
            if found.name == place.name and (found.mark.holder == _CLONE) == place.clone:
                return place
        # ZFS goes on to know the path of one that is gone for a while, but does not list it.
        there = datasets.name_of(place.name) in _listed(place.root)
        if there or (place.clone and os.path.lexists(snapshot.root)):
            raise NotOurs(snapshot.root, "does not carry the mark of fsrvpd")
        return None

    def _found_on(self, root: str) -> Iterator[Found]:
        if not os.path.ismount(root):
            return
        mount = self._mounts.lookup(root)
        if mount.fs_type != "zfs" or "@" in mount.source:
            return
        with ground.directory(root) as fd, reported("identify the volume", root):
            volume_name = _name(fd)
        for name, own in datasets.marked(mount.source):
            yield ground.found(_snapshot(root, volume_name, name, own), own)


def _write_back(root: int, path: str) -> None:
    with reported("write back what is dirty", path):
        files.sync_file_system(root)


def _name(root: int) -> str:
    """What ZFS gives each dataset for life, its name changing or not."""
    return f"zfs:{os.fstatvfs(root).f_fsid:016x}"


def _mark(request: SnapshotRequest) -> Mark:
    return ground.mark_of(request)._replace(holder=_CLONE if request.writable else "")


def _snapshot(root: str, volume_name: str, name: SnapshotName, own: Mark) -> Snapshot:
    if own.holder == _CLONE:
        directory = os.path.join(root, home.NAME, str(name))
    else:
        directory = os.path.join(root, SNAPSHOTS, datasets.name_of(name))
    share = os.path.join(directory, own.path) if own.path else directory
    return Snapshot(Zfs.name, volume_name, directory, share, own.created)


def _listed(root: str) -> List[str]:
    with reported("list the snapshots", root):
        return os.listdir(os.path.join(root, SNAPSHOTS))


def _labels(root: str) -> Set[str]:
    names = (datasets.parse_name(text) for text in _listed(root))
    return {name.label for name in names if name}


def _find_share(place: SharePlace, root: str) -> None:
    """It may have been moved away meanwhile, or replaced by a link to elsewhere."""
    with ground.directory(root) as fd, reported("find the share", place.directory):
        os.close(ground.open_below(fd, ground.below(place)))
