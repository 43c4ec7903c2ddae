"""Output for people fits the terminal, in any script, and has no control characters."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from fsrvpd import terminal
from fsrvpd.ctl import render
from fsrvpd.errors import FsrvpdError
from fsrvpd.terminal import cut, escape_controls, width

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
    lines = render.list_sets([a_set(name), a_set("data", name)]).splitlines()
    assert len(lines) == 3
    for line in lines:
        assert width(line) <= 80
        assert "\x1b" not in line
    assert all(SET in line for line in lines[1:])


def test_columns_stand_below_each_other_whatever_the_script() -> None:
    lines = render.list_snapshots(
        [
            {"share": name, "created": 0, "owner": "set", "snapshot": f"/srv/{name}/.fsrvpd/x"}
            for name in ("data", "共有", "e\u0301te\u0301")
        ]
    ).splitlines()
    heads = lines[0].index("OWNER")
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
    shown = render.check_path(answer).splitlines()
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
    assert escape_controls(text) == shown


def test_a_name_begins_no_line() -> None:
    name = "a\n2026-01-01 \u2028\x85b"
    assert terminal.one_line(name) == "a\\n2026-01-01 \\u2028\\x85b"
    assert terminal.indented(name) == "a\n    2026-01-01 \\u2028\\x85b"


def test_nothing_that_is_printed_controls_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    for _ in range(2):
        terminal.guard_output()
    print("\x1b[2J\u202e名")
    print("\x1b[2J", file=sys.stderr)
    printed = capsys.readouterr()
    assert printed.out == "\\x1b[2J\\u202e名\n"
    assert printed.err == "\\x1b[2J\n"


def test_a_reply_is_rendered_without_lines_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the renderer does: a value of the reply is one line. JSON is exact."""
    from fsrvpd.ctl import main, send

    reply = {"removed": True, "shares": ["a\nremoved set {2}"], "snapshots": [], "kept": []}
    reply["set"] = "{1}"
    monkeypatch.setattr(send, "ask", lambda *arguments: reply)
    monkeypatch.setattr(send, "socket_path", lambda arguments: "/nowhere")
    assert main.main(["fsrvpd", "delete-set", "{1}"]) == 0
    assert capsys.readouterr().out == "removed share a\\nremoved set {2}\nremoved set {1}\n"
    assert main.main(["fsrvpd", "delete-set", "{1}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == reply


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abcde…"), ("共有共有", 6, "共有…"), ("", 3, "")],
)
def test_cut(text: str, limit: int, expected: str) -> None:
    assert cut(text, limit) == expected


def test_a_poor_locale_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    terminal.guard_output()
    print("Größe… 共")
    sys.stdout.flush()
    assert raw.getvalue() == b"Gr\xf6\xdfe\\u2026 \\u5171\n"


def test_errors_are_shown_as_carefully(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from fsrvpd.ctl import check_config, main

    def refuse(arguments: object) -> int:
        raise FsrvpdError("no share '\x1b[2J'")

    monkeypatch.setattr(check_config, "check_config", refuse)
    assert main.main(["check-config"]) == 1
    assert capsys.readouterr().err == "fsrvpctl: no share '\\x1b[2J'\n"
