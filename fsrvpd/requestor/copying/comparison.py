"""Whether a file of the share is the one that the mirror has."""

from __future__ import annotations

import os
import stat
from enum import Enum
from typing import Optional

from fsrvpd.requestor.copying.share import unix_ns
from fsrvpd.requestor.copying.side_file import Known
from fsrvpd.requestor.files.records import Entry

_COARSEST = 2_000_000_000  # ns: the times of file systems here


class Change(Enum):
    NEW = "new"
    CONTENT = "changed"
    FACTS = "attributes"  # its content is the same
    NOTHING = "unchanged"


def ids_last(known: Optional[Known], directory: Entry) -> bool:
    """Whether the server seems to have stable FileIds: the directory has its old one."""
    return known is not None and known.entry.file_id == directory.file_id != 0


def change(
    known: Optional[Known], entry: Entry, found: Optional[os.stat_result], *, ids_last: bool
) -> Change:
    """`found` is the file in the mirror. `ids_last`: of the directory that it is in.

    A server with stable FileIds also shows that a file was replaced by another one of the same size
    and time, and in ChangeTime what was written with the old time put back. On others a snapshot
    has new FileIds and ChangeTimes each time: size and time decide, and the facts are compared.
    """
    if known is None or found is None:
        return Change.NEW
    old = known.entry
    same_file, same_change = old.file_id == entry.file_id, old.changed == entry.changed
    other = not same_change if same_file else ids_last
    if other or not _same_content(old, entry, found):
        return Change.CONTENT
    return Change.NOTHING if same_facts(known, entry) else Change.FACTS


def same_facts(known: Optional[Known], entry: Entry) -> bool:
    """Whether descriptor and streams need not be asked for."""
    if known is None or not known.has_facts:
        return False
    old = known.entry
    return (old.file_id, old.changed) == (entry.file_id, entry.changed)


def _same_content(old: Entry, entry: Entry, found: os.stat_result) -> bool:
    return (
        (old.size, old.modified) == (entry.size, entry.modified)
        and stat.S_ISREG(found.st_mode)
        and found.st_size == entry.size
        and abs(found.st_mtime_ns - unix_ns(entry.modified)) < _COARSEST
    )
