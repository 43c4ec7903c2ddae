"""What killed runs have left frozen, as `clean` and the next run tell of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsrvpd.requestor.ctl import thawing
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.thawing import clean_frozen, thaw_before
from fsrvpd.requestor.state.frozen import FrozenFiles
from fsrvpd.requestor.writers import left_frozen
from tests.unit.requestor.state.test_frozen import RECORD

COMMAND = RECORD._replace(kind="command", writer="db", values={"commands": [], "timeout": 5.0})
UNKNOWN = RECORD._replace(kind="oracle")
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FrozenFiles:
    made = FrozenFiles(tmp_path / "state")
    monkeypatch.setattr(
        thawing.FrozenFiles, "of_user", lambda warn: FrozenFiles(made.directory, warn)
    )
    monkeypatch.setattr(left_frozen, "_TRY", 0.0)
    return made


def test_nothing_is_frozen(store: FrozenFiles, capsys: Captured) -> None:
    assert clean_frozen(Output(), dry_run=False)
    thaw_before(Output())
    assert capsys.readouterr() == ("", "")


def test_what_is_thawed_is_told(store: FrozenFiles, capsys: Captured) -> None:
    store.write(COMMAND)
    assert clean_frozen(Output(), dry_run=True)
    assert capsys.readouterr().out == "writer db (command): would be thawed\n"
    assert clean_frozen(Output(as_json=True), dry_run=False)
    assert json.loads(capsys.readouterr().out) == {
        "writer": "db",
        "kind": "command",
        "outcome": "thawed",
        "job": "nightly",
    }
    assert store.records() == []


def test_what_is_in_use(store: FrozenFiles, capsys: Captured) -> None:
    store.write(COMMAND)
    with store.lock(COMMAND.client) as lock:
        assert lock.acquire()
        assert clean_frozen(Output(), dry_run=False)
    assert capsys.readouterr().out == "writer db (command): in use\n"


def test_what_is_left(store: FrozenFiles, capsys: Captured) -> None:
    store.write(UNKNOWN)
    assert not clean_frozen(Output(), dry_run=False)
    assert "writer vm: nobody here knows" in capsys.readouterr().err


def test_what_nobody_can_read(store: FrozenFiles, capsys: Captured) -> None:
    store.write(COMMAND)
    store.path(COMMAND).write_text("{}")
    assert not clean_frozen(Output(), dry_run=False)
    assert "it may stand for a writer that is still frozen" in capsys.readouterr().err


def test_before_the_next_run(store: FrozenFiles, capsys: Captured) -> None:
    store.write(COMMAND)
    store.write(UNKNOWN)
    thaw_before(Output(as_json=True))
    said, warned = capsys.readouterr()
    assert json.loads(said.splitlines()[0]) == {
        "event": "writer-thawed",
        "writer": "db",
        "kind": "command",
    }
    assert "an earlier run may have left it frozen" in warned
    assert store.records() == [UNKNOWN]
