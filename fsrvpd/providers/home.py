"""`.fsrvpd`, the directory at the root of a volume in which all snapshots of ours live.

.fsrvpd/                                         0711: to be passed through, not listed
.fsrvpd/.marks/2026.11.21-08.30.00               0700: one mark a snapshot (see mark.py)
.fsrvpd/fsrvp-{ID}_GMT-2026.11.21-08.30.00/      what a provider put there

On btrfs it is a subvolume, so that a snapshot of the volume does not contain the others.
Whoever may write into the volume's root could put something else in its place: what is
not a directory of ours, owned by us and writable by us alone, is refused.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from contextlib import suppress
from types import TracebackType
from typing import List, NamedTuple, Optional, Type

from fsrvpd.core import btrfs
from fsrvpd.errors import StorageError
from fsrvpd.providers import mark as marks
from fsrvpd.providers.failures import reported

log = logging.getLogger(__name__)

NAME = ".fsrvpd"
MARKS = ".marks"
PASSABLE = 0o711
LISTABLE = 0o755
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ACLS = ("system.posix_acl_access", "system.posix_acl_default")


class Marked(NamedTuple):
    label: str
    mark: marks.Mark


class Home:
    """An open `.fsrvpd`; a context manager that closes it."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd

    def __enter__(self) -> Home:
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

    def put_mark(self, label: str, mark: marks.Mark) -> None:
        """Raises: StorageError, with EEXIST when another snapshot has this label."""
        with reported("record the snapshot", self.path):
            os.symlink(marks.encode(mark), os.fsencode(_mark(label)), dir_fd=self.fd)

    def mark(self, label: str) -> Optional[marks.Mark]:
        try:
            target = os.readlink(os.fsencode(_mark(label)), dir_fd=self.fd)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINVAL):
                return None
            raise
        return marks.decode(target)

    def has_label(self, second: int) -> bool:
        try:
            os.stat(_mark(marks.label(second)), dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def drop_mark(self, label: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(_mark(label), dir_fd=self.fd)

    def marked(self) -> List[Marked]:
        """Every mark, oldest first. One that cannot be understood is said and left alone."""
        found = []
        for label in sorted(self._labels()):
            mark = self.mark(label)
            if mark is None:
                log.warning("%s: not a mark of this fsrvpd, left alone", self._path_of(label))
            else:
                found.append(Marked(label, mark))
        return found

    def _labels(self) -> List[str]:
        try:
            fd = os.open(MARKS, DIRECTORY, dir_fd=self.fd)
        except FileNotFoundError:
            return []
        try:
            return os.listdir(fd)
        finally:
            os.close(fd)

    def _path_of(self, label: str) -> str:
        return os.path.join(self.path, _mark(label))


def find(root: int, path: str) -> Optional[Home]:
    """The home on the volume whose root directory is open as `root`, None without one.

    Raises: StorageError when something else bears its name.
    """
    try:
        fd = os.open(NAME, DIRECTORY, dir_fd=root)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise _foreign(path, "is no directory") from error
        raise
    home = Home(os.path.join(path, NAME), fd)
    try:
        _distrust(os.fstat(root), os.fstat(fd), path)
    except StorageError:
        home.close()
        raise
    return home


def ensure(root: int, path: str) -> Home:
    """The home, made when there is none yet. Raises: OSError, StorageError."""
    home = find(root, path)
    if home is None:
        _make(root)
        home = find(root, path)
    if home is None:
        raise StorageError(path, f"{NAME} was removed while it was being made")
    try:
        _furnish(home)
    except (OSError, StorageError):
        home.close()
        raise
    return home


def make_directory(name: str, parent: int) -> None:
    """A directory of ours that users may pass through, whatever its parent bequeaths."""
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
        _close_to_users(name, parent)


def listable(directory: int, wanted: bool) -> None:
    """Let users list an open directory if `wanted`. Never taken back: other shares of the
    volume may want it."""
    mode = stat.S_IMODE(os.fstat(directory).st_mode)
    if wanted and mode != LISTABLE:
        os.fchmod(directory, LISTABLE)


def _make(root: int) -> None:
    try:
        btrfs.create_subvolume(root, NAME)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno != errno.ENOTTY:
            raise
        make_directory(NAME, root)
    else:
        _close_to_users(NAME, root)


def _close_to_users(name: str, parent: int) -> None:
    fd = os.open(name, DIRECTORY, dir_fd=parent)
    try:
        _drop_acls(fd)
        os.fchown(fd, os.geteuid(), os.getegid())
        os.fchmod(fd, PASSABLE)
    finally:
        os.close(fd)


def _drop_acls(directory: int) -> None:
    for acl in _ACLS:
        try:
            os.removexattr(directory, acl)
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
                raise


def _furnish(home: Home) -> None:
    try:
        found = os.stat(MARKS, dir_fd=home.fd, follow_symlinks=False)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(MARKS, 0o700, dir_fd=home.fd)
        found = os.stat(MARKS, dir_fd=home.fd, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise _foreign(home.path, f"has a {MARKS} that is not ours")


def _distrust(root: os.stat_result, home: os.stat_result, path: str) -> None:
    if home.st_uid != os.geteuid():
        raise _foreign(path, f"belongs to user {home.st_uid}")
    if home.st_mode & 0o022:
        raise _foreign(path, "can be written by others")
    if home.st_dev != root.st_dev and home.st_ino != btrfs.ROOT_INODE:
        raise _foreign(path, "is a mount point")


def _foreign(path: str, why: str) -> StorageError:
    return StorageError(
        os.path.join(path, NAME),
        f"{why}, so it is not the directory that fsrvpd made; move it out of the way",
    )


def _mark(label: str) -> str:
    return f"{MARKS}/{label}"
