"""What was cloned of a tree, so that a later run clones again only what changed since.

A file counts as unchanged while its inode, size and times are those of before it was cloned, and
it was last changed well before that began. Every change of content or attributes sets the time
of change (ctime), which nobody can set back but by setting the clock back: writing, also through
a mapping once the clone has flushed its pages, truncating, linking, renaming, utimes. A directory
that was renamed has files that do not know; it is another directory at its place, by its inode.
Where that leaves a doubt, the file is cloned again.
"""

from __future__ import annotations

import os
import time
from array import array
from typing import Dict, List, NamedTuple, Tuple

from fsrvpd.core.clones import Entry, Identity, Listing, Status, describe, name_in

# s; more than the coarsest ctime (1 s) and the largest step of the clock that goes unnoticed.
_MARGIN = 2
_STEP = 0.5  # s by which the clock may be set back


class DirectoryRecord:
    """What a copy of a directory holds. Belongs to the thread that clones the directory."""

    __slots__ = ("description", "files", "inner", "is_complete")

    def __init__(self) -> None:
        # Hashes of the descriptions of all but directories: 8 bytes for each of perhaps a million
        # files. Python's hash has 64 bits and a key that nobody else knows.
        self.files = array("q")
        self.inner: Dict[str, Tuple[Identity, DirectoryRecord]] = {}
        self.description = b""  # of the directory itself, when its attributes were copied
        self.is_complete = True  # the copy holds no file that is not in `files`


class CloneRecord(NamedTuple):
    """What a run cloned. Files that were changed at `changed_before` (s since 1970) or later are
    not in it."""

    top: DirectoryRecord
    changed_before: int
    clock: float  # s that the wall clock was ahead of the monotonic one

    @property
    def is_reliable(self) -> bool:
        """Whether the clock was not set back: then a change might look old."""
        return _clock() > self.clock - _STEP

    def add_batch(
        self, directory: DirectoryRecord, listing: Listing, others: List[Entry], cloned: int
    ) -> None:
        """Record the files of a batch of which `cloned` were cloned, and `others` were not."""
        left = {os.fsencode(entry.name) for entry in others}
        described = [text for text in listing.describe(self.changed_before) if text]
        recorded = [text for text in described if name_in(text) not in left]
        directory.files.extend(map(hash, recorded))
        directory.is_complete = directory.is_complete and len(recorded) == cloned

    def add(self, directory: DirectoryRecord, status: Status, name: str) -> None:
        """Record one file, with the status of before it was cloned."""
        if status.changed.seconds < self.changed_before:
            directory.files.append(hash(describe(status, name)))
        else:
            directory.is_complete = False

    def add_attributes(self, directory: DirectoryRecord, status: Status) -> None:
        """Record that a directory's own attributes were copied."""
        if status.changed.seconds < self.changed_before:
            directory.description = describe(status)


def new_record() -> CloneRecord:
    """An empty one, to be made before the file system is flushed."""
    return CloneRecord(DirectoryRecord(), int(time.time()) - _MARGIN, _clock())


def _clock() -> float:
    return time.time() - time.monotonic()
