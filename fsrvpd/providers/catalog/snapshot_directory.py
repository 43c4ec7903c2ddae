"""`.fsrvpd`, the directory at the root of a volume that holds the snapshots of that volume.

.fsrvpd/                                         0700: users reach copies through mounts only
.fsrvpd/.marks/2026.11.21-08.30.00               one marker a snapshot (see marker.py)
.fsrvpd/fsrvp-{ID}_GMT-2026.11.21-08.30.00/      what a provider put there

On btrfs it is a subvolume, so that a snapshot of the volume does not contain the others.
Which directory it is, `own_directory` knows, whatever users have done to its name.
"""

from __future__ import annotations

import errno
import logging
import os
import shlex
import stat
from contextlib import contextmanager, suppress
from itertools import islice
from types import TracebackType
from typing import Callable, Iterator, List, Optional, Type

from fsrvpd.core import handles
from fsrvpd.core.descriptors import DIRECTORY_FLAGS, closing_fd, exists_at
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Snapshot
from fsrvpd.providers.catalog import own_directory
from fsrvpd.providers.catalog.marker import (
    SnapshotMarker,
    SnapshotName,
    decode_any,
    encode,
    is_relative,
)
from fsrvpd.providers.catalog.own_directory import MARKERS, close_to_users
from fsrvpd.providers.catalog.volume import open_directory
from fsrvpd.providers.os_errors import as_storage_error

log = logging.getLogger(__name__)

NAME = own_directory.NAME
MARKERS_MAX = 50_000  # on one volume


