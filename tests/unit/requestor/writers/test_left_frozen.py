"""What a client and its keeper have left frozen."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.state.frozen import FrozenFiles
from fsrvpd.requestor.writers import left_frozen
from fsrvpd.requestor.writers.left_frozen import thaw_left
from tests.unit.requestor.state.test_frozen import OTHER, RECORD


@pytest.fixture
def store(tmp_path: Path) -> FrozenFiles:
    made = FrozenFiles(tmp_path / "state")
    for record, thawed in ((RECORD, "first"), (OTHER, "other")):
        values = {"commands": [["touch", str(tmp_path / thawed)]], "timeout": 5.0}
        made.write(record._replace(kind="command", values=values))
    return made


def test_it_is_thawed_and_forgotten(store: FrozenFiles, tmp_path: Path) -> None:
    thawing = thaw_left(store)
    assert [record.client for record in thawing.thawed] == [OTHER.client, RECORD.client]
    assert (thawing.in_use, thawing.left) == ((), ())
    assert (tmp_path / "first").exists()
    assert (tmp_path / "other").exists()
    assert store.records() == []
    assert thaw_left(store) == ((), (), ())


def test_what_runs_is_left_alone(store: FrozenFiles, tmp_path: Path) -> None:
    with store.lock(RECORD.client) as lock:
        assert lock.acquire()
        thawing = thaw_left(store)
    assert [record.client for record in thawing.in_use] == [RECORD.client]
    assert [record.client for record in thawing.thawed] == [OTHER.client]
    assert not (tmp_path / "first").exists()


def test_a_dry_run(store: FrozenFiles, tmp_path: Path) -> None:
    assert len(thaw_left(store, dry_run=True).thawed) == 2
    assert len(store.records()) == 2
    assert not (tmp_path / "first").exists()


def test_what_cannot_be_thawed_stays_recorded(
    store: FrozenFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_frozen, "_TRY", 0.0)
    store.write(RECORD._replace(kind="oracle"))
    [left] = thaw_left(store).left
    assert left.record.client == RECORD.client
    assert "nobody here knows" in str(left.error)
    assert [record.client for record in store.records()] == [RECORD.client]


def test_a_record_without_what_is_needed_stays(
    store: FrozenFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_frozen, "_TRY", 0.0)
    store.write(RECORD._replace(kind="fsfreeze", values={}))
    [left] = thaw_left(store).left
    assert left.record.client == RECORD.client
    assert [record.client for record in store.records()] == [RECORD.client]


def test_a_record_that_cannot_be_removed(
    store: FrozenFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(record: object) -> None:
        raise RequestorError("the state", "it cannot be removed", "")

    monkeypatch.setattr(store, "forget", refuse)
    assert len(thaw_left(store).left) == 2
