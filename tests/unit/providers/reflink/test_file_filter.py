from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import List

import pytest

from fsrvpd.protocol.ports import Share
from fsrvpd.providers.reflink.file_filter import EVERYTHING, FileFilter, filter_of, names


def matched(directory: Path, patterns: str) -> List[str]:
    file_filter = FileFilter(names=names(patterns))
    return sorted(name for name in os.listdir(directory) if file_filter.matches(name))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("disk.vhdx", "DISK2.VHDX", "disk.avhdx", "Größe 1.vhd", "a+b.txt", "line\nfeed"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("/*.vhdx/", ["DISK2.VHDX", "disk.vhdx"]),
        ("*.vhdx", ["DISK2.VHDX", "disk.vhdx"]),
        (" /*.vhd/*.avhdx/ ", ["Größe 1.vhd", "disk.avhdx"]),
        ("/gröSSe ?.vhd/", []),  # one letter is never taken for two
        ("/GRÖßE ?.vhd/", ["Größe 1.vhd"]),
        ("/a+b.*/", ["a+b.txt"]),
        ("/[a-z]*/", []),  # nothing but * and ? is a pattern
        ("/line*/", ["line\nfeed"]),
    ],
)
def test_names(folder: Path, patterns: str, expected: List[str]) -> None:
    assert matched(folder, patterns) == sorted(expected)


@pytest.mark.parametrize("patterns", ["", " ", "/", "//"])
def test_without_patterns_everything_matches(folder: Path, patterns: str) -> None:
    assert matched(folder, patterns) == sorted(os.listdir(folder))


def test_an_accent_may_stand_by_itself(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "Bücher.db")
    (tmp_path / apart).touch()
    assert matched(tmp_path, "/bücher.*/") == [apart]
    assert matched(tmp_path, f"/{unicodedata.normalize('NFD', 'bü')}*/") == [apart]


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.vhdx")
    (tmp_path / name).touch()
    assert matched(tmp_path, "/*.vhdx/") == [name]


@pytest.mark.parametrize(("depth", "deepest"), [(0, 5), (1, 1), (2, 2), (3, 3)])
def test_depth(depth: int, deepest: int) -> None:
    assert [level for level in range(1, 6) if FileFilter(depth).enters(level)][-1] == deepest


def test_the_options_of_a_share() -> None:
    given = {"depth": " 3 ", "include": "/*.vhdx/"}
    share = Share("share", "/path", False, options=given)
    assert filter_of(share).depth == 3
    assert filter_of(share).names is not None
    plain = Share("share", "/path", False, options={"depth": "deep"})
    assert filter_of(plain) == EVERYTHING
