"""The history in SQLite, apart from the state: losing a second of it does no harm.

A write is in the page cache when it returns; `sync` brings all of them to the disk. Nothing is
synced in between, so that no sequence waits for it. The file is one process's alone, and is used
in one thread.

Schema 1 (docs/state.md):  sets(id TEXT PRIMARY KEY, started REAL, unfinished INT, names TEXT,
document TEXT), backups(share TEXT PRIMARY KEY, completed REAL, document TEXT),
refusals(id TEXT PRIMARY KEY, last REAL, document TEXT)
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import Any, Callable, Iterable, NamedTuple, Optional, Sequence, TypeVar

from fsrvpd.errors import StoreError
from fsrvpd.store import history_records as records
from fsrvpd.store.history_records import Backup, RefusalRecord, SetRecord

SCHEMA = 1  # user_version of the file
APPLICATION = 0x46535248  # application_id of the file: "FSRH"
MAX_AGE = 35 * 86_400.0  # s
MAX_SETS = 100_000
MAX_BACKUPS = 20_000  # shares; a share that has none for MAX_BACKUP_AGE is forgotten
MAX_BACKUP_AGE = 400 * 86_400.0  # s
LOG_LIMIT = 16 << 20  # bytes of the write-ahead log above which it is synced in any case
DAMAGED = ".damaged"

_END_OF_TIME = float(1 << 50)
_SETS = (
    "SELECT document FROM sets WHERE started >= ? AND (started, id) < (?, ?)"
    " AND (? = '' OR instr(names, ?) > 0) ORDER BY started DESC, id DESC LIMIT ?"
)
_FORGET_SETS = (
    "DELETE FROM sets WHERE id IN"
    " (SELECT id FROM sets ORDER BY started DESC, id DESC LIMIT -1 OFFSET ?)"
)
_FORGET_BACKUPS = (
    "DELETE FROM backups WHERE share IN"
    " (SELECT share FROM backups ORDER BY completed DESC LIMIT -1 OFFSET ?)"
)
T = TypeVar("T")


class Changes(NamedTuple):
    """What to write. `refusals` replace those that are stored."""

    sets: Sequence[SetRecord] = ()
    backups: Sequence[Backup] = ()
    refusals: Optional[Sequence[RefusalRecord]] = None


class Remembered(NamedTuple):
    """What the daemon keeps in memory."""

    unfinished: Sequence[SetRecord]
    backups: Sequence[Backup]
    refusals: Sequence[RefusalRecord]


class Query(NamedTuple):
    """Of sets, the newest first. `before`: the start and the id of the one before the first.
    `share` is in the form in which `names` are written."""

    since: float = 0.0
    share: str = ""
    before: Optional[tuple[float, str]] = None
    limit: int = 250


class HistoryStore:
    """Every method raises StoreError. A damaged file is moved aside when it is opened again."""

    def __init__(self, path: str, normal_share: Callable[[str], str]) -> None:
        """`normal_share` makes names equal that Samba takes for equal."""
        self.path = path
        self._normal = normal_share
        self._db: Optional[sqlite3.Connection] = None
        self._pruned_at = 0.0
        self._damage = ""

    def open(self) -> None:
        """Open or make the file."""
        try:
            self._open()
        except _Damaged as error:
            self._move_aside()
            self._damage = str(error)
            self._open()

    def take_damage(self) -> str:
        """What was wrong with a file that was moved aside since the last call."""
        damage, self._damage = self._damage, ""
        return damage

    def remembered(self) -> Remembered:
        unfinished = self._read("SELECT document FROM sets WHERE unfinished")
        backups = self._read("SELECT document FROM backups LIMIT ?", MAX_BACKUPS)
        refusals = self._read("SELECT document FROM refusals ORDER BY last")
        return Remembered(
            _valid(records.set_record, unfinished),
            _valid(records.backup, backups),
            _valid(records.refusal, refusals),
        )

    def write(self, changes: Changes, now: float) -> None:
        """In one transaction, without waiting for the disk. Forgets what is too old or too
        much."""
        with self._transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO sets VALUES (?, ?, ?, ?, ?)", map(self._row, changes.sets)
            )
            db.executemany(
                "INSERT OR REPLACE INTO backups VALUES (?, ?, ?)",
                [
                    (self._normal(each.share), each.completed, records.encoded(each))
                    for each in changes.backups
                ],
            )
            if changes.refusals is not None:
                db.execute("DELETE FROM refusals")
                db.executemany(
                    "INSERT INTO refusals VALUES (?, ?, ?)",
                    [
                        (str(number), each.last, records.encoded(each))
                        for number, each in enumerate(changes.refusals)
                    ],
                )
            if not 0 <= now - self._pruned_at < 3600 or len(changes.sets) > 100:
                self._prune(db, now)
                self._pruned_at = now

    def log_is_long(self) -> bool:
        with contextlib.suppress(OSError):
            return os.stat(f"{self.path}-wal").st_size > LOG_LIMIT
        return False

    def sync(self) -> None:
        """Bring what was written to the disk. Takes as long as the disk takes."""
        with self._guarded("synced") as db:
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("PRAGMA synchronous = OFF")

    def sets(self, query: Query) -> list[SetRecord]:
        moment, before = query.before or (_END_OF_TIME, "")
        share = _joined([query.share]) if query.share else ""
        values = (query.since, moment, before, share, share, query.limit)
        found = self._read(_SETS, *values)
        return _valid(records.set_record, found)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _row(self, record: SetRecord) -> tuple[Any, ...]:
        names = _joined(map(self._normal, record.shares))
        unfinished = record.ended is None
        return record.id, record.started, unfinished, names, records.encoded(record)

    def _prune(self, db: sqlite3.Connection, now: float) -> None:
        db.execute("DELETE FROM sets WHERE started < ?", (now - MAX_AGE,))
        db.execute(_FORGET_SETS, (MAX_SETS,))
        db.execute("DELETE FROM backups WHERE completed < ?", (now - MAX_BACKUP_AGE,))
        db.execute(_FORGET_BACKUPS, (MAX_BACKUPS,))

    # The file.

    def _open(self) -> None:
        self.close()
        self._make_file()
        try:
            # Opened in the daemon's thread or in the writer's, used in one.
            self._db = sqlite3.connect(
                self.path, isolation_level=None, timeout=1.0, check_same_thread=False
            )
            self._begin(self._db)
        except sqlite3.Error as error:
            self.close()
            raise _failure(self.path, "opened", error) from error
        except StoreError:
            self.close()
            raise

    def _make_file(self) -> None:
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be opened: {error.strerror}; check free space and permissions"
                " of its directory"
            ) from error
        with contextlib.closing(os.fdopen(descriptor, "rb")):
            os.fchmod(descriptor, 0o600)

    def _begin(self, db: sqlite3.Connection) -> None:
        db.text_factory = _text
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application not in (0, APPLICATION) or (tables and version != SCHEMA):
            raise _Damaged(f"{self.path} is no history that this version of fsrvpd reads")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("PRAGMA synchronous = OFF")
        if not tables:
            self._make_tables(db)
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise _Damaged(f"{self.path} is damaged: {found}")

    def _make_tables(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "CREATE TABLE sets (id TEXT PRIMARY KEY, started REAL NOT NULL,"
            " unfinished INT NOT NULL, names TEXT NOT NULL, document TEXT NOT NULL)"
        )
        db.execute("CREATE INDEX sets_by_time ON sets (started, id)")
        db.execute("CREATE INDEX unfinished_sets ON sets (id) WHERE unfinished")
        db.execute(
            "CREATE TABLE backups (share TEXT PRIMARY KEY, completed REAL NOT NULL,"
            " document TEXT NOT NULL)"
        )
        db.execute(
            "CREATE TABLE refusals (id TEXT PRIMARY KEY, last REAL NOT NULL,"
            " document TEXT NOT NULL)"
        )
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {SCHEMA}")
        db.execute("COMMIT")

    def _move_aside(self) -> None:
        """For whoever wants to look at it; the one before is replaced."""
        try:
            os.replace(self.path, self.path + DAMAGED)
            for suffix in ("-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path + suffix)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be moved aside: {error.strerror}") from error

    def _read(self, statement: str, *arguments: Any) -> list[str]:
        with self._guarded("read") as db:
            return [row[0] for row in db.execute(statement, arguments)]

    @contextlib.contextmanager
    def _transaction(self) -> Any:
        with self._guarded("written") as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _guarded(self, what: str) -> Any:
        """The database, open. What SQLite raises becomes a StoreError; a damaged file is closed,
        so that the next use opens it anew and moves it aside."""
        if self._db is None:
            self.open()
        try:
            yield self._db
        except sqlite3.Error as error:
            failure = _failure(self.path, what, error)
            if isinstance(failure, _Damaged):
                self.close()
            raise failure from error


class _Damaged(StoreError):
    """The file's content is at fault."""


def _failure(path: str, what: str, error: sqlite3.Error) -> StoreError:
    if type(error) is sqlite3.DatabaseError:  # no subclass: the file's content is at fault
        return _Damaged(f"{path} is damaged: {error}")
    return StoreError(
        f"{path} cannot be {what}: {error}; check free space and permissions of its file system"
    )


def _joined(names: Iterable[str]) -> str:
    """Names of shares in a text in which each is found whole: none contains a line end."""
    return "\n" + "".join(f"{name}\n" for name in names)


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")


def _valid(decode: Callable[[str], Optional[T]], documents: Iterable[Any]) -> list[T]:
    found = (decode(each) for each in documents if isinstance(each, str))
    return [each for each in found if each is not None]
