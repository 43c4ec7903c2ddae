"""Text for terminals and logs: control characters escaped, columns counted, lines wrapped.

Names of shares, accounts and files come from clients and users: an escape sequence in one
must not reach the terminal, a line end in one must not begin a line, and Japanese characters
take two columns each.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import unicodedata
from typing import Any, Callable

FALLBACK = (80, 24)
EXIT_FAILED = 1
_ESCAPED = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, directions, lone surrogates, separators


def columns() -> int:
    import shutil  # slow to import, and most commands print no table

    return shutil.get_terminal_size(FALLBACK).columns


class _Escaping:
    """A text stream that lets nothing control the terminal, whoever writes to it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(escape_controls(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_output() -> None:
    """Escape control characters in all that is printed, and print characters that the locale
    lacks as escapes, instead of raising an error. To print to what is closed raises OSError."""
    for name in ("stdout", "stderr"):
        # A stream that was closed at the start would leave its descriptor to the next file.
        stream = getattr(sys, name) or open(os.devnull, encoding="utf-8")  # noqa: SIM115
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        if not isinstance(stream, _Escaping):
            setattr(sys, name, _Escaping(stream))


def printing(program: str, command: Callable[[], int]) -> int:
    """The exit status of a command, or EXIT_FAILED if the system refuses something, most likely to
    take what it prints: the disk is full, the descriptor closed, or the pipe, for which not a word
    is said, as when a pager is quit."""
    guard_output()
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()
    except OSError as error:
        discard(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            where = os.fsdecode(error.filename) if error.filename else "standard output"
            with contextlib.suppress(OSError):
                print(f"{program}: {where}: {error.strerror or error}", file=sys.stderr, flush=True)
        return EXIT_FAILED
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            discard(sys.stderr)


def discard(stream: Any) -> None:
    """Give up what a stream still holds and will be given: Python would try to write it once more,
    and complain."""
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def escape_controls(text: str) -> str:
    """With every character that could control a terminal escaped, except line ends."""
    return text if text.isprintable() else "".join(map(_shown, text))


def one_line(text: str) -> str:
    """The same with line ends escaped, too."""
    return text if text.isprintable() else escape_controls(text).replace("\n", "\\n")


def indented(text: str) -> str:
    """The same with the line ends left and indented: no line but the first begins like one."""
    return escape_controls(text).replace("\n", "\n    ")


def values_on_one_line(value: Any) -> Any:
    """A value of JSON with `one_line` done to all its strings."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, dict):
        return {one_line(key): values_on_one_line(each) for key, each in value.items()}
    if isinstance(value, list):
        return [values_on_one_line(each) for each in value]
    return value


def _shown(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _ESCAPED:
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
    """A sentence over as many lines as it needs; words are never broken."""
    import textwrap  # as above

    return textwrap.fill(
        text,
        columns(),
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
