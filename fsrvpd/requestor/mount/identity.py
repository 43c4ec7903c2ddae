"""Which inode number and which ctime a file has in a mount: the same ones in every run.

restic and borg read a file again whose inode or ctime has changed since the last backup. A shadow
copy on btrfs, LVM, ZFS or Windows has the FileIds and ChangeTimes of the share itself. A copy that
was made of new files, as by reflink, has others, and each copy has others again. So the share and
its copy are compared, at their root:

* most files have the same FileId in both: FileId is the inode number, and ctime the ChangeTime,
  provided that it is the same in both for most files that have not changed in between;
* else the inode number comes from the path, and ctime is mtime.

FileId and ChangeTime find more: that a file was replaced or changed without a new mtime or size.
"""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import Iterable, Mapping, NamedTuple, Protocol

from fsrvpd.requestor.files.records import Entry

_MOST = 200  # files that are compared
_ROOT = 1  # libfuse's


class Tree(Protocol):
    """What is needed of a `FileTree`."""

    def entry(self, path: str) -> Entry: ...

    def entries(self, path: str) -> Iterable[Entry]: ...


class Identity(NamedTuple):
    by_file_id: bool
    by_change_time: bool

    def inode(self, path: str, entry: Entry) -> int:
        """`path` is from the root of the mount on."""
        if self.by_file_id and entry.file_id:
            return entry.file_id
        digest = hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "little") or _ROOT

    def changed(self, entry: Entry) -> int:
        """A FILETIME."""
        return entry.changed if self.by_change_time and entry.changed else entry.modified


BY_PATH = Identity(by_file_id=False, by_change_time=False)


def compare(live: Tree, copy: Tree) -> Identity:
    """Raises: RequestorError."""
    before, after = _at_root(live), _at_root(copy)
    both = [(before[name], after[name]) for name in before.keys() & after.keys()]
    same = [(old, new) for old, new in both if old.file_id == new.file_id and new.file_id]
    if len(same) * 2 <= len(both):
        return BY_PATH
    unchanged = [(old, new) for old, new in same if _is_unchanged(old, new)]
    equal = [new for old, new in unchanged if old.changed == new.changed]
    return Identity(by_file_id=True, by_change_time=len(equal) * 2 > len(unchanged))


def _at_root(tree: Tree) -> Mapping[str, Entry]:
    """The root has the name "", and is compared as well."""
    found = {entry.name: entry for entry in islice(tree.entries(""), _MOST)}
    return {**found, "": tree.entry("")}


def _is_unchanged(old: Entry, new: Entry) -> bool:
    return (old.modified, old.size) == (new.modified, new.size)
