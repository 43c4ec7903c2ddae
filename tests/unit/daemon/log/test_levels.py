"""Debug levels, which are Samba's, and the destination of the log."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from fsrvpd.daemon.log import levels


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("3", 3),
        ("1 auth:5", 1),
        ("all:7", 7),
        ("10@/var/log/x", 10),
        ("", 0),
        ("auth:x", None),
        ("9" * 20, None),
    ],
)
def test_debug_levels_are_read_as_samba_reads_them(text: str, level: int) -> None:
    assert levels.first_level(text) == level


@pytest.mark.parametrize(
    ("level", "logged"),
    [
        (0, [logging.ERROR, levels.ALWAYS]),
        (1, [logging.ERROR, levels.ALWAYS, levels.NOTICE]),
        (3, [logging.ERROR, levels.ALWAYS, levels.NOTICE, levels.CALLS]),
    ],
)
def test_a_debug_level_is_a_threshold(level: int, logged: list[int]) -> None:
    numbers = [logging.ERROR, levels.ALWAYS, levels.NOTICE, levels.CALLS, logging.DEBUG]
    assert [each for each in numbers if each >= levels.python_level(level)] == logged
    assert all(levels.samba_level(each) <= level for each in logged)


def test_levels_beyond_the_last_log_everything() -> None:
    assert levels.python_level(10) == levels.python_level(99) == logging.DEBUG


def test_a_file_without_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    monkeypatch.setattr(levels, "SOCKET", str(tmp_path / "nowhere"))
    try:
        levels.set_up(0, os.fspath(tmp_path / "log.fsrvpd"))
        logging.getLogger("fsrvpd").log(levels.ALWAYS, "kept")
        logging.getLogger("fsrvpd").info("hidden")
        root.handlers[0].close()
    finally:
        root.handlers, root.level = handlers, level
    assert (tmp_path / "log.fsrvpd").read_text().endswith(" NOTICE fsrvpd: kept\n")
