"""`Listings`: what directories hold, remembered for whoever asks for each of their files next.

A copy cannot change, so what is remembered stays true. Names that cannot be names here are left out
and reported.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from errno import ENOENT
from typing import Dict, Mapping, Optional

from fsrvpd.requestor.files.records import Entry
from fsrvpd.requestor.mount import names
from fsrvpd.requestor.mount.identity import Tree
from fsrvpd.requestor.mount.problems import Problems

MOST = 50_000  # entries that are remembered
_ALONE = 2_000  # of those that were asked for without their directory


class Listings:
    """Paths are those of SMB, from the root of the mount on. Threads may share one."""

    def __init__(self, tree: Tree, problems: Problems) -> None:
        self._tree, self._problems = tree, problems
        self._lock = threading.Lock()
        self._directories: OrderedDict[str, Mapping[str, Entry]] = OrderedDict()
        self._alone: OrderedDict[str, Entry] = OrderedDict()
        self._number = 0  # of remembered entries

    def entry(self, path: str) -> Entry:
        """Raises: RequestorError, OSError with ENOENT."""
        above, _, name = path.rpartition("\\")
        if path:
            with self._lock:
                found = self._directories.get(above)
                alone = self._alone.get(path)
            if found is not None:
                if name not in found:
                    raise FileNotFoundError(ENOENT, "no such file", path)
                return found[name]
            if alone is not None:
                return alone
            if ":" in name or not names.is_usable(name):
                raise FileNotFoundError(ENOENT, "no such file", path)
        entry = self._tree.entry(path)
        if names.is_link(entry.attributes, entry.reparse_tag):
            raise FileNotFoundError(ENOENT, "no such file", path)
        with self._lock:
            self._alone[path] = entry
            while len(self._alone) > _ALONE:
                self._alone.popitem(last=False)
        return entry

    def of(self, path: str) -> Mapping[str, Entry]:
        """The entries of a directory by their names. Raises: RequestorError."""
        with self._lock:
            remembered = self._directories.get(path)
            if remembered is not None:
                self._directories.move_to_end(path)
                return remembered
        found: Dict[str, Entry] = {}
        for entry in self._tree.entries(path):
            if self._is_shown(path, entry):
                found[entry.name] = entry
        self._remember(path, found)
        return found

    def _is_shown(self, above: str, entry: Entry) -> bool:
        path = f"{above}\\{entry.name}" if above else entry.name
        kind = _problem_of(entry)
        if kind is not None:
            self._problems.add(kind, path)
        return kind not in ("name-unusable", "link")

    def _remember(self, path: str, found: Mapping[str, Entry]) -> None:
        """The newest one always: its files are asked for next."""
        with self._lock:
            if path not in self._directories:
                self._number += len(found)
                self._directories[path] = found
            while self._number > MOST and len(self._directories) > 1:
                _, oldest = self._directories.popitem(last=False)
                self._number -= len(oldest)


def _problem_of(entry: Entry) -> Optional[str]:
    if not names.is_usable(entry.name):
        return "name-unusable"
    if names.is_link(entry.attributes, entry.reparse_tag):
        return "link"
    if names.may_be_mangled(entry.name):
        return "name-mangled"
    return "name-beyond-windows" if names.is_beyond_windows(entry.name) else None
