"""A directory that is being cloned, with its copy.

Both are held by descriptors: once opened, a directory is never looked up by its path again,
so that no two of them can be exchanged under the clone. In a deep tree not all of them can
be open. A directory that was closed is opened again from one inside it, through `..`; if that
was moved away, name by name from the top, and each must be the very directory that it was.
"""

from __future__ import annotations

import errno
import os
from typing import List, NamedTuple, Optional

from fsrvpd.core import clones
from fsrvpd.core.clones import Identity, Status, identity_of
from fsrvpd.core.descriptors import DIRECTORY_FLAGS, closing_fd
from fsrvpd.providers.reflink.clone_record import DirectoryRecord

ORIGINAL_FLAGS = DIRECTORY_FLAGS | os.O_NOATIME
# Errors of opening a directory that is gone, or has become something else.
CHANGED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_LONGEST_SHOWN = 1000


class Directory:
    """`source` and `target` are open while `is_open`; they are closed by `close`. `source` is
    -1 when the original could not be opened again, because it was moved away."""

    __slots__ = (
        "before",
        "earlier",
        "inner",
        "is_reopened",
        "level",
        "name",
        "parent",
        "record",
        "source",
        "target",
        "unfinished",
    )

    def __init__(
        self, source: int, target: int, before: Status, name: str, parent: Optional[Directory]
    ) -> None:
        self.source, self.target = source, target
        self.before = before  # the status of the original when it was opened
        self.name = name
        self.parent = parent
        self.level: int = parent.level + 1 if parent else 1
        self.inner: List[str] = []  # directories in it that are still to be entered
        self.unfinished = 1  # itself, directories in it, and files that are waited for
        self.record: Optional[DirectoryRecord] = None  # where what is cloned is recorded
        self.earlier: Optional[DirectoryRecord] = None  # what `target` holds from an earlier run
        self.is_reopened = False  # `target` was closed to users again, to be changed

    def __str__(self) -> str:
        """The path of the original, for messages: where it was when it was opened."""
        path = "/".join(each.name for each in self.way())
        if len(path) <= _LONGEST_SHOWN:
            return path
        return f"{path[: _LONGEST_SHOWN // 2]}…{path[-_LONGEST_SHOWN // 2 :]}"

    @property
    def is_open(self) -> bool:
        return self.target >= 0

    @property
    def identity(self) -> Identity:
        return identity_of(self.before)

    def was_moved(self) -> bool:
        """Whether the original is no longer in the directory in which it was opened."""
        if self.parent is None:
            return False
        if self.source < 0:
            return True
        return identity_of(clones.read_status(self.source, "..")) != self.parent.identity

    def close(self) -> None:
        """The top stays open: its descriptors are the caller's."""
        if self.parent is None:
            return
        for fd in (self.source, self.target):
            if fd >= 0:
                os.close(fd)
        self.source = self.target = -1

    def open_again(self, child: Directory) -> None:
        """From an open directory inside it. Raises: OSError."""
        try:
            self.source = _verified(_open_outer(child.source), self.identity)
        except FileNotFoundError:
            self._open_original_if_there()
        self.target = os.open("..", DIRECTORY_FLAGS, dir_fd=child.target)

    def open_from_top(self) -> None:
        """Raises: OSError."""
        self._open_original_if_there()
        self.target = self.open_copy()

    def open_original(self) -> int:
        """A new descriptor, found name by name from the top. Raises: OSError;
        FileNotFoundError, too, when it was moved away."""
        top, *way = self.way()
        fd = os.dup(top.source)
        for directory in way:
            with closing_fd(fd) as outer:
                fd = _verified(_open_inner(directory.name, outer), directory.identity)
        return fd

    def open_copy(self) -> int:
        """A new descriptor, found name by name: nobody else changes the copy."""
        top, *way = self.way()
        fd = os.dup(top.target)
        for directory in way:
            with closing_fd(fd) as outer:
                fd = os.open(directory.name, DIRECTORY_FLAGS, dir_fd=outer)
        return fd

    def _open_original_if_there(self) -> None:
        try:
            self.source = self.open_original()
        except FileNotFoundError:
            self.source = -1
            self.inner.clear()

    def way(self) -> List[Directory]:
        """The directories from the top to this one."""
        way: List[Directory] = []
        directory: Optional[Directory] = self
        while directory is not None:
            way.append(directory)
            directory = directory.parent
        return way[::-1]


class Place(NamedTuple):
    """A file in a directory."""

    directory: Directory
    name: str

    def __str__(self) -> str:
        return f"{self.directory}/{self.name}"

    def below_top(self) -> str:
        """The path from the directory that is cloned."""
        _, *way = self.directory.way()
        return "/".join([*(each.name for each in way), self.name])


def _open_inner(name: str, outer: int) -> int:
    try:
        return os.open(name, ORIGINAL_FLAGS, dir_fd=outer)
    except OSError as error:
        if error.errno in CHANGED:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from error
        raise


def _open_outer(inner: int) -> int:
    if inner < 0:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "..")
    return os.open("..", ORIGINAL_FLAGS, dir_fd=inner)


def _verified(fd: int, identity: Identity) -> int:
    """Raises: FileNotFoundError, and closes it, when it is of another directory."""
    try:
        if identity_of(clones.read_status(fd)) != identity:
            raise FileNotFoundError(errno.ENOENT, "it was moved away")
    except OSError:
        os.close(fd)
        raise
    return fd
