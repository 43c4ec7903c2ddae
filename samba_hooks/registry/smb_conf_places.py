"""Where sections and parameters are in smb.conf and the files that it includes, in Samba's order.

An included file goes on with the section in which it is included, and the file that includes it
with the last section of that one. What a client's name would choose (`include = /etc/%m.conf`) is
not followed, nor is Samba's registry.

Samba: source3/param/loadparm.c, lp_include.
"""

from __future__ import annotations

import os
import re
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence

from fsrvpd.protocol.unc import normal_share
from samba_hooks.registry.smb_conf_lines import GLOBAL, key, spans

_MAX_DEPTH = 100  # of includes, as in Samba
_GLOBAL = GLOBAL[0]

# Expands the macros of the server in the name of an included file.
Expand = Callable[[str], str]


class Place(NamedTuple):
    """The header of a section (`name` is empty) or a parameter. `section` is as `section_key`
    spells it, `name` as `key` does; `first` and `last` are lines of the file."""

    path: str
    first: int
    last: int
    section: str
    name: str
    value: str

    @property
    def where(self) -> str:
        return f"{self.path}, line {self.first}"


def section_key(name: str) -> str:
    """One spelling for names of sections that are equal for Samba: blanks count in the name of a
    share, but not in that of [global]."""
    return _GLOBAL if key(name) in GLOBAL else normal_share(" ".join(name.split()))


def places(path: str, text: str, expand: Expand) -> List[Place]:
    """Of a file with this text, and of those that it includes as they are."""
    return [*_Reader(expand).file(path, text)]


def depends_on_client(place: Place) -> bool:
    """Whether it includes a file that is another one for each client, or for each share."""
    value = re.sub("%[hvw]", "", place.value)
    return (
        place.name == "include"
        and bool(value)
        and ("%" in value or value[0] != "/")
        and (not includes_registry(place))
    )


def includes_registry(place: Place) -> bool:
    return place.name == "include" and place.value.lower() == "registry"


class _Reader:
    def __init__(self, expand: Expand) -> None:
        self._expand = expand
        self._section = _GLOBAL
        self._open: List[str] = []

    def file(self, path: str, text: str) -> Iterator[Place]:
        self._open.append(path)
        for first, last, line in spans(text):
            if line.startswith("["):
                self._section = section_key(line[1:].partition("]")[0])
                yield Place(path, first, last, self._section, "", "")
                continue
            name, equals, value = line.partition("=")
            if equals:
                place = Place(path, first, last, self._section, key(name), value.strip())
                yield place
                yield from self._included(place)
        self._open.pop()

    def _included(self, place: Place) -> Sequence[Place]:
        if place.name != "include" or includes_registry(place) or depends_on_client(place):
            return ()
        path = self._expand(place.value)
        text = None if path in self._open or len(self._open) > _MAX_DEPTH else _text(path)
        return () if text is None else [*self.file(path, text)]


def _text(path: str) -> Optional[str]:
    """None if it cannot be read, which Samba passes over or reports."""
    try:
        if not os.path.isfile(path):
            return None
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return file.read()
    except OSError:
        return None
