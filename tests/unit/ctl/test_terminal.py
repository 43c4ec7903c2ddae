"""What people see: within the terminal, in any script, and nothing that steers it."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from fsrvpd.ctl import show, terminal
from fsrvpd.ctl.terminal import cut, visible, width
from fsrvpd.errors import FsrvpdError

SET = "{0E5C6C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}"
LONG = "a share whose name is as long as Samba allows, and that is eighty characters----"
NAMES = ("data", LONG, "共有フォルダー" * 6, "Bürö " * 12, "e\u0301" * 70, "\x1b]0;owned\x07" * 9)


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def a_set(*names: str) -> dict[str, Any]:
    mapped = [{"share": name, "shadow_copy_share": None, "exposed": False} for name in names]
    copy = {"copy": SET, "provider": "btrfs", "snapshot": None, "progress": None, "keep": False}
    return {
        "set": SET,
        "status": "CreationInProgress",
        "context": "backup",
        "started": 0,
        "account": "NAS\\backup\x1b[2J",
        "client": "192.0.2.1",
        "copies": [{**copy, "shares": mapped}],
    }


@pytest.mark.parametrize("name", NAMES)
def test_sets_of_any_name_fit_with_ids_to_copy(name: str) -> None:
    lines = show.list_sets([a_set(name), a_set("data", name)]).splitlines()
    assert len(lines) == 3
    for line in lines:
        assert width(line) <= 80
        assert "\x1b" not in line
    assert all(SET in line for line in lines[1:])


def test_columns_stand_below_each_other_whatever_the_script() -> None:
    lines = show.list_snapshots(
        [
            {"share": name, "created": 0, "owner": "set", "snapshot": f"/srv/{name}/.fsrvpd/x"}
            for name in ("data", "共有", "e\u0301te\u0301")
        ]
    ).splitlines()
    heads = lines[0].index("OF")
    for row in lines[1::2]:
        assert width(row.partition("a set")[0]) == heads
    assert lines[2].strip() == "/srv/data/.fsrvpd/x"


def test_reasons_are_wrapped_and_names_are_not() -> None:
    why = "the share's directory holds a mount point, " * 4
    answer = {
        "share": LONG,
        "path": "/srv/data",
        "directory": "/srv/data",
        "supported": False,
        "result": "FSRVP_E_NOT_SUPPORTED",
        "reason": "",
        "refusals": {"btrfs": why.strip()},
    }
    shown = show.check_path(answer).splitlines()
    assert f"share      {LONG}" in shown
    assert max(len(line) for line in shown if "mount point" in line) <= 80


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\nand two", "plain\nand two"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb\x07", "a\\rb\\x07"),
        ("txt.\u202eexe", "txt.\\u202eexe"),
        ("\udcff", "\\udcff"),
        ("Größe 共有", "Größe 共有"),
    ],
)
def test_what_would_steer_a_terminal_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abcde…"), ("共有共有", 6, "共有…"), ("", 3, "")],
)
def test_cut(text: str, limit: int, expected: str) -> None:
    assert cut(text, limit) == expected


def test_a_poor_locale_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    terminal.accept_any_text()
    print("Größe… 共")
    sys.stdout.flush()
    assert raw.getvalue() == b"Gr\xf6\xdfe\\u2026 \\u5171\n"


def test_errors_are_shown_as_carefully(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from fsrvpd.ctl import main

    def refuse(arguments: object) -> int:
        raise FsrvpdError("no share '\x1b[2J'")

    monkeypatch.setattr(main, "check_config", refuse)
    assert main.main(["check-config"]) == 1
    assert capsys.readouterr().err == "fsrvpctl: no share '\\x1b[2J'\n"
