"""Changes one parameter in the text of smb.conf: its lines alone, nothing else of the file.

Samba has no tool for that. Whether the new text means what it should is for Samba's parser.
"""

from __future__ import annotations

from typing import List, Optional, Sequence

from samba_hooks.registry.smb_conf_lines import GLOBAL, key, parse
from samba_hooks.registry.smb_conf_places import Place

_BLANKS = " \t"


def is_read_as(name: str, value: str) -> bool:
    """Whether Samba reads `name = value` as it is written: blanks at its ends are lost, several
    of them are one, and a backslash at its end joins the next line."""
    return [(line.name, line.value) for line in parse(f"{name} = {value}\n#")] == [
        (key(name), value)
    ]


def with_parameter(text: str, section: Sequence[Place], name: str, value: str) -> str:
    """The text with the parameter set in a section. `section` are the places of that section in
    this file, at least its header."""
    lines, written = text.split("\n"), f"{name} = {value}".rstrip(" ")
    header = _header(section)
    found = [place for place in section if place.name == key(name) and place.first > header.first]
    if not found:
        return insert(text, _last_before_includes(section, header), [written])
    at = found[-1]
    first, end = lines[at.first - 1], _end_of(lines[at.last - 1])
    lines[at.first - 1 : at.last] = [f"{_indentation(first)}{written}{end}"]
    return "\n".join(lines)


def without_parameter(text: str, section: Sequence[Place], name: str) -> str:
    """The text without any line of the section that sets the parameter."""
    lines: List[Optional[str]] = [*text.split("\n")]
    for place in section:
        if place.name == key(name):
            lines[place.first - 1 : place.last] = [None] * (place.last - place.first + 1)
    return "\n".join(line for line in lines if line is not None)


def insert(text: str, after: Place, written: Sequence[str]) -> str:
    """The text with lines behind a place, indented as that is if it is a parameter."""
    lines = text.split("\n")
    indentation = _indentation(lines[after.first - 1]) if after.name else "\t"
    end = "\r" if "\r\n" in text else ""
    added = [f"{indentation}{line}{end}" for line in written]
    if after.last == len(lines):  # which has no end
        lines[-1] += end
        added[-1] = added[-1].rstrip("\r")
    return "\n".join([*lines[: after.last], *added, *lines[after.last :]])


def _header(section: Sequence[Place]) -> Place:
    """Of the part that counts: [global] is one, however often it is there, while Samba drops what
    has a colon in its name of a share's first section when it finds a second one."""
    headers = [place for place in section if not place.name]
    return headers[0 if headers[0].section in GLOBAL else -1]


def _last_before_includes(section: Sequence[Place], header: Place) -> Place:
    """Behind an include another section may have begun."""
    last = header
    for place in section:
        if place.first > header.first:
            if not place.name or place.name == "include":
                break
            last = place
    return last


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(_BLANKS))]


def _end_of(line: str) -> str:
    return "\r" if line.endswith("\r") else ""
