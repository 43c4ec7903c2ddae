"""A process that writes the same growing number into two files and into the ACL of one.

It syncs each write, as databases do. A btrfs snapshot may lack unsynced data although it has
later changes of metadata.
"""

from __future__ import annotations

import os
import signal
import struct
import time
from pathlib import Path
from typing import NamedTuple

ACL = "system.posix_acl_access"
_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NOBODY = 0xFFFFFFFF


class Numbers(NamedTuple):
    """The numbers in a directory. Each round, the writer updates them from left to right."""

    first: int
    acl: int
    second: int

    def are_of_one_moment(self) -> bool:
        return self.second <= self.acl <= self.first <= self.second + 1


class BusyWriter:
    """Context manager: a process writes until the block ends."""

    def __init__(self, first: Path, second: Path) -> None:
        """`first` and `second` are the directories of the two files, and may be the same."""
        self._first, self._second = first / "first", second / "second"

    def __enter__(self) -> BusyWriter:
        self._round(1)
        self._pid = os.fork()
        if self._pid == 0:
            try:
                self._write_until_killed()
            finally:
                os._exit(1)
        while self.numbers().second < 2:  # until then the writer has not started
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def numbers(self) -> Numbers:
        """Return the current numbers. They are read one after the other, while the writer runs."""
        return numbers(self._first.parent, self._second.parent)

    def _write_until_killed(self) -> None:
        number = 1
        while True:
            number += 1
            self._round(number)

    def _round(self, number: int) -> None:
        _put(self._first, number)
        os.setxattr(self._first, ACL, _acl(number))
        _put(self._second, number)


def numbers(first: Path, second: Path) -> Numbers:
    """Read the numbers from one snapshot, or from two."""
    file = first / "first"
    acl = os.getxattr(file, ACL)
    user: int = struct.unpack_from("<I", acl, 4 + 8 + 4)[0]
    return Numbers(int(file.read_text()), user, int((second / "second").read_text()))


def _put(file: Path, number: int) -> None:
    fd = os.open(file, os.O_CREAT | os.O_WRONLY, 0o640)
    try:
        os.pwrite(fd, b"%012d" % number, 0)
        os.fsync(fd)
    finally:
        os.close(fd)


def _acl(user: int) -> bytes:
    """Encode an ACL that lets a user read, in the format of linux/posix_acl_xattr.h."""
    entries = (
        (_USER_OBJ, 6, _NOBODY),
        (_USER, 4, user),
        (_GROUP_OBJ, 4, _NOBODY),
        (_MASK, 4, _NOBODY),
        (_OTHER, 0, _NOBODY),
    )
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
