"""Lists directories and clones files with their attributes, without holding the interpreter's
lock."""

from __future__ import annotations

import errno
import os
from typing import Any, List, NamedTuple, Tuple

from fsrvpd.core.error_codes import Name, check
from fsrvpd.core.native import allocate, ffi, lib

# What statx reports: mode (with the kind of file), links, uid, gid, device, inode, size, the
# times (seconds and nanoseconds) accessed, born, changed and modified, and is_mount_point.
Status = Any
Identity = Tuple[int, int]  # of a file that is kept open: device and inode
_FACTS = ffi.sizeof("fsrvp_facts")
_EVER = (1 << 63) - 1


class AttributeNotCopied(OSError):
    """`attribute` is the name of the extended attribute; "" when not even names were read."""

    def __init__(self, number: int, file: str, attribute: str) -> None:
        super().__init__(number, os.strerror(number), file)
        self.attribute = attribute


class Entry(NamedTuple):
    """An entry of a directory. The status is valid until the next batch is read."""

    name: str
    status: Status
    error: int


class Listing:
    """Room for a batch of the entries of a directory, to be used again for the next batch."""

    def __init__(self) -> None:
        self._listing = allocate("fsrvp_listing *")
        self._others = allocate("int[]", lib.FSRVP_ENTRIES_MAX)
        self._text = allocate("unsigned char[]", lib.FSRVP_DESCRIPTIONS_MAX)
        self._ends = allocate("int[]", lib.FSRVP_ENTRIES_MAX)
        self._count = 0

    def read(self, directory: int) -> int:
        """Read the next batch. Returns the number of entries, 0 at the end. Raises: OSError."""
        self._count = check(lib.fsrvp_list_directory(directory, self._listing), directory)
        return self._count

    def entries(self) -> List[Entry]:
        return [self._entry(number) for number in range(self._count)]

    def skip(self, number: int) -> None:
        """Leave the entry with this number out of what is cloned."""
        self._listing.entries[number].skip = True

    def describe(self, changed_before: int = _EVER) -> List[bytes]:
        """Describe each entry, so that a change of the file shows; with b"" those that are to be
        skipped, that have an error or were changed at `changed_before` (s since 1970) or later."""
        arguments = self._listing, self._count, changed_before, self._text, self._ends
        if not lib.fsrvp_describe_entries(*arguments):
            return [b""] * self._count
        ends = [0, *self._ends[0 : self._count]]
        text = bytes(ffi.buffer(self._text, ends[-1]))
        return [text[begin:end] for begin, end in zip(ends, ends[1:])]

    def clone_plain_files(self, source: int, target: int) -> List[Entry]:
        """Clone the regular files with one link from one open directory into another. Returns
        the other entries, and those that could not be cloned, whatever the reason."""
        arguments = source, target, self._listing, self._count, self._others
        count: int = lib.fsrvp_clone_plain_files(*arguments)
        return [self._entry(number) for number in self._others[0:count]]

    def _entry(self, number: int) -> Entry:
        entry = self._listing.entries[number]
        name = ffi.string(ffi.cast("char *", self._listing.records) + entry.name)
        return Entry(os.fsdecode(name), entry.status, -entry.error)


def read_status(file: int, name: Name = b"") -> Status:
    """The status of an open file, or of `name` in a directory, which is not followed.
    Raises: OSError."""
    status = ffi.new("fsrvp_status *")
    check(lib.fsrvp_read_status(file, os.fsencode(name), status), file, name)
    return status


def clone_regular(original: int, target: int, name: str, before: Status) -> bool:
    """Clone a regular file that is open for reading to target/name, which is not there; `before` is
    its status before that. False if it cannot be cloned, whatever the reason: nothing is left."""
    returned: int = lib.fsrvp_clone_regular(original, target, os.fsencode(name), before)
    return returned == 0


def describe(status: Status, name: Name = b"") -> bytes:
    """As `Listing.describe` describes an entry."""
    facts = ffi.new("fsrvp_facts *")
    lib.fsrvp_describe(status, facts)
    return bytes(ffi.buffer(facts)) + os.fsencode(name)


def name_in(description: bytes) -> bytes:
    """The name in a description."""
    return description[_FACTS:]


def identity_of(status: Status) -> Identity:
    return status.device, status.inode


def copy_attributes(source: int, target: int, before: Status) -> None:
    """Copy all attributes of one open file to another, after the content. `before` is the
    status of the source before that: it supplies the times, and limits the mode.

    Regular files and directories are open for reading, others by O_PATH. Raises: OSError;
    AttributeNotCopied, with E2BIG when the names of the attributes cannot be listed.
    """
    attribute = ffi.new("char[]", lib.FSRVP_NAME_MAX + 1)
    returned = lib.fsrvp_copy_attributes(source, target, before, attribute)
    try:
        check(returned, source)
    except OSError as error:
        name = os.fsdecode(ffi.string(attribute))
        if name or error.errno == errno.E2BIG:
            raise AttributeNotCopied(error.errno or 0, error.filename, name) from error
        raise
