"""Records of writers that may be frozen."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.state.frozen import FrozenFiles, FrozenRecord, new_client

RECORD = FrozenRecord(
    client=new_client(),
    kind="guest-agent",
    writer="vm",
    values={"socket": "/run/vm.agent"},
    job="nightly",
    started=1.5,
    pid=4711,
)
OTHER = RECORD._replace(client=new_client(), started=0.5)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, warnings: list[str]) -> FrozenFiles:
    return FrozenFiles(tmp_path / "state", warnings.append)


def test_records_are_kept_until_they_are_forgotten(store: FrozenFiles) -> None:
    assert store.records() == []
    second = RECORD._replace(writer="db", started=2.5)
    for record in (second, RECORD, OTHER):
        store.write(record)
    assert store.records() == [OTHER, RECORD, second]
    assert store.records(RECORD.client) == [RECORD, second]
    store.forget(OTHER)
    store.forget(OTHER)
    assert FrozenFiles(store.directory).records() == [RECORD, second]
    assert store.path(RECORD).stat().st_mode & 0o077 == 0


def test_two_guests_of_one_name_have_a_record_each(store: FrozenFiles) -> None:
    """The guest `web` of the writer `g`, and the writer `g web`."""
    other = RECORD._replace(values={"socket": "/run/other.agent"})
    for record in (RECORD, other):
        store.write(record)
    store.forget(RECORD)
    assert store.records() == [other]


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b'{"format": 1}', b"[" * 60_000, {"pid": "x"}, {"values": []}]
)
def test_what_is_no_record_is_told_and_kept(
    store: FrozenFiles, warnings: list[str], data: Any
) -> None:
    store.write(RECORD)
    path = store.path(RECORD)
    if isinstance(data, dict):
        data = json.dumps({**json.loads(path.read_text()), **data}).encode()
    path.write_bytes(data)
    assert store.records() == []
    assert "not a record of a frozen writer" in warnings[0]
    assert store.damaged() == [path]


def test_a_record_under_the_name_of_another_is_none(
    store: FrozenFiles, warnings: list[str]
) -> None:
    """Its lock would be another one."""
    store.write(RECORD)
    path = store.path(RECORD)
    path.write_text(path.read_text().replace(RECORD.client, "../../x"))
    assert store.records() == []
    assert "another writer" in warnings[0]


def test_a_directory_that_others_may_write_is_not_used(store: FrozenFiles) -> None:
    store.write(RECORD)
    store.directory.chmod(0o777)
    for use in (lambda: store.write(RECORD), lambda: store.lock(RECORD.client)):
        with pytest.raises(RequestorError, match="others may write to the directory"):
            use()


def test_a_record_that_nobody_would_read_is_not_written(store: FrozenFiles) -> None:
    with pytest.raises(RequestorError, match="needed to thaw writer"):
        store.write(RECORD._replace(values={"commands": [["x" * 1000]] * 70}))
    assert store.records() == []


def test_a_full_disk_is_an_error_before_the_freeze(
    store: FrozenFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    store.write(OTHER)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RequestorError, match="No space left"):
        store.write(RECORD)
    assert store.records() == [OTHER]


def test_what_a_killed_client_had_begun_to_write_is_removed(store: FrozenFiles) -> None:
    store.write(RECORD)
    unfinished = store.path(OTHER).with_name(store.path(OTHER).name + ".new")
    unfinished.touch()
    with store.lock(OTHER.client) as lock:
        assert lock.acquire()
        store.tidy()
        assert unfinished.exists()
    store.tidy()
    assert not unfinished.exists()
    assert store.records() == [RECORD]
