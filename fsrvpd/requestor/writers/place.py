r"""Where a database's directory lies in the shares of a set, and in their copies.

A database knows the paths on its own host, and a share is some directory above, below which the
path goes on the same way: of /srv/nas/pg/main the tails are tried, `main`, `pg\main` and so on.
"""

from __future__ import annotations

import errno
import re
from typing import Callable, Iterator, NamedTuple, Optional, Sequence

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.writers.ports import Entry, SharedTree, Tree, WriterFailed

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # a link leads out of a copy


class Place(NamedTuple):
    shared: SharedTree
    path: str  # in the tree

    def entry(self, name: str) -> Optional[Entry]:
        return entry(self.shared.tree, below(self.path, name))

    @property
    def unc(self) -> str:
        return below(self.shared.root.unc, self.path) if self.path else self.shared.root.unc


def find_place(
    writer: str,
    what: str,
    directory: str,
    trees: Sequence[SharedTree],
    is_it: Callable[[Tree, str], bool],
) -> Place:
    """The place for which `is_it` is true. Raises: WriterFailed, which says `what` was looked for,
    if there is none, or if there are several: one of them is an old copy, or another server's."""
    shared_paths = [(shared, path) for path in tails(directory) for shared in trees]
    places = [Place(shared, path) for shared, path in shared_paths if is_it(shared.tree, path)]
    if not places:
        cause = f"its {what} {directory} is in none of the shares"
        raise WriterFailed(writer, cause, "add the share that it is in, readable for the user")
    for other in places[1:]:
        if not _are_same(places[0], other):
            cause = f"its {what} {directory} may be {places[0].unc} or {other.unc}"
            raise WriterFailed(writer, cause, "leave out the share that has the other one")
    return places[0]


def _are_same(one: Place, other: Place) -> bool:
    """Whether two shares show one directory."""
    if one.shared.root.host != other.shared.root.host:
        return False
    found = [entry(place.shared.tree, place.path) for place in (one, other)]
    ids = [each.file_id if each else 0 for each in found]
    return ids[0] == ids[1] != 0


def tails(directory: str) -> Iterator[str]:
    """Of a/b: a\\b, b, and "" for the root of a share."""
    parts = [part for part in re.split(r"[/\\]", directory) if part and ":" not in part]
    for number in range(len(parts) + 1):
        yield "\\".join(parts[number:])


def copy_of(writer: str, place: Place, copies: Sequence[SharedTree]) -> Place:
    """Raises: WriterFailed."""
    unc = place.shared.root.unc
    for copy in copies:
        if copy.root.unc == unc:
            return Place(copy, place.path)
    raise WriterFailed(writer, f"{unc} has no copy")


def is_clone(place: Place, copy: Place, name: str) -> bool:
    """Whether the copy of a file is another one, as far as its FileId says: a snapshot has the
    files themselves, and a server that clones file by file gives each a moment of its own."""
    live, copied = place.entry(name), copy.entry(name)
    ids = [found.file_id for found in (live, copied) if found and found.file_id]
    return len(set(ids)) > 1


def entry(tree: Tree, path: str) -> Optional[Entry]:
    """None for what is not there. Raises: RequestorError."""
    try:
        return tree.entry(path)
    except RequestorError as error:
        if getattr(error, "errno", None) in _NOT_THERE:
            return None
        raise


def below(directory: str, name: str) -> str:
    return f"{directory}\\{name}" if directory else name
