"""A directory tree cloned: every file shares its blocks with the original (FICLONE).

The original is in use meanwhile and its users are not trusted. Names are resolved one at
a time below open directories and no symbolic link is ever followed. What vanishes is left
out, as if it had gone before. Each file is one moment of its own; the whole is not.

What is remembered is the directories that are still to be done, those beside the path to
the present one, and nothing else, however large the tree. Which files are hard links of
one another is kept on the disk: a second directory holds one more link of each, named by
its inode.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import contextmanager
from typing import Iterator, List, Tuple

from fsrvpd.core import files
from fsrvpd.errors import StorageError
from fsrvpd.providers.attributes import Inside, copy_attributes
from fsrvpd.providers.failures import reported
from fsrvpd.providers.ground import open_below

_ORIGINAL = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOATIME | os.O_CLOEXEC
_COPY = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# What opening says of a file that is gone, or is not any more what it was.
_CHANGED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EINVAL)
_ATTEMPTS = 20
_LEASE_BREAK = 60  # s; the kernel breaks a lease after 45 unless told otherwise


class _ChangedMeanwhile(Exception):
    """A file of the original is not what it was a moment ago."""


class Clone:
    """One run. `source`, `target` (empty) and `links` (empty, same file system as
    `target`) are open directories; `left_out` is the (st_dev, st_ino) of a directory that
    is not to be cloned."""

    def __init__(self, source: int, target: int, links: int, left_out: Tuple[int, int]) -> None:
        self._source = source
        self._target = target
        self._links = links
        self._left_out = left_out
        self._path = os.readlink(f"/proc/self/fd/{source}")  # for messages
        self._device = os.fstat(source).st_dev
        self._ahead: List[str] = []

    def run(self) -> None:
        """Raises: StorageError, with what is done so far left in `target` and `links`."""
        self._ahead = [""]
        while self._ahead:
            path = self._ahead.pop()
            with reported("clone", os.path.join(self._path, path) if path else self._path):
                self._directory(path)

    def _directory(self, path: str) -> None:
        try:
            fd = _open_source(self._source, path)
        except _ChangedMeanwhile:
            parent, _, name = path.rpartition("/")
            with _closing(open_below(self._target, parent)) as target:
                os.rmdir(name, dir_fd=target)
            return
        with _closing(fd) as source, _closing(open_below(self._target, path)) as target:
            self._fill(path, source, target)

    def _fill(self, path: str, source: int, target: int) -> None:
        status = os.fstat(source)
        if status.st_dev != self._device:
            raise StorageError(
                os.path.join(self._path, path), "is on another file system than the share"
            )
        with os.scandir(source) as entries:
            for entry in entries:
                self._entry(path, entry.name, source, target)
        copy_attributes(source, target, status)

    def _entry(self, path: str, name: str, source: int, target: int) -> None:
        for _ in range(_ATTEMPTS):
            try:
                status = os.stat(name, dir_fd=source, follow_symlinks=False)
                return self._make(os.path.join(path, name), status, source, target)
            except (_ChangedMeanwhile, FileNotFoundError):
                if not _exists(name, source):
                    return
            except FileExistsError:  # a directory in motion may show a name twice
                return
        raise StorageError(name, f"did not hold still in {_ATTEMPTS} attempts to clone it")

    def _make(self, path: str, status: os.stat_result, source: int, target: int) -> None:
        name = os.path.basename(path)
        if stat.S_ISDIR(status.st_mode):
            if (status.st_dev, status.st_ino) != self._left_out:
                os.mkdir(name, 0o700, dir_fd=target)
                self._ahead.append(path)
        elif status.st_nlink == 1:
            _make_file(name, status, source, target)
        elif not self._link(name, status, target):
            _make_file(name, status, source, target)
            links, inode = self._links, str(status.st_ino)
            os.link(name, inode, src_dir_fd=target, dst_dir_fd=links, follow_symlinks=False)

    def _link(self, name: str, status: os.stat_result, target: int) -> bool:
        """Link to what an earlier name of the same file became, if there was one."""
        links, inode = self._links, str(status.st_ino)
        if not _exists(inode, links):
            return False
        os.link(inode, name, src_dir_fd=links, dst_dir_fd=target, follow_symlinks=False)
        return True


def _make_file(name: str, status: os.stat_result, source: int, target: int) -> None:
    if stat.S_ISREG(status.st_mode):
        _make_regular(name, source, target)
        return
    if stat.S_ISLNK(status.st_mode):
        os.symlink(_read_link(name, source), name, dir_fd=target)
    else:
        os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target)
    try:
        copy_attributes(Inside(source, name), Inside(target, name), status)
    except FileNotFoundError:  # the original's: its copy is ours alone
        os.unlink(name, dir_fd=target)
        raise


def _make_regular(name: str, source: int, target: int) -> None:
    original = _open_original(name, source)
    try:
        # Read before the blocks are shared: a file that is written to meanwhile then
        # looks older than it is, and the next incremental backup takes it again.
        status = os.fstat(original)
        if not stat.S_ISREG(status.st_mode):
            raise _ChangedMeanwhile
        copy = os.open(name, _COPY, 0o600, dir_fd=target)
        try:
            files.clone_file(copy, original)
            copy_attributes(original, copy, status)
        finally:
            os.close(copy)
    finally:
        os.close(original)


def _open_original(name: str, directory: int) -> int:
    """Without waiting for the writer of a fifo, but for a lease to be broken."""
    deadline = time.monotonic() + _LEASE_BREAK
    while True:
        try:
            return os.open(name, _ORIGINAL, dir_fd=directory)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        except OSError as error:
            if error.errno in _CHANGED:
                raise _ChangedMeanwhile from error
            raise


def _read_link(name: str, directory: int) -> str:
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno in _CHANGED:
            raise _ChangedMeanwhile from error
        raise


def _exists(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _open_source(directory: int, path: str) -> int:
    try:
        return open_below(directory, path)
    except OSError as error:
        if error.errno in _CHANGED:
            raise _ChangedMeanwhile from error
        raise


@contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)
