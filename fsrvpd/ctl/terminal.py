"""What a person's terminal gets: nothing that steers it, and no more than fits.

Names of shares, accounts and files come from clients and users: one with an escape
sequence must not be obeyed, and one in Japanese takes two columns a character.
"""

from __future__ import annotations

import io
import shutil
import sys
import textwrap
import unicodedata

FALLBACK = (80, 24)
_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, directions, lone surrogates, separators


def columns() -> int:
    return shutil.get_terminal_size(FALLBACK).columns


def accept_any_text() -> None:
    """What the locale cannot show is shown by its number, not refused."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def visible(text: str) -> str:
    """With whatever would steer a terminal, but for line ends, by its number."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _STEERING:
        return character
    return character.encode("unicode_escape").decode("ascii")


def width(text: str) -> int:
    """In columns."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, wanted: int) -> str:
    return text + " " * (wanted - width(text))


def cut(text: str, limit: int) -> str:
    if width(text) <= limit:
        return text
    kept = ""
    for character in text:
        if width(kept + character) > limit - 1:
            break
        kept += character
    return kept + "…"


def wrapped(text: str, indent: str) -> str:
    """A sentence over as many lines as it needs; a word is never broken."""
    return textwrap.fill(
        text,
        columns(),
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
