"""Who may do what with a file, and when it changed: copied from one to another.

Copied: owner, group, mode, POSIX ACLs and every other extended attribute (user, trusted,
security), times of access and modification to the nanosecond. Not copied, since no call
can set them: times of change and of birth. Not copied, since they would make the copy
undeletable or count it against a quota: the flags of chattr, the project id of XFS.

A file is named by its descriptor where it can be opened without side effects, and as a
path through the descriptor of its directory where it cannot; the last name of such a path
is never followed.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple, Union

_ALREADY_THERE = (errno.EOPNOTSUPP, errno.EPERM, errno.EACCES)


class Inside(NamedTuple):
    """A symbolic link, fifo, socket or device: `name` in the open `directory`."""

    directory: int
    name: str


File = Union[int, Inside]


def copy_attributes(source: File, target: File, status: os.stat_result) -> None:
    """Give `target` the attributes of `source`, whose `status` was read before.

    Owner first, because a change of it takes set-user-id bits and capabilities away;
    times last. Raises: OSError.
    """
    place, follow = _place(target), isinstance(target, int)
    os.chown(place, status.st_uid, status.st_gid, follow_symlinks=follow)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(place, stat.S_IMODE(status.st_mode))
    _copy_extended(source, target)
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=follow)


def _copy_extended(source: File, target: File) -> None:
    place, follow = _place(source), isinstance(source, int)
    for name in os.listxattr(place, follow_symlinks=follow):
        try:
            value = os.getxattr(place, name, follow_symlinks=follow)
        except OSError as error:
            if error.errno == errno.ENODATA:  # taken away meanwhile
                continue
            raise
        _set_extended(target, name, value)


def _set_extended(target: File, name: str, value: bytes) -> None:
    """A security module may forbid to set what it has set itself: then equal is enough."""
    place, follow = _place(target), isinstance(target, int)
    try:
        os.setxattr(place, name, value, follow_symlinks=follow)
    except OSError as error:
        if error.errno not in _ALREADY_THERE:
            raise
        if os.getxattr(place, name, follow_symlinks=follow) != value:
            raise


def _place(file: File) -> Union[int, str]:
    if isinstance(file, int):
        return file
    return f"/proc/self/fd/{file.directory}/{file.name}"
