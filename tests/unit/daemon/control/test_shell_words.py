"""The words are those of a real Samba: see tests/interop/test_shell_words.py."""

from __future__ import annotations

import json
from typing import List, Optional

import pytest

from fsrvpd.daemon.control.shell_words import words_of
from tests.paths import VECTORS

SEEN = VECTORS / "shell_words.json"


def seen() -> List[List[object]]:
    found: List[List[object]] = json.loads(SEEN.read_text())
    return found


@pytest.mark.parametrize(("text", "words"), seen())
def test_as_samba_and_the_shell_make_them(text: str, words: Optional[List[str]]) -> None:
    assert words_of(text) == words


def test_what_is_not_utf_8_does_not_arrive() -> None:
    assert words_of("/srv/caf\udce9") is None


def test_quotes_may_reach_from_one_path_into_the_next() -> None:
    assert words_of("/it's /it's/copy") == ["/its /its/copy"]
    assert words_of("/a\\ /b") == ["/a /b"]
