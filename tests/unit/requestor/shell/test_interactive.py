"""fsrvpd/requestor/shell/interactive.py: what is completed. Keys are pressed in test_command.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.requestor.ctl.signals import Signals
from fsrvpd.requestor.shell.interactive import completions, history_path
from fsrvpd.requestor.shell.session import Session
from tests.unit.requestor.shell.copies import Copies


@pytest.fixture
def session() -> Session:
    copies = Copies()
    found = Session(copies, lambda _: None, environment={}, machine="h", signals=Signals())
    found.run(r"add volume \\nas\vm alias Vm")
    found.run("create")
    return found


@pytest.mark.parametrize(
    ("before", "text", "found"),
    [
        ("", "se", ["set "]),
        ("", "SE", ["SET "]),
        ("", "", "set reset load writer add create exec begin end list delete help exit"),
        ("set", "", "context option metadata verbose"),
        ("Set CONTEXT", "p", ["persistent "]),
        ("set context volatile", "", ["nowriters "]),
        ("set option", "no", ["noautorecover "]),
        ("add volume \\\\nas\\vm", "", "alias provider"),
        ("add volume", "", []),
        ("delete shadows", "", "all volume oldest set id exposed"),
        ("delete shadows id", "%v", ["%Vm% ", "%VSS_SHADOW_SET% "]),
        ("list shadows set", "%vss", ["%VSS_SHADOW_SET% "]),
        ("delete shadows volume", "", ["\\\\nas\\vm "]),
        ("delete shadows all", "", []),
        ("frobnicate", "", []),
    ],
)
def test_words(session: Session, before: str, text: str, found: object) -> None:
    expected = [f"{word} " for word in found.split()] if isinstance(found, str) else found
    assert completions(before.split(), text, session) == expected


def test_copies_by_their_path(session: Session) -> None:
    [path] = completions(["delete", "shadows", "exposed"], "\\\\nas1\\", session)
    assert path.startswith("\\\\nas1\\vm@{")


def test_files(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backup.sh").touch()
    (tmp_path / "backups").mkdir()
    (tmp_path / "[x]").touch()
    monkeypatch.chdir(tmp_path)
    assert completions(["exec"], "b", session) == ["backup.sh ", "backups/"]
    assert completions(["set", "metadata"], "[", session) == ["[x] "]


def test_where_the_history_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/x")
    assert history_path({}) == "/home/x/.local/state/fsrvpshadow/shell-history"
    assert history_path({"XDG_STATE_HOME": "/s"}) == "/s/fsrvpshadow/shell-history"
