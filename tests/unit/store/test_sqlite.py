from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Iterator, Optional

import pytest

from fsrvpd.errors import StoreError
from fsrvpd.store.sqlite import LOG_LENGTH, SCHEMA, SqliteStore

ONE, TWO = bytes(15) + b"\x01", bytes(15) + b"\x02"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sets.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(str(path))
    yield store
    store.close()


def reopened(path: Path) -> dict[bytes, str]:
    store = SqliteStore(str(path))
    try:
        return dict(store.load())
    finally:
        store.close()


def refusal(path: Path) -> str:
    """Return why the store does not open."""
    with pytest.raises(StoreError) as refused:
        SqliteStore(str(path))
    assert str(path) in str(refused.value)
    return str(refused.value)


def child(script: str, *arguments: str, before: tuple[str, ...] = ()) -> list[str]:
    return [*before, sys.executable, "-c", script, *arguments]


# What it keeps.


def test_a_new_store_is_empty(store: SqliteStore) -> None:
    assert store.load() == {}


@pytest.mark.spec("3.1.4-5")
def test_documents_are_written_replaced_and_forgotten(store: SqliteStore, path: Path) -> None:
    store.apply([(ONE, "first"), (TWO, "ä\u2603")])
    store.apply([(ONE, "second")])
    assert store.load() == {ONE: "second", TWO: "ä\u2603"}
    store.apply([(TWO, None), (bytes(16), None)])
    store.close()
    assert reopened(path) == {ONE: "second"}


def test_whoever_submits_is_told_before_it_returns(store: SqliteStore) -> None:
    told: list[Optional[StoreError]] = []
    store.submit([(ONE, "first")], durable=True, done=told.append)
    assert told == [None]
    assert store.load() == {ONE: "first"}
    store.submit([(TWO, ["no document"])], durable=True, done=told.append)  # type: ignore[list-item]
    assert isinstance(told[1], StoreError)
    assert store.load() == {ONE: "first"}


def test_what_need_not_be_durable_outlives_the_process(store: SqliteStore, path: Path) -> None:
    store.apply([(ONE, "first")], durable=False)
    left = path.with_name("as the process left it")
    shutil.copy(path, left)
    shutil.copy(f"{path}-wal", f"{left}-wal")
    assert reopened(left) == {ONE: "first"}


def test_changes_are_made_in_their_order(store: SqliteStore) -> None:
    store.apply([(ONE, "a"), (ONE, None), (TWO, None), (TWO, "b")])
    assert store.load() == {TWO: "b"}


def test_changes_are_all_made_or_none(store: SqliteStore) -> None:
    with pytest.raises(StoreError):
        store.apply([(ONE, "fine"), (TWO, ["not a document"])])  # type: ignore[list-item]
    assert store.load() == {}
    store.apply([(ONE, "fine")])
    assert store.load() == {ONE: "fine"}


