"""A whole tree of a share, directory by directory, in memory that does not grow with it.

Names come from the server: one that cannot be a component of a path is reported and left out. So
is a directory that leads back to one above it, as a link on the server may.
"""

from __future__ import annotations

import re
from typing import FrozenSet, Generator, Iterator, List, NamedTuple, Optional, Protocol, Union

from fsrvpd.requestor.copying.shortfalls import Shortfalls
from fsrvpd.requestor.files.records import Entry, FileFailure, unsafe

DEEPEST = 250  # directories: each holds a descriptor while what is in it is copied
MANGLED = "Windows cannot have its name; the server shows it by this one"
# What Samba shows in place of a name that Windows cannot have (`mangling method = hash2`).
_MANGLED = re.compile(r"[A-Z0-9_]{6}~[A-Z0-9](\.[A-Z0-9_]{1,3})?")
_SURROGATE = 0x20000000  # of a reparse tag: the entry stands for another one


class Source(Protocol):
    """A `FileTree`, as far as it is needed here."""

    def entry(self, path: str) -> Entry: ...

    def entries(self, path: str) -> Iterator[Entry]: ...


class Directory:
    """Before what is in it. `skip` leaves that out. `above`: FileIds of those that it is in."""

    def __init__(self, path: str, entry: Entry, above: FrozenSet[int] = frozenset()) -> None:
        self.path, self.entry, self.above = path, entry, above
        self.is_skipped = False

    def skip(self) -> None:
        self.is_skipped = True


class File(NamedTuple):
    path: str
    entry: Entry


class End(NamedTuple):
    """After all that is in a directory. `complete`: its names are all known."""

    path: str
    entry: Entry
    complete: bool


Step = Union[Directory, File, End]


def steps(source: Source, shortfalls: Shortfalls) -> Iterator[Step]:
    """The files of a directory come before its subdirectories.

    Raises: FileFailure if not even the top can be read, or the server is gone for good.
    """
    top = source.entry("")._replace(name="")
    waiting: List[Union[Directory, End]] = [Directory("", top)]
    while waiting:
        step = waiting.pop()
        yield step
        if isinstance(step, End) or step.is_skipped:
            continue
        below: List[Directory] = []
        complete = yield from _files(source, step, below, shortfalls)
        waiting.append(End(step.path, step.entry, complete))
        waiting += reversed(below)


def _files(
    source: Source, directory: Directory, below: List[Directory], shortfalls: Shortfalls
) -> Generator[File, None, bool]:
    """Returns whether all names are known. Raises: FileFailure."""
    above = directory.above | _identity(directory.entry)
    try:
        for entry in source.entries(directory.path):
            path = joined(directory.path, entry.name)
            cause = _cannot_be_copied(entry, path, above)
            if cause:
                shortfalls.add(path, cause)
            elif entry.is_directory:
                below.append(Directory(path, entry, above))
            else:
                yield File(path, entry)
    except FileFailure as failure:
        if not directory.path:
            raise
        give_up_if_gone(source, failure)
        shortfalls.add(directory.path, failure.cause)
        return False
    return True


def give_up_if_gone(source: Source, failure: FileFailure) -> None:
    """Nobody has to wait for each further file of a server that is gone. Raises: FileFailure."""
    try:
        source.entry("")
    except FileFailure:
        raise failure from None


def joined(path: str, name: str) -> str:
    return f"{path}\\{name}" if path else name


def _identity(entry: Entry) -> FrozenSet[int]:
    return frozenset({entry.file_id} - {0})


def _cannot_be_copied(entry: Entry, path: str, above: FrozenSet[int]) -> Optional[str]:
    fault = unsafe(entry.name)
    if fault:
        return fault
    if entry.reparse_tag & _SURROGATE:
        return "it is a link, which is not followed"
    if entry.is_directory:
        if entry.file_id in above:
            return "it leads back to a directory above it"
        if path.count("\\") >= DEEPEST:
            return f"it is below more than {DEEPEST} directories"
    return None


def may_be_mangled(name: str) -> bool:
    """Whether the server seems to show it in place of a name that Windows cannot have."""
    return _MANGLED.fullmatch(name) is not None
