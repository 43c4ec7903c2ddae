"""Compares a directory with the copy that an earlier run made of it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple, Set

from fsrvpd.core.clones import Identity, Listing, identity_of, name_in, read_status
from fsrvpd.providers.catalog.own_directory import close_to_users
from fsrvpd.providers.catalog.remove_tree import remove_tree
from fsrvpd.providers.reflink.clone_record import DirectoryRecord
from fsrvpd.providers.reflink.directory import Directory
from fsrvpd.providers.reflink.time_budget import TimeBudget


class Unchanged(NamedTuple):
    """`kept` are the names of files whose copies stay; `is_all`: the directory has nothing else
    but the directories in its record, and neither has the copy."""

    kept: Set[bytes]
    is_all: bool


def unchanged(
    directory: Directory, earlier: DirectoryRecord, listing: Listing, time_budget: TimeBudget
) -> Unchanged:
    """Find out what of a directory is as it was. Its record keeps only the directories in it that
    are still the same. Raises: OSError, TookTooLong."""
    directories, files = len(earlier.inner), set(earlier.files)
    kept: Set[bytes] = set()
    listed = 0
    while count := listing.read(directory.source):
        listed += count
        time_budget.count(0, directory)
        kept.update(name_in(text) for text in listing.describe() if text and hash(text) in files)
    os.lseek(directory.source, 0, os.SEEK_SET)
    for name, (identity, _) in list(earlier.inner.items()):
        if not _is(identity, directory.source, name):
            del earlier.inner[name]
    is_all = (
        earlier.is_complete
        and len(kept) == len(earlier.files)
        and len(earlier.inner) == directories
        and listed == len(kept) + directories
    )
    return Unchanged(kept, is_all)


def discard_others(directory: Directory, earlier: DirectoryRecord, kept: Set[bytes]) -> None:
    """Remove from the copy what is not to stay. Raises: OSError, StorageError."""
    reopen(directory)
    for name in os.listdir(directory.target):
        if name not in earlier.inner and os.fsencode(name) not in kept:
            discard(directory, name)


def discard(directory: Directory, name: str) -> None:
    """Remove something from the copy. Raises: OSError, StorageError."""
    reopen(directory)
    try:
        os.unlink(name, dir_fd=directory.target)
    except IsADirectoryError:
        remove_tree(name, directory.target)


def reopen(directory: Directory) -> None:
    """Before a copy of an earlier run is changed: nothing that is made in it inherits its ACL, and
    its attributes are to be copied again. Raises: OSError."""
    if directory.earlier is not None and not directory.is_reopened:
        close_to_users(directory.target)
        directory.is_reopened = True


def drop_attributes(directory: Directory) -> None:
    """Remove the attributes that only the copy has. Raises: OSError."""
    for name in {*os.listxattr(directory.target)} - {*os.listxattr(directory.source)}:
        with suppress(FileNotFoundError):
            os.removexattr(directory.target, name)


def _is(identity: Identity, directory: int, name: str) -> bool:
    try:
        return identity_of(read_status(directory, name)) == identity
    except FileNotFoundError:
        return False
