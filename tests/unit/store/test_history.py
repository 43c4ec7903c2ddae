"""The file of the history: bounds, paging, faults; tests/interop/test_history.py has the rest."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.errors import StoreError
from fsrvpd.store import history as module
from fsrvpd.store.history import MAX_AGE, Changes, HistoryStore, Query
from fsrvpd.store.history_records import Backup, RefusalRecord, SetRecord

NOW = 2e9
REFUSAL = RefusalRecord("call-refused", "a", "c", "m", "r", "s", "why", "next", 1.0, 2.0, 3)


def record(number: int, *, started: float = 0.0, share: str = "data") -> SetRecord:
    moment = started or NOW - 1000 + number
    return SetRecord(f"{{{number:08}}}", "192.0.2.1", "LAB\\b", (share,), moment, ended=moment)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[HistoryStore]:
    made = HistoryStore(str(tmp_path / "history.sqlite3"), str.lower)
    made.open()
    yield made
    made.close()


def again(store: HistoryStore) -> HistoryStore:
    store.close()
    store.open()
    return store


def test_what_is_written_is_read_again(store: HistoryStore) -> None:
    unfinished = record(7)._replace(ended=None)
    last = Backup("Data", 1.0, NOW, "{x}")
    store.write(Changes([record(6), unfinished], [last], [REFUSAL]), NOW)
    store.sync()
    found = again(store).remembered()
    assert found == ([unfinished], [last], [REFUSAL])
    assert store.sets(Query()) == [unfinished, record(6)]


def test_pages_have_each_set_once(store: HistoryStore) -> None:
    same_moment = [record(number, started=NOW) for number in range(60)]
    store.write(Changes(same_moment), NOW)
    found: list[SetRecord] = []
    page = store.sets(Query(limit=25))
    while page:
        found += page
        page = store.sets(Query(limit=25, before=(page[-1].started, page[-1].id)))
    assert sorted(found) == same_moment


def test_a_share_is_found_by_its_whole_name(store: HistoryStore) -> None:
    names = ("data", "Data$", "dat", "my data")
    store.write(Changes([record(n, share=name) for n, name in enumerate(names)]), NOW)
    for name in ("data", "data$", "dat", "my data"):
        [found] = store.sets(Query(share=name))
        assert found.shares[0].lower() == name
    assert store.sets(Query(share="%")) == []


def test_what_is_old_or_too_much_is_forgotten(
    store: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SETS", 50)
    monkeypatch.setattr(module, "MAX_BACKUPS", 10)
    old = record(999, started=NOW - MAX_AGE - 1)
    backups = [Backup(f"s{number}", 1.0, NOW - number, "{x}") for number in range(30)]
    store.write(Changes([old, *map(record, range(120))], backups), NOW)
    assert [each.id for each in store.sets(Query())] == [
        record(number).id for number in range(119, 69, -1)
    ]
    kept = {each.share for each in store.remembered().backups}
    assert kept == {f"s{number}" for number in range(10)}


def test_a_document_that_somebody_changed_is_passed_over(store: HistoryStore) -> None:
    store.write(Changes([record(1), record(2), record(3)]), NOW)
    store.close()
    with closing(sqlite3.connect(store.path, isolation_level=None)) as db:
        bad = ('{"id": 1}', '["x"]', b"\xff", "[" * 99_999)
        for number, document in enumerate(bad, start=10):
            db.execute("INSERT INTO sets VALUES (?, ?, 1, '', ?)", (number, NOW, document))
        db.execute("UPDATE sets SET document = replace(document, '\"running\"', '\"x\"')")
        good = "INSERT INTO sets SELECT 'y', started, 1, names, ? FROM sets LIMIT 1"
        db.execute(good, (document_of(record(4)),))
    assert again(store).sets(Query()) == [record(4)]
    assert store.remembered().unfinished == [record(4)]


def document_of(one: SetRecord) -> str:
    return module.records.encoded(one)


def test_a_damaged_file_is_moved_aside(store: HistoryStore) -> None:
    store.write(Changes([record(1)]), NOW)
    store.close()
    Path(store.path).write_bytes(b"no database at all" * 1000)
    assert again(store).sets(Query()) == []
    assert "is damaged: file is not a database" in store.take_damage()
    assert store.take_damage() == ""
    assert Path(store.path + ".damaged").read_bytes().startswith(b"no database")


@pytest.mark.parametrize("pragma", ["application_id = 5", "user_version = 99"])
def test_the_file_of_another_program_is_kept(store: HistoryStore, pragma: str) -> None:
    store.close()
    with closing(sqlite3.connect(store.path, isolation_level=None)) as db:
        db.execute(f"PRAGMA {pragma}")
    store.open()
    assert "is no history" in store.take_damage()
    assert Path(store.path + ".damaged").exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    os.symlink(victim, tmp_path / "history.sqlite3")
    with pytest.raises(StoreError, match="cannot be opened"):
        HistoryStore(str(tmp_path / "history.sqlite3"), str.lower).open()
    assert victim.read_text() == "mine"


def test_a_failed_write_changes_nothing_and_the_next_succeeds(store: HistoryStore) -> None:
    store.write(Changes([record(1)]), NOW)
    bad = Backup("x", 1.0, None, "{x}")  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="cannot be written"):
        store.write(Changes([record(2)], [bad]), NOW)
    assert store.sets(Query()) == [record(1)]
    store.write(Changes([record(3)]), NOW)
    assert len(store.sets(Query())) == 2
