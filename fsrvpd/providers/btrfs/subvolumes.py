"""Deletes subvolumes together with the subvolumes inside them.

Users who could write into a snapshot before it was sealed could make some there, on btrfs
without any privilege, and the kernel deletes no subvolume that holds others. Who goes on
making some, in a directory that he holds open, would keep us busy for ever; so a call has an
end, and the next one goes on.
"""

from __future__ import annotations

import errno
import os

from fsrvpd.core import btrfs, handles
from fsrvpd.core.descriptors import closing_fd
from fsrvpd.errors import StorageError
from fsrvpd.providers.catalog.volume import open_below

MOST = 250  # subvolumes inside one that a call deletes


def destroy(directory: int, name: str) -> None:
    """Delete directory/name, from the inside out; nothing happens when there is none.

    Raises: OSError; StorageError when it holds more subvolumes than one call deletes.
    """
    for _ in range(MOST):
        try:
            btrfs.destroy_subvolume(directory, name)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EPERM):
                raise
            with closing_fd(open_below(directory, name)) as top:
                if error.errno == errno.ENOTEMPTY:
                    _destroy_one_inside(top)
                elif not _allow_changes(top):
                    raise
    raise StorageError(name, f"there are more subvolumes in it than {MOST}, which were deleted")


def _allow_changes(top: int) -> bool:
    """Take from a snapshot what it has from its original by `chattr +i`. False without that."""
    if not handles.forbidding_flag(top):
        return False
    if btrfs.is_read_only(top):
        btrfs.set_read_only(top, False)
    handles.clear_flags(top)
    return True


def _destroy_one_inside(top: int) -> None:
    """Delete one of the subvolumes inside an open one that hold no others."""
    outer, inner = "", _first_inside(top, "")
    while inner and (further := _first_inside(top, inner)):
        outer, inner = inner, further
    if not inner:
        return
    with closing_fd(open_below(top, outer)) as holder:
        if btrfs.is_read_only(holder):
            btrfs.set_read_only(holder, False)
    with closing_fd(open_below(top, os.path.dirname(inner))) as parent:
        btrfs.destroy_subvolume(parent, os.path.basename(inner))


def _first_inside(top: int, path: str) -> str:
    """The path, from `top`, of a subvolume inside the one at `path`, "" without any."""
    with closing_fd(open_below(top, path)) as subvolume:
        child = next(btrfs.children(subvolume), None)
    return os.path.join(path, child.path) if child else ""
