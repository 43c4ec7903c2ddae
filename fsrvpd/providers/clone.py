"""A directory tree cloned: every file shares its blocks with the original (FICLONE).

The original is in use meanwhile and its users are not trusted. Names are resolved one at
a time below open directories and no symbolic link is ever followed. What vanishes is left
out, as if it had gone before. Each file is one moment of its own; the whole is not.

Directories are done side by side, the plain files in them by the C core, many at a call;
whatever else there is, or is strange, comes here one by one. What is remembered is the
directories that are still to be done, those beside the path to the present one, and
nothing else, however large the tree. Which files are hard links of one another is kept on
the disk: a second directory holds one more link of each, named by its inode.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from contextlib import contextmanager
from itertools import islice
from typing import Iterator, List, Tuple

from fsrvpd.core import clones
from fsrvpd.errors import StorageError
from fsrvpd.providers.allowance import Allowance
from fsrvpd.providers.crew import Crew
from fsrvpd.providers.failures import reported
from fsrvpd.providers.ground import open_below
from fsrvpd.providers.wanted import Wanted

# What opening says of a file that is gone, or is not any more what it was.
_CHANGED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EINVAL)
_ATTEMPTS = 20
_LEASE_BREAK = 60  # s; the kernel breaks a lease after 45 unless told otherwise
_AT_ONCE = 64  # files a call: some milliseconds, so that the allowance is looked at


class _ChangedMeanwhile(Exception):
    """A file of the original is not what it was a moment ago."""


class Clone:
    """One run. `source`, `target` (empty) and `links` (empty, same file system as
    `target`) are open directories; `left_out` is the (st_dev, st_ino) of a directory that
    is not to be cloned."""

    def __init__(
        self,
        source: int,
        target: int,
        links: int,
        left_out: Tuple[int, int],
        wanted: Wanted,
        allowance: Allowance,
    ) -> None:
        self._source = source
        self._target = target
        self._links = links
        self._left_out = left_out
        self._wanted = wanted
        self._allowance = allowance
        self._path = os.readlink(f"/proc/self/fd/{source}")  # for messages
        self._device = os.fstat(source).st_dev
        self._crew = Crew(self._directory)
        self._linking = threading.Lock()

    def run(self) -> None:
        """Raises: StorageError, with what is done so far left in `target` and `links`."""
        self._crew.run("")

    def _directory(self, path: str) -> None:
        with reported("clone", self._named(path)):
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
            raise StorageError(self._named(path), "is on another file system than the share")
        with os.scandir(source) as entries:
            while batch := list(islice(entries, _AT_ONCE)):
                if self._crew.failed:
                    return
                names = [entry.name for entry in batch if self._wanted.takes(entry)]
                self._entries(path, names, source, target)
        clones.copy_attributes(source, target, status)

    def _entries(self, path: str, names: List[str], source: int, target: int) -> None:
        others = clones.clone_plain_files(source, target, names)
        self._allowance.count(len(names) - len(others), self._named(path))
        for name in others:
            self._entry(path, name, source, target)

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
        raise StorageError(
            self._named(os.path.join(path, name)),
            f"did not hold still in {_ATTEMPTS} attempts to clone it",
        )

    def _make(self, path: str, status: os.stat_result, source: int, target: int) -> None:
        name = os.path.basename(path)
        if stat.S_ISDIR(status.st_mode):
            if (status.st_dev, status.st_ino) != self._left_out and self._wanted.descends(path):
                os.mkdir(name, 0o700, dir_fd=target)
                self._crew.add(path)
            return
        if status.st_nlink == 1:
            self._make_file(path, status, source, target)
            return
        with self._linking:  # or two threads would make two files of it
            if not self._link(name, status, target):
                self._make_file(path, status, source, target)
                links, inode = self._links, str(status.st_ino)
                os.link(name, inode, src_dir_fd=target, dst_dir_fd=links, follow_symlinks=False)

    def _link(self, name: str, status: os.stat_result, target: int) -> bool:
        """Link to what an earlier name of the same file became, if there was one."""
        links, inode = self._links, str(status.st_ino)
        if not _exists(inode, links):
            return False
        os.link(inode, name, src_dir_fd=links, dst_dir_fd=target, follow_symlinks=False)
        return True

    def _make_file(self, path: str, status: os.stat_result, source: int, target: int) -> None:
        name = os.path.basename(path)
        if stat.S_ISREG(status.st_mode):
            self._make_regular(path, source, target)
        else:
            _make_special(name, status, source, target)
        self._allowance.count(1, self._named(path))

    def _make_regular(self, path: str, source: int, target: int) -> None:
        """Without waiting for the writer of a fifo, but for a lease to be broken."""
        name, deadline = os.path.basename(path), time.monotonic() + _LEASE_BREAK
        while True:
            try:
                if clones.clone_regular(source, target, name):
                    return
                raise _ChangedMeanwhile
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                self._allowance.count(0, self._named(path))
                time.sleep(0.01)

    def _named(self, path: str) -> str:
        return os.path.join(self._path, path) if path else self._path


def _make_special(name: str, status: os.stat_result, source: int, target: int) -> None:
    if stat.S_ISLNK(status.st_mode):
        os.symlink(_read_link(name, source), name, dir_fd=target)
    else:
        os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target)
    try:
        clones.copy_attributes(source, target, status, name)
    except FileNotFoundError:  # the original's: its copy is ours alone
        os.unlink(name, dir_fd=target)
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
