"""One record is one line, whatever names it contains; a traceback is indented."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from fsrvpd.daemon.log import events, levels
from fsrvpd.daemon.log.record_text import LineFormatter

FORGED = "2026-01-01 00:00:00,000 NOTICE fsrvpd: event=set-removed"


@pytest.fixture
def written(log: logging.Logger) -> io.StringIO:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(LineFormatter())
    log.addHandler(handler)
    return text


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_a_name_begins_no_record(log: logging.Logger, written: io.StringIO, line_end: str) -> None:
    log.error("%s: is not there", f"/srv/a{line_end}{FORGED}")
    events.report(log, "snapshot-too-slow", f"/srv/a{line_end}{FORGED}", set=f"x{line_end}{FORGED}")
    assert len(written.getvalue().splitlines()) == 2


def test_what_controls_a_terminal_is_shown(log: logging.Logger, written: io.StringIO) -> None:
    log.error("\x1b[2J\x9b1m\u202e\udcff名")
    assert written.getvalue().endswith(": \\x1b[2J\\x9b1m\\u202e\\udcff名\n")


def test_a_traceback_begins_no_record(log: logging.Logger, written: io.StringIO) -> None:
    try:
        raise OSError(f"/srv/a\n{FORGED}\x1b[2J")
    except OSError:
        log.exception("failed")
    first, *rest = written.getvalue().splitlines()
    assert first.endswith("ERROR fsrvpd.test: failed")
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[-1] == f"    {FORGED}\\x1b[2J"
    assert all(line.startswith("    ") for line in rest)


def test_the_log_file_takes_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "SOCKET", str(tmp_path / "no journal"))
    root = logging.getLogger()
    before, level = root.handlers, root.level
    try:
        levels.set_up(0, str(tmp_path / "log"))
        root.error("名 \udcff")
        for handler in root.handlers:
            handler.close()
    finally:
        root.handlers = before
        root.setLevel(level)
    assert (tmp_path / "log").read_text("utf-8").endswith("ERROR root: 名 \\udcff\n")
