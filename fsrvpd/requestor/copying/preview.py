"""`copy --dry-run`: what a copy would do, from the names on the share and what is here."""

from __future__ import annotations

from contextlib import suppress
from typing import Iterator, List, NamedTuple, Optional, Set

from fsrvpd.requestor.copying.comparison import Change, change, ids_last
from fsrvpd.requestor.copying.local_directory import LocalDirectory
from fsrvpd.requestor.copying.shortfalls import Shortfalls
from fsrvpd.requestor.copying.side_file import TOP, Known, SideFile
from fsrvpd.requestor.copying.traversal import Directory, End, Source, joined, steps
from fsrvpd.requestor.files.records import Entry

REMOVED = "removed"


class Planned(NamedTuple):
    """`what` is the value of a `Change`, or REMOVED."""

    what: str
    path: str
    size: int


class _Level(NamedTuple):
    id: Optional[int]  # None: it is new
    folder: Optional[LocalDirectory]
    names: Set[str]  # on the share
    ids_last: bool  # see `change`


def planned(
    share: Source, top: Optional[LocalDirectory], side: Optional[SideFile], shortfalls: Shortfalls
) -> Iterator[Planned]:
    """Changes nothing. `top` and `side` are None if there is no mirror yet. Raises: FileFailure."""
    levels: List[_Level] = []
    try:
        for step in steps(share, shortfalls):
            if isinstance(step, End):
                level = levels.pop()
                if step.complete and side and level.id is not None:
                    yield from _removed(side, level, step.path)
                _close(level)
                continue
            name, above = step.entry.name, levels[-1] if levels else None
            known = _known(side, above, name)
            if above is not None:
                above.names.add(name)
            if isinstance(step, Directory):
                levels.append(_below(above, known, step.entry, top))
            else:
                found = above.folder.status(name) if above and above.folder else None
                last = above is not None and above.ids_last
                what = change(known, step.entry, found, ids_last=last)
                if what is not Change.NOTHING:
                    yield Planned(what.value, step.path, step.entry.size)
    finally:
        for level in levels:
            _close(level)


def _known(side: Optional[SideFile], above: Optional[_Level], name: str) -> Optional[Known]:
    if side is None:
        return None
    if above is None:
        return side.top()
    return None if above.id is None else side.known(above.id, name)


def _below(
    above: Optional[_Level], known: Optional[Known], entry: Entry, top: Optional[LocalDirectory]
) -> _Level:
    folder = None
    with suppress(OSError):  # it is not there, or something else is
        if above is None:
            folder = top.again() if top else None
        elif above.folder is not None:
            folder = above.folder.directory(entry.name)
    return _Level(known.id if known else None, folder, set(), ids_last(known, entry))


def _removed(side: SideFile, level: _Level, path: str) -> Iterator[Planned]:
    for known in side.children(level.id if level.id is not None else TOP):
        if known.entry.name not in level.names:
            yield Planned(REMOVED, joined(path, known.entry.name), known.entry.size)


def _close(level: _Level) -> None:
    if level.folder is not None:
        level.folder.close()
