"""Copies of directory trees in a `.fsrvpd`: made out of sight, published and removed whole.

.fsrvpd/.partial-{ID}/tree       what is being cloned
.fsrvpd/.partial-{ID}/links      its hard links, by their handles
.fsrvpd/.partial-{ID}/relinks    those that are cloned again
.fsrvpd/.partial-{ID}/marker     the one of a copy to keep, until it is in its place
.fsrvpd/<key>/<name>             what is published
.fsrvpd/.partial-{ID}            again, when it is being removed

One rename publishes a copy or takes it away, so that nobody ever lists half of one. Whatever
is in `.partial-{ID}` after a crash belongs to the marker of {ID} and is removed with it.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, contextmanager
from typing import Iterator, NamedTuple, Optional

from fsrvpd.core import files
from fsrvpd.core.clones import identity_of, read_status
from fsrvpd.core.descriptors import closing_fd
from fsrvpd.providers.catalog.marker import SnapshotName
from fsrvpd.providers.catalog.remove_tree import remove_tree
from fsrvpd.providers.catalog.snapshot_directory import SnapshotDirectory
from fsrvpd.providers.catalog.volume import open_below
from fsrvpd.providers.reflink.clone_record import CloneRecord
from fsrvpd.providers.reflink.file_clone import Links
from fsrvpd.providers.reflink.file_filter import FileFilter
from fsrvpd.providers.reflink.time_budget import TimeBudget
from fsrvpd.providers.reflink.tree_clone import PassesOver, TreeClone, nothing

_TREE, _LINKS, _RELINKS = "tree", "links", "relinks"


class CloneJob(NamedTuple):
    """What is cloned: the directory at `path` below the volume open as `root`."""

    root: int
    path: str
    file_filter: FileFilter
    time_budget: TimeBudget
    passed_over: PassesOver = nothing


def clone_ahead(
    job: CloneJob, directory: SnapshotDirectory, name: SnapshotName, record: CloneRecord
) -> None:
    """Clone a directory and record what was cloned, for `make` to finish and to publish.

    Raises: OSError, StorageError; `delete` then removes what there is.
    """
    with _new_partial(directory, name) as partial:
        _clone(job, partial, directory, record=record)
        files.sync_file_system(partial)


def make(
    job: CloneJob,
    directory: SnapshotDirectory,
    key: str,
    name: SnapshotName,
    earlier: Optional[CloneRecord] = None,
) -> None:
    """Clone a directory, or what changed of it since `clone_ahead`, and publish it as key/name; it
    is durable when this returns.

    Raises: OSError, StorageError; `delete` then removes what there is, which may be all.
    """
    if earlier is not None and not earlier.is_reliable:
        _remove_partial(directory, name)
        earlier = None
    opened = _partial_again(directory, name) if earlier else _new_partial(directory, name)
    with opened as partial:
        _clone(job, partial, directory, earlier=earlier)
        files.sync_file_system(partial)
        with closing_fd(open_below(directory.fd, key)) as published:
            os.rename(_TREE, str(name), src_dir_fd=partial, dst_dir_fd=published)
            os.fsync(published)
    _remove_partial(directory, name)


def delete(directory: SnapshotDirectory, key: str, name: SnapshotName) -> None:
    """Remove a copy, published or not. Nothing happens when there is none.

    No space may be needed for that, or a full disk could never be emptied: where even the
    renaming finds none, users see the copy disappear file by file.
    """
    _remove_partial(directory, name)
    try:
        published = open_below(directory.fd, key)
    except FileNotFoundError:
        return
    with closing_fd(published):
        try:
            os.rename(str(name), _partial(name), src_dir_fd=published, dst_dir_fd=directory.fd)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            remove_tree(str(name), published)
    _remove_partial(directory, name)


def free_path(name: SnapshotName) -> str:
    """For the marker that takes the place of that of `clone_ahead`, before `make`."""
    return f"{_partial(name)}/marker"


def _remove_partial(directory: SnapshotDirectory, name: SnapshotName) -> None:
    """Remove what is not published of a copy."""
    remove_tree(_partial(name), directory.fd)


@contextmanager
def _new_partial(directory: SnapshotDirectory, name: SnapshotName) -> Iterator[int]:
    os.mkdir(_partial(name), 0o700, dir_fd=directory.fd)
    with closing_fd(open_below(directory.fd, _partial(name))) as partial:
        os.mkdir(_TREE, 0o700, dir_fd=partial)
        os.mkdir(_LINKS, 0o700, dir_fd=partial)
        yield partial


@contextmanager
def _partial_again(directory: SnapshotDirectory, name: SnapshotName) -> Iterator[int]:
    with closing_fd(open_below(directory.fd, _partial(name))) as partial:
        os.mkdir(_RELINKS, 0o700, dir_fd=partial)
        yield partial


def _clone(
    job: CloneJob,
    partial: int,
    directory: SnapshotDirectory,
    *,
    record: Optional[CloneRecord] = None,
    earlier: Optional[CloneRecord] = None,
) -> None:
    left_out = identity_of(read_status(directory.fd))
    with ExitStack() as stack:

        def opened(where: int, path: str) -> int:
            return stack.enter_context(closing_fd(open_below(where, path)))

        source, tree = opened(job.root, job.path), opened(partial, _TREE)
        links = Links(opened(partial, _LINKS))
        if earlier is not None:
            links = Links(opened(partial, _RELINKS), links.new, earlier.changed_before)
        limits = job.file_filter, job.time_budget, job.passed_over
        TreeClone(source, tree, links, left_out, *limits, record, earlier).run()


def _partial(name: SnapshotName) -> str:
    return f".partial-{name.shadow_copy_id}"
