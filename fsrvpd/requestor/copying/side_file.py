"""What a mirror cannot keep in its own files: security descriptors, attributes, streams and times
of Windows. It also says which files are complete, so that a copy that was cut off is gone on with.

A database of SQLite in the directory FOLDER at the top of the mirror. What `commit` has returned
for is on the disk, and so are the files that it speaks of.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import suppress
from typing import Any, Iterator, NamedTuple, Optional, Tuple

from fsrvpd.core.files import sync_file_system
from fsrvpd.requestor.copying.local_directory import LocalDirectory
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.files.records import Entry

FOLDER = ".fsrvpshadow"
DATABASE, PARTS, RESERVE = "side.sqlite", "parts", "reserve"
FORMAT = "1"
IN_DOUBT = -1  # the size of such a file: the share has none of that size
TOP = 1  # the id of the entry of the mirror itself
_PIECE = 1 << 20  # bytes of a stream in one row
_ROOM = 1 << 20  # bytes
_WRAP = 1 << 64  # SQLite's numbers have a sign, those of Windows have none
_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE descriptors (id INTEGER PRIMARY KEY, content BLOB NOT NULL UNIQUE);
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE,
    name TEXT NOT NULL, is_directory INTEGER NOT NULL, size INTEGER NOT NULL,
    created INTEGER NOT NULL, accessed INTEGER NOT NULL, modified INTEGER NOT NULL,
    changed INTEGER NOT NULL, attributes INTEGER NOT NULL, file_id INTEGER NOT NULL,
    descriptor INTEGER REFERENCES descriptors, has_facts INTEGER NOT NULL DEFAULT 0,
    run INTEGER NOT NULL, UNIQUE (parent, name)
);
CREATE TABLE streams (
    entry INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE,
    name TEXT NOT NULL, number INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (entry, name, number)
) WITHOUT ROWID;
CREATE TABLE parts (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL,
    file_id INTEGER NOT NULL, changed INTEGER NOT NULL, done INTEGER NOT NULL
);
"""
_SELECT = (
    "SELECT id, name, is_directory, size, created, accessed, modified, changed, attributes,"
    " file_id, has_facts, run FROM entries WHERE "
)


class Known(NamedTuple):
    """An entry as it is in the mirror."""

    id: int
    entry: Entry
    has_facts: bool  # whether descriptor and streams are here, as they were then
    run: int


