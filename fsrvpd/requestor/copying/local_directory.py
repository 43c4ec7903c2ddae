"""Directories of this host by descriptor: what has the right name in them is what is meant, whoever
renames a directory above, and no symbolic link is followed."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import Iterator, Optional

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_DIRECTORY, _NEW_FILE = 0o700, 0o600  # permissions of Windows are in the side file


class LocalDirectory:
    """Owns the descriptor `fd`. Names are components, and were checked. Raises: OSError."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        os.close(self.fd)

    def again(self) -> LocalDirectory:
        """The same directory, to be closed by itself."""
        return LocalDirectory(os.dup(self.fd))

    def directory(self, name: str) -> LocalDirectory:
        return LocalDirectory(os.open(name, _DIRECTORY, dir_fd=self.fd))

    def make_directory(self, name: str) -> LocalDirectory:
        """The one that is there, or a new one; anything else of that name is removed."""
        found = self.status(name)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            os.unlink(name, dir_fd=self.fd)
            found = None
        if found is None:
            os.mkdir(name, _NEW_DIRECTORY, dir_fd=self.fd)
        return self.directory(name)

    def status(self, name: str) -> Optional[os.stat_result]:
        """None: it is not there."""
        with suppress(FileNotFoundError):
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        return None

    def names(self) -> Iterator[str]:
        with os.scandir(self.fd) as found:
            for each in found:
                yield each.name

    def is_writable(self) -> bool:
        """Whether files may be made here: not on a medium that is read-only."""
        return os.access(".", os.W_OK, dir_fd=self.fd, effective_ids=True)

    def open(self, name: str, flags: int) -> int:
        """Does not wait for the other end of a pipe that somebody has put there."""
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(name, flags, _NEW_FILE, dir_fd=self.fd)

    @contextmanager
    def opened(self, name: str, flags: int) -> Iterator[int]:
        fd = self.open(name, flags)
        try:
            yield fd
        finally:
            os.close(fd)

    def remove(self, name: str) -> None:
        """Whatever it is, with all that is in it."""
        found = self.status(name)
        if found is None:
            return
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(name, dir_fd=self.fd)
            return
        below = self.directory(name)
        try:
            for each in list(below.names()):
                below.remove(each)
        finally:
            below.close()
        os.rmdir(name, dir_fd=self.fd)

    def move_here(self, source: LocalDirectory, name: str, new_name: str) -> None:
        """A file, in place of whatever has its name."""
        found = self.status(new_name)
        if found is not None and stat.S_ISDIR(found.st_mode):
            self.remove(new_name)
        os.rename(name, new_name, src_dir_fd=source.fd, dst_dir_fd=self.fd)


def open_directory(path: str) -> LocalDirectory:
    """What the user named, which may be a link."""
    return LocalDirectory(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
