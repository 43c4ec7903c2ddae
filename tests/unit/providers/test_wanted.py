from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import List

import pytest

from fsrvpd.protocol.ports import Share
from fsrvpd.providers import options
from fsrvpd.providers.wanted import EVERYTHING, Wanted, names


def taken(directory: Path, patterns: str) -> List[str]:
    wanted = Wanted(names=names(patterns))
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries if wanted.takes(entry))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("disk.vhdx", "DISK2.VHDX", "disk.avhdx", "Größe 1.vhd", "a+b.txt", "line\nfeed"):
        (tmp_path / name).touch()
    (tmp_path / "directory.txt").mkdir()
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
    assert taken(folder, patterns) == sorted(["directory.txt", *expected])


@pytest.mark.parametrize("patterns", ["", " ", "/", "//"])
def test_without_patterns_everything_is_taken(folder: Path, patterns: str) -> None:
    assert taken(folder, patterns) == sorted(os.listdir(folder))


def test_an_accent_may_stand_by_itself(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "Bücher.db")
    (tmp_path / apart).touch()
    assert taken(tmp_path, "/bücher.*/") == [apart]
    assert taken(tmp_path, f"/{unicodedata.normalize('NFD', 'bü')}*/") == [apart]


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.vhdx")
    (tmp_path / name).touch()
    assert taken(tmp_path, "/*.vhdx/") == [name]


@pytest.mark.parametrize(
    ("depth", "expected"), [(0, ["a", "a/b", "a/b/c"]), (1, []), (2, ["a"]), (3, ["a", "a/b"])]
)
def test_depth(depth: int, expected: List[str]) -> None:
    assert [path for path in ("a", "a/b", "a/b/c") if Wanted(depth).descends(path)] == expected


def test_the_options_of_a_share() -> None:
    given = {"depth": " 3 ", "include": "/*.vhdx/", "clone time limit": "0"}
    share = Share("share", "/path", False, options=given)
    assert options.wanted(share).depth == 3
    assert options.wanted(share).names is not None
    assert options.clone_time_limit(share) == float("inf")
    plain = Share("share", "/path", False, options={"depth": "deep"})
    assert options.wanted(plain) == EVERYTHING
    assert options.clone_time_limit(plain) == options.DEFAULT_CLONE_TIME_LIMIT