def test_its_files_are_for_the_owner_alone(store: SqliteStore, path: Path) -> None:
    store.apply([(ONE, "x")])
    files = list(path.parent.iterdir())
    assert {file.name for file in files} == {path.name, f"{path.name}-wal"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


# What it refuses to open.


def test_a_second_process_is_told_that_one_runs(store: SqliteStore, path: Path) -> None:
    script = "import sys; from fsrvpd.store.sqlite import SqliteStore; SqliteStore(sys.argv[1])"
    second = subprocess.run(child(script, str(path)), capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    assert "another fsrvpd" in second.stderr
    store.apply([(ONE, "the first goes on")])


def test_a_second_opener_in_the_same_process_is_refused_too(store: SqliteStore, path: Path) -> None:
    assert "another fsrvpd" in refusal(path)
    store.apply([(ONE, "the first goes on")])
    store.close()
    assert reopened(path) == {ONE: "the first goes on"}


# Schema 1 as fsrvpd once made it.
SCHEMA_1 = """
CREATE TABLE sets (id BLOB PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE file (born REAL NOT NULL);
INSERT INTO file VALUES (1795000000.25);
INSERT INTO sets VALUES (x'00000000000000000000000000000001', 'kept');
PRAGMA application_id = 0x46535250;
PRAGMA user_version = 1;
"""


SCHEMA_2 = SCHEMA_1.replace("born REAL NOT NULL", "id TEXT NOT NULL").replace("= 1;", "= 2;")


@pytest.mark.parametrize(
    "schema",
    [SCHEMA_1, SCHEMA_2.replace("1795000000.25", f"'{uuid.uuid4()}'")],
    ids=["schema 1", "schema 2"],
)
def test_an_older_schema_is_brought_up_to_date(path: Path, schema: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(schema)
    assert reopened(path) == {ONE: "kept"}
    store = SqliteStore(str(path))
    first = store.id
    store.keep({"{1}": True})
    store.close()
    assert reopened(path) == {ONE: "kept"}
    assert uuid.UUID(first).version == 4


def test_the_shape_of_the_file(store: SqliteStore, path: Path) -> None:
    """A change of the schema must raise SCHEMA, and upgrade older files."""
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = [sql for (sql,) in database.execute("SELECT sql FROM sqlite_master") if sql]
    assert SCHEMA == 3
    assert tables == [
        "CREATE TABLE sets (id BLOB PRIMARY KEY, document TEXT NOT NULL)",
        "CREATE TABLE file (id TEXT NOT NULL)",
        "CREATE TABLE kept (copy TEXT PRIMARY KEY, held INTEGER NOT NULL)",
    ]


def test_a_file_keeps_its_id_and_no_other_has_it(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    other = SqliteStore(str(tmp_path / "other"))
    assert other.id != store.id
    other.close()
    store.close()
    again = SqliteStore(str(path))
    assert again.id == store.id
    again.close()


def test_a_newer_schema(store: SqliteStore, path: Path) -> None:
    store.apply([(ONE, "x")])
    store.close()
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    database.close()
    before = path.read_bytes()
    assert f"newer fsrvpd (schema {SCHEMA + 1}" in refusal(path)
    assert path.read_bytes() == before


def test_a_database_of_somebody_else(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE theirs (x)")
    database.commit()
    database.close()
    before = path.read_bytes()
    assert "not one of fsrvpd" in refusal(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough to look like one" * 100)
    assert "damaged" in refusal(path)
    assert "move it away" in refusal(path)


@pytest.mark.parametrize("what", ["first page", "root of the sets", "documents"])
def test_a_damaged_page(store: SqliteStore, path: Path, what: str) -> None:
    store.apply([(bytes([n]) * 16, "x" * 1000) for n in range(50)])
    store.close()
    content = bytearray(path.read_bytes())
    documents = content.index(b"x" * 900) // 4096
    page = {"first page": 0, "root of the sets": 1, "documents": documents}[what]
    head = page * 4096 or 100  # the first page's own head stands behind the file's
    content[head : head + 60] = b"\xa5" * 60
    path.write_bytes(content)
    assert "damaged" in refusal(path)


def test_a_truncated_file(store: SqliteStore, path: Path) -> None:
    store.apply([(bytes([n]) * 16, "x" * 1000) for n in range(50)])
    store.close()
    os.truncate(path, 4096 * 5)
    assert "damaged" in refusal(path)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert "check that its directory" in refusal(tmp_path / "missing" / "sets.sqlite")


def test_a_directory_in_its_place(path: Path) -> None:
    path.mkdir()
    assert "cannot be opened" in refusal(path)


# What it survives.

WRITER = """
import os, sys
from fsrvpd.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
number = int(sys.argv[2])
while True:
    number += 1
    store.apply([(bytes([n]) * 16, str(number)) for n in range(3)])
    os.write(1, b"%d\\n" % number)
"""


def test_what_was_acknowledged_survives_kill_9(path: Path) -> None:
    acknowledged = 0
    for answers in (1, 7, 2, 40, 3):
        writer = subprocess.Popen(child(WRITER, str(path), str(acknowledged)), stdout=-1)
        assert writer.stdout is not None
        for _ in range(answers):
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        rest = writer.stdout.read().split()
        writer.stdout.close()
        writer.wait()
        acknowledged = int(rest[-1]) if rest else acknowledged
        values = set(reopened(path).values())
        assert len(values) == 1, "a transaction was torn"
        assert int(values.pop()) in (acknowledged, acknowledged + 1)


def end_of_frames(log: Path) -> int:
    """Return the length of a log that is valid: the rest is of earlier rounds, with another salt.
    The format is in "WAL-mode File Format" of SQLite's documentation."""
    content = log.read_bytes()
    frame = 24 + 4096
    salt, end = content[16:24], 32
    while content[end + 8 : end + 16] == salt:
        end += frame
    return end


def test_a_log_that_ends_anywhere_loses_whole_transactions_from_its_end(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    """The log is cut, as by a power cut before its end has reached the disk."""
    for number in range(12):
        store.apply([(bytes([n]) * 16, str(number)) for n in range(3)])
    log = Path(f"{path}-wal")
    seen = []
    for cut in range(0, end_of_frames(log), 3001):
        copy = tmp_path / f"cut{cut}" / path.name
        copy.parent.mkdir()
        shutil.copy(path, copy)
        shutil.copy(log, f"{copy}-wal")
        os.truncate(f"{copy}-wal", cut)
        values = set(reopened(copy).values())
        assert len(values) <= 1, "a transaction was torn"
        seen.append(max((int(value) for value in values), default=-1))
    assert seen == sorted(seen)
    assert len(set(seen)) > 5


ONE_CHANGE = """
import os, sys
from fsrvpd.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
os.write(1, b"open")
store.apply([(bytes(16), "document")])
os.write(1, b"answer")
"""


@pytest.mark.spec("3.1.4-5")
def test_the_log_is_synced_before_the_answer(path: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = "trace=write,pwrite64,fsync,fdatasync"
    strace = ("strace", "-f", "-y", "-o", str(trace), "-e", calls)
    command = child(ONE_CHANGE, str(path), before=strace)
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    lines = trace.read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if '"open"' in line)
    last = next(n for n, line in enumerate(lines) if '"answer"' in line)
    on_log = [line for line in lines[first + 1 : last] if "-wal>" in line]
    assert any("pwrite64" in line for line in on_log)
    assert "sync(" in on_log[-1], "the last thing before the answer is the sync"


def test_no_commit_makes_the_log_longer(path: Path, store: SqliteStore) -> None:
    """Its sync would wait for the journal of the file system."""
    log = Path(f"{path}-wal")
    length = log.stat().st_size
    assert length >= LOG_LENGTH
    for number in range(500):
        store.apply([(number.to_bytes(16, "big"), "x" * 2000)])
    assert log.stat().st_size == length


FULL = """
import json, sys
from fsrvpd.errors import StoreError
from fsrvpd.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
written = 0
try:
    while written < 10_000:
        store.apply([(written.to_bytes(16, "big"), "x" * 1000)])
        written += 1
except StoreError as error:
    reason = str(error)
kept = len(store.load())
open(sys.argv[2], "rb").close()
import os
os.unlink(sys.argv[2])
store.apply([((0).to_bytes(16, "big"), "y")])
changed = store.load()[(0).to_bytes(16, "big")]
store.close()
again = len(SqliteStore(sys.argv[1]).load())
print(json.dumps([written, reason, kept, changed, again]))
"""


def test_a_full_disk_loses_nothing_and_is_no_end(tmp_path: Path) -> None:
    """The disk is a small private tmpfs; removing a file that takes half of it frees space."""
    setup = (
        'mount -t tmpfs -o size=1m tmpfs "$0" && head -c 500000 /dev/zero > "$0/ballast"'
        ' && exec "$1" -c "$2" "$0/sets.sqlite" "$0/ballast"'
    )
    command = ["unshare", "--mount", "sh", "-c", setup, str(tmp_path), sys.executable, FULL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    written, reason, kept, changed, again = json.loads(done.stdout)
    assert "full" in reason
    assert "check free space" in reason
    assert 0 < written == kept == again
    assert changed == "y"


def test_what_an_admin_keeps_is_durable(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "state"))
    assert store.kept() == {}
    store.keep({"{1}": True, "{2}": True, "{3}": False})
    store.keep({"{1}": None, "{2}": False})
    store.close()
    with contextlib.closing(SqliteStore(str(tmp_path / "state"))) as again:
        assert again.kept() == {"{2}": False, "{3}": False}
