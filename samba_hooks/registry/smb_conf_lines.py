"""The lines of one smb.conf as Samba's parser sees them, before it expands or follows anything.

Samba: lib/util/tini.c. A comment ends with its line, blanks count as one, a backslash at the end
joins the next line.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Iterator, NamedTuple, Pattern

GLOBAL = ("global", "globals")
_BLANKS = " \t\v\f\r"
_MORE_BLANKS = re.compile(rf"([{_BLANKS}])[{_BLANKS}]+")
_JOINS_LINES = re.compile(rf"\\[{_BLANKS}]*$", re.MULTILINE)
_BACKSLASH_AT_THE_END = re.compile(rf"\\[{_BLANKS}]?$")


class Line(NamedTuple):
    """A section (`value` is empty) or a parameter, in the spelling of `key`."""

    number: int
    is_section: bool
    name: str
    value: str


def key(name: str) -> str:
    """One spelling of names that are equal for Samba, which ignores case and blanks in them."""
    return "".join(name.lower().split())


def parse(text: str) -> Iterator[Line]:
    """What Samba would ignore or refuse is left out."""
    for number, line in joined_lines(text):
        if line.startswith("["):
            yield Line(number, True, key(line[1:].partition("]")[0]), "")
        else:
            name, equals, value = line.partition("=")
            if equals:
                yield Line(number, False, key(name), value.strip(_BLANKS))


def parse_some(text: str, *names: str) -> Iterator[Line]:
    """The sections and the parameters with these names, as `parse` yields them. Of 10,000 shares
    that takes a fifth of the time."""
    if _JOINS_LINES.search(text):
        yield from (line for line in parse(text) if line.is_section or line.name in names)
        return
    number, counted = 1, 0
    for match in _beginning_of(names).finditer(text):
        number, counted = number + text.count("\n", counted, match.start(1)), match.start(1)
        line = _MORE_BLANKS.sub(r"\1", match[1])
        name, _, value = line[1:].partition("]") if line[0] == "[" else line.partition("=")
        is_section = line[0] == "["
        yield Line(number, is_section, key(name), "" if is_section else value.strip(_BLANKS))


@cache
def _beginning_of(names: tuple[str, ...]) -> Pattern[str]:
    """Of lines that hold a section or one of the parameters."""
    spelled = "|".join(f"[{_BLANKS}]*".join(name) for name in names)
    wanted = rf"^[{_BLANKS}]*(\[[^\n]*|(?:{spelled})[{_BLANKS}]*=[^\n]*)"
    return re.compile(wanted, re.MULTILINE | re.IGNORECASE | re.ASCII)


def joined_lines(text: str) -> Iterator[tuple[int, str]]:
    """What Samba sees of each line, whether it takes it or not, with the number of its first."""
    for first, _, line in spans(text):
        yield first, line


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """As `joined_lines`, with the numbers of the first and the last line of the file."""
    start, line, number = 0, "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        if not start:
            raw = raw.lstrip(_BLANKS)
            if not raw or raw[0] in "#;":
                continue
            start = number
        line = _MORE_BLANKS.sub(r"\1", line + raw)
        joined = _BACKSLASH_AT_THE_END.sub("", line)
        if joined == line:
            yield start, number, line
            start, line = 0, ""
        line = joined if start else ""
    if start:
        yield start, number, line