class SideFile:
    """One process at a time has it open, or several that only read; `folder` is FOLDER. One
    that cannot be written to, as on a medium that is read-only, is read. Raises: RequestorError if
    it cannot be read or written."""

    def __init__(self, folder: LocalDirectory, *, where: str) -> None:
        self._folder, self._where = folder, where
        self._is_read_only = not folder.is_writable()
        self._lock = self._locked()
        try:
            mode = "ro" if self._is_read_only else "rwc"
            self._database = sqlite3.connect(
                f"file:/proc/self/fd/{folder.fd}/{DATABASE}?mode={mode}",
                isolation_level=None,
                uri=True,
            )
            self._execute("PRAGMA foreign_keys = ON")
            if not self._is_read_only and not self._all(
                "SELECT name FROM sqlite_master WHERE name = 'about'"
            ):
                self._database.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
                self._execute("INSERT INTO about VALUES ('format', ?)", FORMAT)
            self._check_format()
            self._execute("BEGIN")
        except sqlite3.Error as error:
            os.close(self._lock)
            raise self._failure(error) from error
        except BaseException:
            os.close(self._lock)
            raise
        self.run = 0

    def close(self) -> None:
        """What was not committed is forgotten."""
        self._database.close()
        os.close(self._lock)

    # -- what is copied here

    @property
    def source(self) -> str:
        r"""The share and the directory that it is a copy of, such as \\nas\data\projects."""
        found = self._all("SELECT value FROM about WHERE key = 'source'")
        return str(found[0][0]) if found else ""

    def begin_run(self, source: str) -> None:
        """A copy begins: entries that are not marked from now on are no longer on the share."""
        self._execute("INSERT OR REPLACE INTO about VALUES ('source', ?)", source)
        self._keep_room()
        last = self._all("SELECT COALESCE(MAX(run), 0) FROM entries")
        self.run = int(last[0][0]) + 1

    # -- entries

    def known(self, parent: int, name: str) -> Optional[Known]:
        found = self._all(
            _SELECT + "parent = ? AND name = ? AND id > ?",
            *(parent, name, TOP),
        )
        return _known(found[0]) if found else None

    def top(self) -> Optional[Known]:
        found = self._all(_SELECT + "id = ?", TOP)
        return _known(found[0]) if found else None

    def children(self, parent: int) -> Iterator[Known]:
        """In the order of their ids; whoever asks may use the side file meanwhile."""
        last = TOP
        while True:
            rows = self._all(
                _SELECT + "parent = ? AND id > ? ORDER BY id LIMIT 500",
                *(parent, last),
            )
            if not rows:
                return
            yield from map(_known, rows)
            last = rows[-1][0]

    def put(self, parent: int, entry: Entry) -> int:
        """An entry that is complete in the mirror, and of this run. Returns its id."""
        key = TOP if not entry.name else None
        times = map(_signed, (entry.created, entry.accessed, entry.modified, entry.changed))
        file_id = _signed(entry.file_id)
        values = (entry.is_directory, entry.size, *times, entry.attributes, file_id, self.run)
        self._execute(
            "INSERT INTO entries (id, parent, name, is_directory, size, created, accessed,"
            " modified, changed, attributes, file_id, run)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (parent, name) DO UPDATE SET is_directory = excluded.is_directory,"
            " size = excluded.size, created = excluded.created, accessed = excluded.accessed,"
            " modified = excluded.modified, changed = excluded.changed,"
            " attributes = excluded.attributes, file_id = excluded.file_id, run = excluded.run,"
            " has_facts = 0",
            *(key, parent, entry.name, *values),
        )
        found = self._all(
            "SELECT id FROM entries WHERE parent = ? AND name = ?", parent, entry.name
        )
        return int(found[0][0])

    def mark(self, id: int) -> None:
        """It is still on the share."""
        self._execute("UPDATE entries SET run = ? WHERE id = ?", self.run, id)

    def forget_unmarked(self, parent: int) -> None:
        self._execute(
            "DELETE FROM entries WHERE parent = ? AND run < ? AND id > ?", parent, self.run, TOP
        )

    def doubt(self, id: int) -> None:
        """A file here is not what was copied. It stays until the next run has copied it again."""
        self._execute("UPDATE entries SET size = ? WHERE id = ?", IN_DOUBT, id)

    # -- descriptors and streams

    def set_descriptor(self, id: int, content: bytes) -> None:
        self._execute("INSERT OR IGNORE INTO descriptors (content) VALUES (?)", content)
        self._execute(
            "UPDATE entries SET descriptor = (SELECT id FROM descriptors WHERE content = ?)"
            " WHERE id = ?",
            *(content, id),
        )

    def set_has_facts(self, id: int) -> None:
        self._execute("UPDATE entries SET has_facts = 1 WHERE id = ?", id)

    def descriptor(self, id: int) -> bytes:
        found = self._all(
            "SELECT content FROM descriptors WHERE id ="
            " (SELECT descriptor FROM entries WHERE id = ?)",
            id,
        )
        return bytes(found[0][0]) if found else b""

    def forget_streams(self, id: int) -> None:
        self._execute("DELETE FROM streams WHERE entry = ?", id)

    def add_to_stream(self, id: int, name: str, offset: int, content: bytes) -> None:
        """In order; pieces are of any size, and an empty stream has an empty one."""
        for begin in range(0, max(1, len(content)), _PIECE):
            piece = content[begin : begin + _PIECE]
            self._execute(
                "INSERT OR REPLACE INTO streams VALUES (?, ?, ?, ?)",
                *(id, name, offset + begin, piece),
            )

    def streams(self, id: int) -> Tuple[Tuple[str, int], ...]:
        """Name and size."""
        return tuple(
            (str(name), int(size))
            for name, size in self._all(
                "SELECT name, SUM(LENGTH(content)) FROM streams WHERE entry = ? GROUP BY name", id
            )
        )

    def stream(self, id: int, name: str) -> Iterator[Tuple[int, bytes]]:
        """Offsets and bytes."""
        numbers = self._all(
            "SELECT number FROM streams WHERE entry = ? AND name = ? ORDER BY number", id, name
        )
        for (number,) in numbers:
            [[content]] = self._all(
                "SELECT content FROM streams WHERE entry = ? AND name = ? AND number = ?",
                *(id, name, number),
            )
            yield int(number), bytes(content)

    # -- files that are being copied

    def part_done(self, name: str, entry: Entry) -> int:
        """How much of a file is there already, if it is still the same file."""
        statement = "SELECT size, modified, file_id, changed, done FROM parts WHERE name = ?"
        for size, modified, file_id, changed, done in self._all(statement, name):
            was_written = file_id == _signed(entry.file_id) and changed != _signed(entry.changed)
            if (size, modified) == (entry.size, _signed(entry.modified)) and not was_written:
                return int(done)
        return 0

    def set_part(self, name: str, entry: Entry, done: int) -> None:
        self._execute(
            "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)",
            *(name, entry.size, _signed(entry.modified)),
            *(_signed(entry.file_id), _signed(entry.changed), done),
        )

    def forget_part(self, name: str) -> None:
        self._execute("DELETE FROM parts WHERE name = ?", name)

    def part_names(self) -> Iterator[str]:
        return (str(name) for (name,) in self._all("SELECT name FROM parts"))

    # -- the database

    def commit(self) -> None:
        """Everything that was put, and the files, are on the disk afterwards."""
        try:
            sync_file_system(self._folder.fd)
        except OSError as error:  # nobody can say which of the files are whole
            cause = f"the disk has lost data: {error.strerror}"
            raise RequestorError(self._where, cause, "see dmesg") from error
        if self._database.in_transaction:  # SQLite ends one that it has no room for
            self._execute("COMMIT")
        self._execute("BEGIN")

    def give_back_room(self) -> None:
        """For a disk that is full: what was kept free until now. Raises: OSError."""
        self._folder.remove(RESERVE)

    def _keep_room(self) -> None:
        """What is known of the files must be written down also when the disk is full."""
        with suppress(OSError), self._folder.opened(RESERVE, os.O_WRONLY | os.O_CREAT) as fd:
            os.posix_fallocate(fd, 0, _ROOM)

    def _execute(self, statement: str, *values: object) -> None:
        try:
            self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _all(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> RequestorError:
        next_step = "make room there" if "full" in str(error) else "copy into an empty directory"
        if self._is_read_only:  # SQLite mends what a copy that was cut off has left there
            next_step = "copy all of the directory to where you may write, and use that"
        return RequestorError(f"{self._where}/{FOLDER}/{DATABASE}", str(error), next_step)

    def _check_format(self) -> None:
        [[found]] = self._all("SELECT value FROM about WHERE key = 'format'")
        if found != FORMAT:
            cause = f"it has format {found}, this version knows {FORMAT}"
            raise RequestorError(f"{self._where}/{FOLDER}", cause, "use a newer version")

    def _locked(self) -> int:
        flags = os.O_RDONLY if self._is_read_only else os.O_RDWR | os.O_CREAT
        lock = self._folder.open("lock", flags)
        kind = fcntl.LOCK_SH if self._is_read_only else fcntl.LOCK_EX
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            cause = "another copy or restore works with it"
            raise RequestorError(self._where, cause, "wait for its end") from None
        return lock


def _known(row: tuple[Any, ...]) -> Known:
    id, name, is_directory, size, *numbers, attributes, file_id, has_facts, run = row
    created, accessed, modified, changed = (number % _WRAP for number in numbers)
    times = (created, accessed, modified, changed)
    entry = Entry(name, bool(is_directory), size, 0, *times, attributes, file_id % _WRAP, 0)
    return Known(id, entry, bool(has_facts), run)


def _signed(number: int) -> int:
    return number - _WRAP if number >> 63 else number
