"""fsrvp-snap: what it sends for the words that a shell makes of a path, and what it prints."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from fsrvpd.config.daemon_options import SNAPSHOT_GROUP
from fsrvpd.ctl import snap
from fsrvpd.errors import FsrvpdError


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The requests to a daemon that answers everything with a path."""
    calls: list[Any] = []

    def ask(path: str, message: str, parameters: list[str], group: str) -> Any:
        calls.append((path, message, parameters))
        return {"path": "/srv/\udcff"}

    monkeypatch.setattr(snap, "ask", ask)
    monkeypatch.setattr(snap, "samba_parameter", lambda arguments, name: f"/run/{name}")
    return calls


def test_create_prints_the_path_as_it_is_on_disk(
    sent: list[Any], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert snap.main(["create", "/srv/my", "data"]) == 0
    assert sent == [("/run/pid directory/fsrvpd-snap/socket", "create", ["/srv/my", "data"])]
    assert capfdbinary.readouterr().out == b"/srv/\xff\n"


def test_check_and_delete_print_nothing(
    sent: list[Any], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert snap.main(["check", os.fsdecode(b"/srv/\xfc")]) == 0
    assert snap.main(["delete", "/srv", "--of-this-name"]) == 0
    assert [parameters for _, _, parameters in sent] == [
        ["/srv/\udcfc"],
        ["/srv", "--of-this-name"],
    ]
    assert capfdbinary.readouterr().out == b""


def test_a_snapshot_of_which_nobody_is_told_is_deleted(
    sent: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert snap.main(["create", "/srv/data"]) == 1
        monkeypatch.undo()
    assert [(message, words) for _, message, words in sent] == [
        ("create", ["/srv/data"]),
        ("delete", ["/srv/data", "/srv/\udcff"]),
    ]
    assert "standard output: No space left on device" in capsys.readouterr().err


def test_a_failure_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> str:
        raise FsrvpdError("testparm is not installed")

    monkeypatch.setattr(snap, "samba_parameter", fail)
    assert snap.main(["check", "/srv"]) == 1
    assert capsys.readouterr().err == "fsrvp-snap: testparm is not installed\n"


def test_the_option_that_names_the_group_is_the_daemons() -> None:
    assert SNAPSHOT_GROUP.name == snap.SNAPSHOT_GROUP
