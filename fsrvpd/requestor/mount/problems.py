"""What a mount could not show as it is: counted, and kept in a file for whoever started it.

The file has a JSON object a line, so that it can be read after the mount's process was killed. At
its beginning are lines of one length for those that are only counted: it does not grow by these.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Dict, Iterator, Mapping, NamedTuple, Optional, Set, Tuple

MOST_NAMED = 1000  # of each kind: beyond that they are only counted
_MOST_KNOWN = 100_000  # of all kinds: what comes again beyond that counts again
_ROOM = 64 << 10  # bytes, kept free: a full disk here must not make a backup seem complete
_LONGEST_LINE = 1 << 20  # bytes


class Kind(NamedTuple):
    meaning: str  # after the number of files
    incomplete: bool  # whether a backup lacks something


KINDS: Mapping[str, Kind] = {
    "unreadable": Kind("could not be read", True),
    "name-unusable": Kind("are not shown: their names cannot be names here", True),
    "link": Kind("are not shown: they are links or junctions", True),
    "descriptor-refused": Kind("are shown without their security descriptors", True),
    "streams-refused": Kind("are shown without their alternate data streams", True),
    "stream-too-large": Kind("have a stream above 64 KiB, which no xattr can hold", True),
    "stream-name": Kind("have a stream whose name no xattr can have", True),
    "name-mangled": Kind(
        "seem to have a name that Windows cannot have, and are shown with another one", False
    ),
    "name-beyond-windows": Kind("have names that Windows cannot have", False),
}


class Problem(NamedTuple):
    kind: str
    path: str  # below the share
    detail: str


class Problems:
    """Any thread adds to it; each problem counts once, as long as there are not too many."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        with suppress(OSError):
            os.posix_fallocate(self._file, 0, _ROOM)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._known: Set[int] = set()  # hashes
        self._places: Dict[str, int] = {}  # of the lines that count
        for kind in KINDS:
            self._places[kind] = os.lseek(self._file, 0, os.SEEK_CUR)
            with suppress(OSError):
                os.write(self._file, _counting(kind, 0))

    def add(self, kind: str, path: str, detail: str = "") -> None:
        """Raises nothing: a full disk here is no reason not to go on. There is room for the first
        ones at least, and one is enough for the exit status."""
        key = hash((kind, path))
        with self._lock:
            if key in self._known:
                return
            if len(self._known) < _MOST_KNOWN:
                self._known.add(key)
            self._counts[kind] += 1
            more = self._counts[kind] - MOST_NAMED
            with suppress(OSError):
                if more > 0:
                    os.pwrite(self._file, _counting(kind, more), self._places[kind])
                else:
                    line = json.dumps({"kind": kind, "path": path, "detail": detail})
                    os.write(self._file, line.encode() + b"\n")


def _counting(kind: str, more: int) -> bytes:
    """A line of the same length for every number."""
    return f'{{"kind": "{kind}", "more": {more:20}}}\n'.encode()


class Found(NamedTuple):
    """`counts` has the kinds that occurred; `named` are the first ones."""

    counts: Mapping[str, int]
    named: Tuple[Problem, ...]

    @property
    def incomplete(self) -> bool:
        """Whether a backup of the mount lacks something."""
        return any(KINDS[kind].incomplete for kind in self.counts)


def read(path: Path) -> Found:
    """What was written; nothing if there is no such file."""
    counts: Counter[str] = Counter()
    named = []
    for line in _lines(path):
        found, times = _parsed(line)
        if found is not None and times:
            counts[found.kind] += times
            if found.path or found.detail:
                named.append(found)
    return Found(counts, tuple(named))


def _lines(path: Path) -> Iterator[bytes]:
    """All of them: the last one may be the only one that says that something is lacking."""
    with suppress(OSError), open(path, "rb") as file:
        yield from iter(lambda: file.readline(_LONGEST_LINE), b"")


def _parsed(line: bytes) -> Tuple[Optional[Problem], int]:
    """And how often it occurred. None for half a line, of a process that was killed."""
    try:
        fields = json.loads(line)
        kind, path, times = fields["kind"], fields.get("path", ""), int(fields.get("more", 1))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, 0
    if kind not in KINDS:
        return None, 0
    return Problem(kind, str(path), str(fields.get("detail", ""))), times