class SnapshotDirectory:
    """An open `.fsrvpd`; a context manager that closes it."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd

    def __enter__(self) -> SnapshotDirectory:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        os.close(self.fd)

    def put_marker(self, marker: SnapshotMarker) -> None:
        """Raises: StorageError, with EEXIST when another snapshot has this timestamp."""
        with as_storage_error("record the snapshot", self.path):
            link = os.fsencode(_marker_path(marker.timestamp))
            os.symlink(encode(marker), link, dir_fd=self.fd)

    def replace_marker(self, marker: SnapshotMarker, free: str) -> None:
        """Never is there none. `free`: a path below this directory for it until it is in its
        place, removed with what else is left of the snapshot. Raises: OSError, StorageError."""
        os.symlink(encode(marker), os.fsencode(free), dir_fd=self.fd)
        link = _marker_path(marker.timestamp)
        os.rename(free, link, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def marker(self, timestamp: str) -> Optional[SnapshotMarker]:
        """None when there is none, or none that is understood. Raises: OSError."""
        marker = self._marker(timestamp)
        return marker if marker and marker.readable else None

    def has_timestamp(self, timestamp: str) -> bool:
        return exists_at(_marker_path(timestamp), self.fd)

    def remove_marker(self, timestamp: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(_marker_path(timestamp), dir_fd=self.fd)

    def markers(self) -> List[SnapshotMarker]:
        """Every marker, oldest first, also those of other versions of fsrvpd. What is not
        understood at all is logged and left alone.
        Raises: OSError, StorageError when there are more than fsrvpd ever puts down."""
        found, others = [], []
        for timestamp in sorted(self._timestamps()):
            marker = self._marker(timestamp)
            if marker is None:
                others.append(os.path.join(self.path, _marker_path(timestamp)))
            else:
                found.append(marker)
        if others:
            more = f" and {len(others) - 1} others" if len(others) > 1 else ""
            log.warning("%s%s: not a marker of this version of fsrvpd, left alone", others[0], more)
        return found

    def _marker(self, timestamp: str) -> Optional[SnapshotMarker]:
        text = self._read(timestamp)
        marker = None if text is None else decode_any(text, timestamp)
        return marker if marker and is_relative(marker.source) else None

    def _read(self, timestamp: str) -> Optional[bytes]:
        try:
            return os.readlink(os.fsencode(_marker_path(timestamp)), dir_fd=self.fd)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINVAL):
                return None
            raise

    def _timestamps(self) -> List[str]:
        try:
            fd = os.open(MARKERS, DIRECTORY_FLAGS, dir_fd=self.fd)
        except FileNotFoundError:
            return []
        with closing_fd(fd), os.scandir(fd) as entries:
            names = [entry.name for entry in islice(entries, MARKERS_MAX + 1)]
        if len(names) > MARKERS_MAX:
            where = os.path.join(self.path, MARKERS)
            raise StorageError(where, f"holds more than {MARKERS_MAX} markers, so it is not read")
        return names


def find(root: int, path: str) -> Optional[SnapshotDirectory]:
    """The snapshot directory of the volume whose root `path` is open as `root`, None without
    one. Raises: OSError, and StorageError when it cannot be told which it is."""
    fd = own_directory.find(root, path)
    return None if fd is None else SnapshotDirectory(os.path.join(path, NAME), fd)


def ensure(root: int, path: str) -> SnapshotDirectory:
    """`find`, but it is made when there is none. Raises: StorageError."""
    with as_storage_error(f"make {NAME}", path):
        return SnapshotDirectory(os.path.join(path, NAME), own_directory.ensure(root, path))


def why_unusable(volume_root: str) -> Optional[str]:
    """Why no snapshot of a volume could be made, or removed again, for what its root is.

    Renames the snapshot directory back if it was renamed: it would be taken for something that
    users have made. Raises: StorageError.
    """
    with open_directory(volume_root) as root, as_storage_error(f"find {NAME}", volume_root):
        flag = handles.forbidding_flag(root)
        if flag:
            return (
                f"chattr {flag} forbids changes of {volume_root}, so a snapshot could not be"
                f" removed again: chattr {flag.replace('+', '-')} '{volume_root}'"
            )
        directory = find(root, volume_root)
        if directory is not None:
            directory.close()
    return None


def warnings(volume_root: str) -> List[str]:
    """Whether users can rename the snapshot directory. Raises: StorageError."""
    with open_directory(volume_root) as root, as_storage_error("look at it", volume_root):
        status = os.fstat(root)
    mode = stat.S_IMODE(status.st_mode)
    may_write = mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX
    if not may_write and status.st_uid == os.geteuid():
        return []
    where = shlex.quote(volume_root)
    return [
        f"the root of its volume, {volume_root}, can be written by others than root (owner"
        f" {status.st_uid}, mode {mode:04o}), who can rename {NAME} there until fsrvpd renames it"
        f" back: share a directory below it, or `chown root {where} && chmod +t {where}`"
    ]


def make_directory(name: str, parent: int) -> None:
    """A directory that is closed to users, whatever it would inherit from its parent.
    Raises: OSError."""
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
        with closing_fd(os.open(name, DIRECTORY_FLAGS, dir_fd=parent)) as fd:
            close_to_users(fd)


def _do_nothing() -> None:
    pass


@contextmanager
def with_marker(
    directory: SnapshotDirectory,
    marker: SnapshotMarker,
    planned: Snapshot,
    undo: Callable[[], None] = _do_nothing,
) -> Iterator[None]:
    """Puts the marker down; the snapshot is taken inside the block. Raises: StorageError.

    On failure `undo` is called and the marker is removed. When `undo` fails too, the marker
    stays, so that whatever is left is known to be ours.
    """
    directory.put_marker(marker)
    with undone_on_failure(directory, marker, planned, undo):
        yield


@contextmanager
def undone_on_failure(
    directory: SnapshotDirectory,
    marker: SnapshotMarker,
    planned: Snapshot,
    undo: Callable[[], None],
) -> Iterator[None]:
    """`with_marker`, for a marker that is there already."""
    try:
        with as_storage_error("take the snapshot", planned.root):
            yield
    except BaseException:
        undo()
        directory.remove_marker(marker.timestamp)
        raise


def find_marker(
    directory: SnapshotDirectory, name: SnapshotName, provider: str, where: str
) -> Optional[SnapshotMarker]:
    """The marker of a snapshot, None when nothing of it exists any more.

    `where` is the snapshot's directory, relative to the snapshot directory. Raises: OSError,
    and NotOurs when it exists and no marker says that it is ours.
    """
    marker = directory.marker(name.timestamp)
    if marker is not None and (marker.name, marker.provider) == (name, provider):
        return marker
    if exists_at(where, directory.fd):
        path = os.path.normpath(os.path.join(directory.path, where))
        raise NotOurs(path, "does not carry the marker of fsrvpd")
    return None


def volume_root_of(snapshot: Snapshot, depth: int) -> str:
    """The directory that holds the `.fsrvpd` in which the snapshot is, `depth` levels below."""
    parts = snapshot.root.rsplit("/", depth + 1)
    if len(parts) != depth + 2 or parts[1] != NAME:
        raise NotOurs(snapshot.root, f"is not in the {NAME} of a volume")
    return parts[0] or "/"


def _marker_path(timestamp: str) -> str:
    return f"{MARKERS}/{timestamp}"
