"""Removes a directory with all that is in it, however deep and however large.

The tree is flattened as it is taken apart: a directory inside a directory is moved to the
top instead of being descended into. So there is no recursion, never more than three
descriptors are open, and no path is ever longer than one name.

Processes may have directories of the tree open. Each is taken from its owner before it is
emptied, so that nothing is put into it any more. What is not part of the tree stays: other
file systems and subvolumes in it, and directories that are made while it is removed, of which
there could be more and more.
"""

from __future__ import annotations

import errno
import os
import stat
import uuid
from contextlib import suppress
from time import time_ns
from typing import Any, Dict, List

from fsrvpd.core.clones import Entry, Listing, Status, read_status
from fsrvpd.core.descriptors import DIRECTORY_FLAGS, closing_fd
from fsrvpd.errors import StorageError

NANOSECONDS = 1_000_000_000
_PASSES = 3  # a directory that changes while it is read may hide an entry
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

FOREIGN = "is a file system or subvolume of its own, not part of the copy; unmount or move it"
MADE_MEANWHILE = "was made while the copy was being removed, by a process that still uses it"


def remove_tree(name: str, parent: int) -> None:
    """Remove the directory parent/name; nothing happens when there is none.

    Raises: OSError; StorageError when something stays, which names it: try again later.
    """
    try:
        fd = os.open(name, DIRECTORY_FLAGS, dir_fd=parent)
    except FileNotFoundError:
        return
    with closing_fd(fd) as top:
        _Removal(top).run()
    os.rmdir(name, dir_fd=parent)


class _Removal:
    def __init__(self, top: int) -> None:
        self._top = top
        self._listing = Listing()
        self._prefix = uuid.uuid4().hex  # for names that nothing in the tree has
        self._moved = 0
        self._left: Dict[str, str] = {}  # directories that stay at the top, and why
        _take(top)
        status = read_status(top)
        self._device = status.device
        self._began = _nanoseconds(status.changed)

    def run(self) -> None:
        reason = self._empty(self._top)
        while inner := self._inner():
            for name in inner:
                why = self._flatten(name)
                if why:
                    self._left[name] = why
        reason = reason or next(iter(self._left.values()), "")
        if reason:
            raise StorageError(os.readlink(f"/proc/self/fd/{self._top}"), reason)

    def _inner(self) -> List[str]:
        os.lseek(self._top, 0, os.SEEK_SET)
        return [name for name in os.listdir(self._top) if name not in self._left]

    def _flatten(self, name: str) -> str:
        """Remove top/name, moving the directories inside it to the top. Returns why not."""
        try:
            with closing_fd(os.open(name, DIRECTORY_FLAGS, dir_fd=self._top)) as fd:
                reason = self._why_not(name, read_status(fd))
                if reason:
                    return reason
                _take(fd)
                reason = self._empty(fd)
            if not reason:
                os.rmdir(name, dir_fd=self._top)
            return reason
        except OSError as error:
            return _reason(name, error)

    def _empty(self, directory: int) -> str:
        """Unlink all files of a directory that was taken, and move its directories to the top.
        Returns why something stays."""
        for _ in range(_PASSES):
            os.lseek(directory, 0, os.SEEK_SET)
            found, reason = False, ""
            while self._listing.read(directory):
                for entry in self._listing.entries():
                    found = found or directory != self._top
                    reason = self._remove(entry, directory) or reason
            if not found or reason:
                break
        return reason

    def _remove(self, entry: Entry, directory: int) -> str:
        """Returns why it stays."""
        try:
            if not stat.S_ISDIR(entry.status.mode):
                with suppress(FileNotFoundError):
                    os.unlink(entry.name, dir_fd=directory)
            elif directory != self._top:
                reason = self._why_not(entry.name, entry.status)
                if reason:
                    return reason
                self._moved += 1
                new = f"{self._prefix}.{self._moved}"
                os.rename(entry.name, new, src_dir_fd=directory, dst_dir_fd=self._top)
        except OSError as error:
            return _reason(entry.name, error)
        return ""

    def _why_not(self, name: str, status: Status) -> str:
        """Why a directory is not removed; "" if it is."""
        if status.is_mount_point or status.device != self._device:
            return f"{name!r} in it {FOREIGN}"
        if self._began < _nanoseconds(status.born) <= time_ns():  # else the clock was set back
            return f"{name!r} in it {MADE_MEANWHILE}"
        return ""


def _take(directory: int) -> None:
    """Nobody but root can put anything into the directory any more."""
    try:
        os.fchown(directory, os.geteuid(), -1)
        os.fchmod(directory, 0o700)  # an ACL permits no more than this
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise


def _reason(name: str, error: OSError) -> str:
    return f"{name!r} in it cannot be removed: {os.strerror(error.errno or 0)}"


def _nanoseconds(time: Any) -> int:
    return int(time.seconds) * NANOSECONDS + int(time.nanoseconds)
