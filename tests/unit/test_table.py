"""Tables: columns as wide as their widest cell, lines as wide as the terminal."""

from __future__ import annotations

import pytest

from fsrvpd.table import table
from fsrvpd.terminal import width


def test_columns_are_left_aligned_without_blanks_at_the_end() -> None:
    assert table(["A", "LONGER"], [["one", "1"], ["x", ""]]).splitlines() == [
        "A    LONGER",
        "one  1",
        "x",
    ]


def test_only_heads() -> None:
    assert table(["A", "B"], []) == "A  B"


def test_a_line_that_does_not_fit_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    lines = table(["NAME", "SHARE"], [["x" * 8, "y" * 8], ["共有共有", "z"]]).splitlines()
    assert all(width(line) <= 10 for line in lines)
    assert lines[1] == "xxxxxxxx …"


def test_nothing_is_cut_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert table(["NAME", "SHARE"], [["x" * 50, "y" * 50]]).endswith("y" * 50)


def test_control_characters_are_escaped() -> None:
    assert "\x1b" not in table(["A"], [["\x1b[2J"]])


def test_a_cell_is_one_line() -> None:
    assert table(["A"], [["x\ny"]]).splitlines() == ["A", "x\\ny"]
