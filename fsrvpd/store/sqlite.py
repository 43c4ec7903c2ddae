"""The sets in SQLite: a write-ahead log synced at every transaction.

One row a set, so that a step costs the same however many sets there are.
"""

from __future__ import annotations

import sqlite3
from typing import Mapping, Optional, Sequence

from fsrvpd.core.messages import Guid
from fsrvpd.errors import StoreError

SCHEMA = 1  # user_version of the file


class SqliteStore:
    """Fulfils `protocol.ports.StateStore`. The file is this process's alone while it is open."""

    def __init__(self, path: str) -> None:
        """Open or make the file. Raises: StoreError when it is damaged, in use, or newer."""
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._make_schema()
        except sqlite3.Error as error:
            raise self._failure("opened", error) from error

    def _make_schema(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise StoreError(
                f"{self.path}: written by a newer fsrvpd (schema {version}, this one knows"
                f" {SCHEMA}); install that version again, or move the file away"
            )
        if version == 0:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("CREATE TABLE sets (id BLOB PRIMARY KEY, document TEXT NOT NULL)")
            self._db.execute(f"PRAGMA user_version = {SCHEMA}")
            self._db.execute("COMMIT")

    def apply(self, changes: Sequence[tuple[Guid, Optional[str]]]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for key, document in changes:
                if document is None:
                    self._db.execute("DELETE FROM sets WHERE id = ?", (key,))
                else:
                    self._db.execute("INSERT OR REPLACE INTO sets VALUES (?, ?)", (key, document))
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

    def close(self) -> None:
        self._db.close()

    def _failure(self, what: str, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"{self.path} cannot be {what}: {error}; if another fsrvpd runs on this"
            " configuration stop it, else check the disk and the file"
        )
