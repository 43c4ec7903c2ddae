"""Scripts and lines as DISKSHADOW reads them: encodings of Windows, comments, quotes, %names%."""

from __future__ import annotations

import codecs
from typing import Callable, NamedTuple, Optional, Sequence

from fsrvpd.requestor.errors import RequestorError

_ENCODINGS = (  # by the bytes with which a script begins
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_END_OF_FILE = "\x1a"  # as old editors of Windows end a file
_COMMENTS = ("#", "//")
_REMARK = "rem"
_QUOTE = '"'
_PERCENT = "%"


class WrongWord(RequestorError):
    """A word that cannot be understood, or cannot be meant here. `object` is the word."""


class Expanded(NamedTuple):
    words: list[str]
    aliases: list[tuple[str, str]]  # those that were named in the line, as written, with values


def decode(script: bytes) -> list[str]:
    """The lines of a script in UTF-8, or in what its byte order mark says. Raises: WrongWord."""
    mark, encoding = next((row for row in _ENCODINGS if script.startswith(row[0])), (b"", "utf-8"))
    try:
        text = script[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise WrongWord(
            "the script",
            f"byte {len(mark) + error.start} is not {encoding.upper()}",
            "save it as UTF-8, or as UTF-16 with a byte order mark",
        ) from None
    if "\0" in text:
        raise WrongWord(
            "the script",
            "it contains a NUL character",
            "save it as UTF-8, or as UTF-16 with a byte order mark",
        )
    lines = text.rstrip(_END_OF_FILE).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if not lines[-1] else lines


def is_comment(line: str) -> bool:
    """Whether it says nothing: an empty line, or one that begins with REM, # or //."""
    text = line.strip()
    first = text.split(maxsplit=1)[:1]
    return not text or text.startswith(_COMMENTS) or first[0].casefold() == _REMARK


def split(line: str) -> list[str]:
    """The words of a line. A word with blanks stands in quotes; a backslash is a character as any
    other. Raises: WrongWord."""
    words: list[str] = []
    word: Optional[str] = None
    quoted = False
    for character in line:
        if character == _QUOTE:
            quoted = not quoted
            word = word or ""
        elif character.isspace() and not quoted:
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + character
    if quoted:
        raise WrongWord(line.strip(), "a quote is opened and not closed", 'add a "')
    return words if word is None else [*words, word]


def expand(words: Sequence[str], value: Callable[[str], Optional[str]]) -> Expanded:
    """The words with each %NAME% replaced by `value(NAME)`; %% is a percent sign, and so is one
    without a second. A value is never split. Raises: WrongWord."""
    used: list[tuple[str, str]] = []
    return Expanded([_expand_word(word, value, used) for word in words], used)


def _expand_word(
    word: str, value: Callable[[str], Optional[str]], used: list[tuple[str, str]]
) -> str:
    text, rest = "", word
    while _PERCENT in rest:
        before, _, after = rest.partition(_PERCENT)
        name, closing, rest = after.partition(_PERCENT)
        if not closing:
            return text + before + _PERCENT + after
        text += before + (_value(name, value, used) if name else _PERCENT)
    return text + rest


def _value(name: str, value: Callable[[str], Optional[str]], used: list[tuple[str, str]]) -> str:
    found = value(name)
    if found is None:
        raise WrongWord(
            f"%{name}%",
            "no alias or environment variable has this name",
            "type ADD to see the aliases; a percent sign is written %%",
        )
    used.append((name, found))
    return found
