"""fsrvpd/requestor/shell/lines.py"""

from __future__ import annotations

import codecs
from typing import Any, Callable, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.requestor.shell.lines import WrongWord, decode, expand, is_comment, split

SCRIPT = 'set context persistent\nadd volume "\\\\näs\\vm 1"\n'
LINES = ["set context persistent", 'add volume "\\\\näs\\vm 1"']
WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"'), min_size=1)


@pytest.mark.parametrize(
    "script",
    [
        SCRIPT.encode(),
        SCRIPT.replace("\n", "\r\n").encode(),
        SCRIPT.replace("\n", "\r").encode(),
        codecs.BOM_UTF8 + SCRIPT.encode(),
        codecs.BOM_UTF16_LE + SCRIPT.replace("\n", "\r\n").encode("utf-16-le"),
        codecs.BOM_UTF16_BE + SCRIPT.encode("utf-16-be"),
        SCRIPT.rstrip("\n").encode(),
        SCRIPT.encode() + b"\x1a",
    ],
    ids=["unix", "windows", "mac", "bom", "utf-16-le", "utf-16-be", "no end", "end of file"],
)
def test_scripts_of_any_editor_have_the_same_lines(script: bytes) -> None:
    assert decode(script) == LINES


@pytest.mark.parametrize(
    "script", ["näs".encode("latin-1"), codecs.BOM_UTF16_LE + b"\0\xd8", "set".encode("utf-16-le")]
)
def test_other_encodings_are_refused(script: bytes) -> None:
    with pytest.raises(WrongWord, match="save it as UTF-8"):
        decode(script)


def test_an_empty_script_has_no_lines() -> None:
    assert decode(b"") == []
    assert decode(b"\r\n\r\n") == ["", ""]


@pytest.mark.parametrize("line", ["", "  \t", "REM set", "rem", "# set", "#set", "//xcopy files"])
def test_comments(line: str) -> None:
    assert is_comment(line)


@pytest.mark.parametrize("line", ["remove", "set # x", "reset"])
def test_no_comments(line: str) -> None:
    assert not is_comment(line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (r"add volume \\nas\data", ["add", "volume", r"\\nas\data"]),
        ('exec "/srv/my backup.sh"', ["exec", "/srv/my backup.sh"]),
        (r'add volume \\nas\"my data"\x', ["add", "volume", r"\\nas\my data\x"]),
        ('add alias x ""', ["add", "alias", "x", ""]),
        (" \tcreate\u00a0 ", ["create"]),
        (r'add volume "\\nas\data\"', ["add", "volume", "\\\\nas\\data\\"]),
        ("", []),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    assert split(line) == words


def test_an_open_quote_is_refused() -> None:
    with pytest.raises(WrongWord, match="a quote is opened and not closed"):
        split('exec "/srv/x')


def suppressed(function: Callable[[Any], list[str]], value: Any) -> Optional[list[str]]:
    """What it returns, or None for a value that it refuses."""
    try:
        return function(value)
    except WrongWord:
        return None


@given(st.lists(WORD))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert split(" ".join(f'"{word}"' for word in words)) == words


@given(st.text())
def test_every_line_has_words_or_a_reason(line: str) -> None:
    words = suppressed(split, line)
    assert words is None or is_comment(line) or words
    assert '"' not in "".join(words or [])


@given(st.binary())
def test_every_script_has_lines_or_a_reason(script: bytes) -> None:
    found = suppressed(decode, script)
    assert not any(end in line for line in found or [] for end in "\r\n\0")


def test_aliases_are_replaced_without_being_split() -> None:
    values = {"X": "a b", "y": "%X%"}.get
    expanded = expand(["id", "%X%", "<%X%%y%>"], values)
    assert expanded.words == ["id", "a b", "<a b%X%>"]
    assert expanded.aliases == [("X", "a b"), ("X", "a b"), ("y", "%X%")]


@pytest.mark.parametrize(
    ("word", "text"), [("100%", "100%"), ("a%%b", "a%b"), ("%%", "%"), ("a%%b%", "a%b%")]
)
def test_percent_signs(word: str, text: str) -> None:
    assert expand([word], lambda name: None).words == [text]


def test_an_unknown_alias_is_refused() -> None:
    with pytest.raises(WrongWord, match="%VSS_SHADOW_9%: no alias or environment variable"):
        expand(["%VSS_SHADOW_9%"], lambda name: None)


@given(WORD)
def test_a_word_with_doubled_percents_is_itself(word: str) -> None:
    assert expand([word.replace("%", "%%")], lambda name: None).words == [word]
