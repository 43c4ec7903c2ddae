"""Copies of directory trees in a `.fsrvpd`: made out of sight, shown whole, removed whole.

.fsrvpd/.partial-{ID}/tree       what is being cloned
.fsrvpd/.partial-{ID}/links      its hard links, by inode
.fsrvpd/<key>/<name>             what is shown
.fsrvpd/.partial-{ID}            again, when it is being removed

One rename shows a copy or takes it away, so that nobody ever lists half of one. Whatever
is in `.partial-{ID}` after a crash belongs to the mark of {ID} and goes with it.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import Iterator, NamedTuple

from fsrvpd.core import files
from fsrvpd.providers import ground
from fsrvpd.providers.allowance import Allowance
from fsrvpd.providers.clone import Clone
from fsrvpd.providers.home import DIRECTORY, Home
from fsrvpd.providers.mark import SnapshotName
from fsrvpd.providers.removal import remove_tree
from fsrvpd.providers.wanted import Wanted

_TREE, _LINKS = "tree", "links"


class Cloning(NamedTuple):
    """What is cloned: `path` is the directory's below the volume open as `root`."""

    root: int
    path: str
    wanted: Wanted
    allowance: Allowance


def make(cloning: Cloning, our: Home, key: str, name: SnapshotName) -> None:
    """Clone a directory and show it as key/name, on the disk for good when this returns.

    Raises: OSError, StorageError; `delete` then removes what there is, which may be all.
    """
    os.mkdir(_partial(name), 0o700, dir_fd=our.fd)
    with _open(_partial(name), our.fd) as partial:
        os.mkdir(_TREE, 0o700, dir_fd=partial)
        os.mkdir(_LINKS, 0o700, dir_fd=partial)
        source = ground.open_below(cloning.root, cloning.path)
        try:
            _clone(cloning, source, partial, our)
        finally:
            os.close(source)
        files.sync_file_system(partial)
        with _open(key, our.fd) as shown:
            os.rename(_TREE, str(name), src_dir_fd=partial, dst_dir_fd=shown)
            os.fsync(shown)
    discard(our, name)


def discard(our: Home, name: SnapshotName) -> None:
    """Remove what is not shown of a copy."""
    remove_tree(_partial(name), our.fd)


def delete(our: Home, key: str, name: SnapshotName) -> None:
    """Remove a copy, shown or not. Nothing happens when there is none.

    That needs no space, or a full disk could never be emptied: where even the renaming
    finds none, users see the copy go.
    """
    discard(our, name)
    try:
        os.rename(f"{key}/{name}", _partial(name), src_dir_fd=our.fd, dst_dir_fd=our.fd)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        remove_tree(f"{key}/{name}", our.fd)
    discard(our, name)


def _clone(cloning: Cloning, source: int, partial: int, our: Home) -> None:
    home = os.fstat(our.fd)
    left_out, how = (home.st_dev, home.st_ino), (cloning.wanted, cloning.allowance)
    with _open(_TREE, partial) as tree, _open(_LINKS, partial) as links:
        Clone(source, tree, links, left_out, *how).run()


def _partial(name: SnapshotName) -> str:
    return f".partial-{name.shadow_copy_id}"


@contextmanager
def _open(name: str, parent: int) -> Iterator[int]:
    fd = os.open(name, DIRECTORY, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)
