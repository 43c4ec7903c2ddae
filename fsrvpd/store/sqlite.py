"""The sets in SQLite: a write-ahead log synced at every transaction.

One row a set, so that a step costs the same however many sets there are. The file is one
process's alone, from opening to closing.

Schema 3 (docs/state.md):  sets(id BLOB PRIMARY KEY, document TEXT), file(id TEXT),
kept(copy TEXT PRIMARY KEY, held INTEGER)
Schema 2 had no table `kept`, and schema 1 file(born REAL) instead; they are brought up to date
when they are opened.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from typing import Callable, Mapping, Optional, Sequence

from fsrvpd.core.messages import Guid
from fsrvpd.errors import StoreError

SCHEMA = 3  # user_version of the file
_WITH_ID = 2  # the first schema whose file has one
LOG_LENGTH = 1000 * 4096  # bytes: after these pages SQLite restarts the log
_AMPLE = 16 * LOG_LENGTH  # free bytes below which the log grows as it must
APPLICATION = 0x46535250  # application_id of the file: "FSRP"
# INSERT OR REPLACE would give the row a new place in the index, which would be written as well.
_WRITE = (
    "INSERT INTO sets VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET document = excluded.document"
)


class SqliteStore:
    """Fulfils `protocol.ports.StateStore`."""

    confirms_answers = False  # the file is this process's alone

    def __init__(self, path: str) -> None:
        """Open or make the file. Raises: StoreError when it is damaged, in use, written by
        a newer fsrvpd or not fsrvpd's."""
        self.path = path
        self.id = ""  # of this file; a copy of it has the same
        self._make_file()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
        except sqlite3.Error as error:
            raise self._failure("opened", error) from error
        try:
            self._begin()
        except sqlite3.Error as error:
            self._db.close()
            raise self._failure("opened", error) from error
        except StoreError:
            self._db.close()
            raise

    def _make_file(self) -> None:
        """For its owner's eyes only, which SQLite does not ask of the system."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        try:
            os.close(os.open(self.path, flags, 0o600))
        except FileExistsError:
            pass
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be made: {error.strerror}; check that its directory"
                " exists and that its file system is mounted and writable"
            ) from error

    def _begin(self) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._require_ours()
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._bring_up_to_date()
        (found,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise self._damaged(found)
        (self.id,) = self._db.execute("SELECT id FROM file").fetchone()
        self._lay_out_log()

    def _lay_out_log(self) -> None:
        """Give the log its whole length now. A commit that makes it longer waits for the
        journal of the file system, and with it for everybody else's changes; one that writes
        over what is there waits for its own pages alone."""
        volume = os.statvfs(self.path)
        if volume.f_bavail * volume.f_frsize < _AMPLE:
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("CREATE TABLE filler (content BLOB)")
        self._db.execute("INSERT INTO filler VALUES (zeroblob(?))", (LOG_LENGTH,))
        self._db.execute("DROP TABLE filler")
        self._db.execute("COMMIT")
        self._db.execute("PRAGMA wal_checkpoint(RESTART)")

    def _require_ours(self) -> None:
        """Before anything is written: a path may be mistyped."""
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != APPLICATION and tables:
            raise StoreError(
                f"{self.path} is a database, but not one of fsrvpd; move it away, or point"
                " Samba's state directory to where fsrvpd's own is"
            )
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise StoreError(
                f"{self.path} was written by a newer fsrvpd (schema {version}, this one knows"
                f" {SCHEMA}); install that version again, or move the file away"
            )

    def _bring_up_to_date(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == SCHEMA:
            return
        self._db.execute("BEGIN IMMEDIATE")
        if version == 0:
            self._db.execute("CREATE TABLE sets (id BLOB PRIMARY KEY, document TEXT NOT NULL)")
        elif version == 1:
            self._db.execute("DROP TABLE file")
        if version < _WITH_ID:
            self._db.execute("CREATE TABLE file (id TEXT NOT NULL)")
            self._db.execute("INSERT INTO file VALUES (?)", (str(uuid.uuid4()),))
        self._db.execute("CREATE TABLE kept (copy TEXT PRIMARY KEY, held INTEGER NOT NULL)")
        self._db.execute(f"PRAGMA application_id = {APPLICATION}")
        self._db.execute(f"PRAGMA user_version = {SCHEMA}")
        self._db.execute("COMMIT")

    def submit(
        self,
        changes: Sequence[tuple[Guid, Optional[str]]],
        *,
        durable: bool,
        done: Callable[[Optional[StoreError]], None],
    ) -> None:
        """Calls `done` before it returns."""
        try:
            self.apply(changes, durable=durable)
        except StoreError as error:
            failure: Optional[StoreError] = error
        else:
            failure = None
        done(failure)

    def apply(self, changes: Sequence[tuple[Guid, Optional[str]]], *, durable: bool = True) -> None:
        """The transaction of `submit`. Raises: StoreError."""
        try:
            # NORMAL leaves the log unsynced, until the next durable transaction syncs all of it.
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            for key, document in changes:
                if document is None:
                    self._db.execute("DELETE FROM sets WHERE id = ?", (key,))
                else:
                    self._db.execute(_WRITE, (key, document))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._failure("written", error) from error

    def load(self) -> Mapping[Guid, str]:
        try:
            return dict(self._db.execute("SELECT id, document FROM sets"))
        except sqlite3.Error as error:
            raise self._failure("read", error) from error

    def keep(self, changes: Mapping[str, Optional[bool]]) -> None:
        """Record copies, by id, that an admin keeps, with whether he holds them; None forgets
        one. Durable. Raises: StoreError."""
        rows = [(copy, held) for copy, held in changes.items() if held is not None]
        try:
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("DELETE FROM kept WHERE copy = ?", [(each,) for each in changes])
            self._db.executemany("INSERT INTO kept VALUES (?, ?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._failure("written", error) from error

    def kept(self) -> Mapping[str, bool]:
        """What `keep` recorded. Raises: StoreError."""
        try:
            rows = self._db.execute("SELECT copy, held FROM kept")
            return {copy: bool(held) for copy, held in rows}
        except sqlite3.Error as error:
            raise self._failure("read", error) from error

    def close(self) -> None:
        self._db.close()

    def _failure(self, what: str, error: sqlite3.Error) -> StoreError:
        if type(error) is sqlite3.DatabaseError:  # no subclass: the file's content is at fault
            return self._damaged(str(error))
        return StoreError(
            f"{self.path} cannot be {what}: {error}; if another fsrvpd runs on this"
            " configuration stop it, else check free space and permissions of its file system"
        )

    def _damaged(self, found: str) -> StoreError:
        return StoreError(
            f"{self.path} is damaged: {found}; move it away together with its -wal file and"
            " start fsrvpd again, which finds the snapshots by their marks on disk"
        )
