"""Finds the line for which Samba refuses to read smb.conf, which Samba itself does not name.

smbd goes on with what it has read before that line until it is restarted; then it does not start.

Samba: lib/util/tini.c, tini_parse; source3/param/loadparm.c, lp_include; lib/param/loadparm.c,
handle_copy.
"""

from __future__ import annotations

import os
from typing import Callable, List, Optional, Set

from samba_hooks.registry.smb_conf_lines import GLOBAL, joined_lines, key

# Samba takes these as they are, with quotes and macros, and smbd does not start without most.
DIRECTORIES = (
    *("ncalrpc dir", "state directory", "lock directory", "cache directory", "pid directory"),
    "private dir",
)
_DIRECTORY_KEYS = {key(name): name for name in DIRECTORIES}
_MAX_DEPTH = 100  # of includes, as in Samba
# What is looked at here, or takes any value and would change this process.
_NOT_TRIED = ("include", "copy", "configfile", "logfile", "loglevel", "debuglevel")

# Why Samba refuses a parameter's value; None if it takes it.
Refusal = Callable[[str, str], Optional[str]]


def unreadable(config_file: str, fault: str) -> str:
    """The message for an admin. `fault` is what `find` has found."""
    why = f": {fault}" if fault else ""
    return f"Samba cannot read {config_file}{why}; correct it until `testparm -s {config_file}` can"


def relative(name: str, value: str) -> str:
    """What is wrong with a directory that is not an absolute path."""
    quotes = ": Samba takes quotes for a part of its name; write it without the quotes"
    return f"`{name} = {value}` is not an absolute path{quotes if chr(34) in value else ''}"


def find(
    config_file: str, refusal: Optional[Refusal] = None, expand: Callable[[str], str] = str
) -> str:
    """File, line and what is wrong, or "". `refusal` tries a value, `expand` expands the macros of
    the server in the name of an included file."""
    return _Reader(refusal or (lambda name, value: None), expand).file(config_file) or ""


class _Reader:
    def __init__(self, refusal: Refusal, expand: Callable[[str], str]) -> None:
        self._refusal = refusal
        self._expand = expand
        self._open: List[str] = []  # files that are being read, each included by the one before
        self._sound: Set[str] = set()
        self._section = GLOBAL[0]
        self._shares: Set[str] = set()

    def file(self, path: str) -> Optional[str]:
        if path in self._sound:
            return None
        try:
            with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                text = file.read()
        except OSError as error:
            return f"{path}: {error.strerror}"
        self._open.append(path)
        for number, line in joined_lines(text):
            fault = self._line(line, f"{path}, line {number}: ")
            if fault is not None:
                return fault
        self._open.pop()
        self._sound.add(path)
        return None

    def _line(self, line: str, where: str) -> Optional[str]:
        if line.startswith("["):
            fault = self._begin(line)
        else:
            name, equals, value = line.partition("=")
            if not equals:
                return None  # Samba ignores it
            if key(name) == "include":
                return self._include(value.strip(), where)
            fault = self._parameter(name.strip(), value.strip())
        return where + fault if fault else None

    def _begin(self, line: str) -> str:
        name, end, _ = line[1:].partition("]")
        if not end:
            return f"the section `{line}` has no closing bracket; write `{line}]`"
        if not name:
            return "the section `[]` has no name"
        self._section = key(name)
        self._shares.add(self._section)
        return ""

    def _parameter(self, name: str, value: str) -> str:
        written = f"`{name} = {value}`"
        if not name:
            return f"nothing is before the equals sign of `= {value}`"
        if key(name) == "copy" and self._section not in GLOBAL:
            return self._copy(value)
        if self._section in GLOBAL and key(name) in _DIRECTORY_KEYS and not value.startswith("/"):
            return relative(_DIRECTORY_KEYS[key(name)], value)
        if key(name) in _NOT_TRIED:
            return ""
        why = self._refusal(name, value)
        return "" if why is None else f"Samba does not take {written}{f' ({why})' if why else ''}"

    def _copy(self, value: str) -> str:
        if key(value) == self._section:
            return f"`copy = {value}` is in the section that it names"
        if key(value) not in self._shares:
            return f"`copy = {value}`: no section [{value}] is before this line"
        return ""

    def _include(self, value: str, where: str) -> Optional[str]:
        path = self._expand(value)
        if path in self._open:
            which = "itself" if path == self._open[-1] else f"{path}, which includes this file"
            return f"{where}`include = {value}` includes {which}; remove the line"
        if len(self._open) > _MAX_DEPTH:
            return f"{where}`include = {value}` is more than {_MAX_DEPTH} includes deep"
        if value.lower() == "registry" or not os.path.isfile(path):
            return None
        return self.file(path)
