"""Which shares have another definition for another client, and which files define them.

smbd reads smb.conf for each client anew, and expands macros such as %U in the names of included
files; it looks for a relative name in the share that it serves. A shadow copy share is written
once, for everybody, so a share whose definition such a file may change can have no copy. (The
include cannot be put into the copy: the file would come after, and undo, what is switched off.)

Samba: source3/param/loadparm.c, lp_include, lp_do_section; source3/lib/substitute.c,
talloc_sub_basic.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from samba_hooks.registry.config_version import FileStamp, settled_stamp
from samba_hooks.registry.smb_conf_lines import GLOBAL, Line, key, parse, parse_some

_MAX_DEPTH = 100  # of includes: Samba does not load more
_MAX_FILES = 200  # for the clients of one include
# Macros that Samba expands here. The first kind is the same for all clients of a server.
_OF_THE_SERVER = "hvw"
_OF_THE_CLIENT = "UGDIJijLNMRTtadmV$"  # %N is %L, the name by which the client calls the server
_MACRO = re.compile(f"%[{re.escape(_OF_THE_CLIENT)}]")
# Of these the value may hold a slash, or is known to smbd only.
_ANYWHERE = re.compile(r"%[T$]")
_ANY = re.compile(f"%[{re.escape(_OF_THE_SERVER + _OF_THE_CLIENT)}]")
# Whatever a client's own file sets of these, no share is another one.
_ABOUT_LOGS = frozenset(
    {
        *("loglevel", "debuglevel", "logfile", "logging", "maxlogsize", "syslog", "syslogonly"),
        *("debugclass", "debughirestimestamp", "debugpid", "debugprefixtimestamp", "debuguid"),
        *("debugtimestamp", "timestamplogs", "debugsyslogformat"),
    }
)

# The values of `include` in a section of Samba's registry.
RegistryIncludes = Callable[[str], Sequence[str]]


class PerClient(NamedTuple):
    """`files` are those that Samba reads, or would read if they existed, each once, and the
    directories in which it would find a client's own, as they were before they were read.
    `everywhere` and `shares`: reasons, the latter by the `key` of the share's name; "" for a share
    with a section that gives none."""

    files: Tuple[FileStamp, ...]
    everywhere: str
    shares: Mapping[str, str]

    def reason(self, share: str) -> str:
        """Why the definition of a share in smb.conf depends on the client; "" if it does not. A
        share without a section is a user's, made by `auto services` from [homes]."""
        by_homes = self.shares.get("homes", "")
        return self.everywhere or self.shares.get(key(share), by_homes)


def read(
    config_file: str, registry_includes: RegistryIncludes, expand: Optional[Callable[[str], str]]
) -> PerClient:
    """Follow the includes of smb.conf. `expand` expands the macros of the server; without it they
    count as the client's."""
    reader = _Reader(registry_includes, expand)
    reader.include(os.path.abspath(config_file), "the name of smb.conf", 0)
    return reader.found()


def of_registry_share(
    share: str, registry_includes: RegistryIncludes, expand: Optional[Callable[[str], str]]
) -> PerClient:
    """As `read`, for the includes of a share that is in the registry."""
    reader = _Reader(registry_includes, expand)
    reader.registry(share, 0)
    return reader.found()


def of_config_file(value: str) -> str:
    """The reason if the parameter `config file`, as printed, depends on the client; else ""."""
    return _reason("[global]", "config file", value) if _MACRO.search(value) else ""


class _Reader:
    def __init__(
        self, registry_includes: RegistryIncludes, expand: Optional[Callable[[str], str]]
    ) -> None:
        self._registry_includes = registry_includes
        self._macro = _MACRO if expand else _ANY
        self._expand = expand or (lambda value: value)
        self._section = GLOBAL[0]
        self._files: Dict[str, FileStamp] = {}
        self._ends: Dict[Tuple[str, str], str] = {}  # (file, section before) -> section after
        self._everywhere = ""
        self._shares: Dict[str, str] = {}
        self._copies: List[Tuple[str, str]] = []  # of which section, to which

    def found(self) -> PerClient:
        """A share that copies another one depends on what that one depends on."""
        copies = defaultdict(list)
        for source, target in self._copies:
            copies[source].append(target)
        sources = [share for share, reason in self._shares.items() if reason]
        while sources:
            source = sources.pop()
            for target in copies[source]:
                if not self._shares.get(target):
                    self._shares[target] = self._shares[source]
                    sources.append(target)
        return PerClient((*self._files.values(),), self._everywhere, self._shares)

    def registry(self, section: str, depth: int) -> None:
        """Read what a section of Samba's registry includes."""
        self._section = key(section)
        for value in self._registry_includes(section):
            self.include(value, f"[{section}] in Samba's registry", depth)

    def include(self, value: str, where: str, depth: int) -> None:
        """Read an included file, or all files that it is for some client."""
        if value.lower() == "registry":
            if self._section in GLOBAL:
                self.registry(GLOBAL[0], depth + 1)
        elif self._macro.search(value) or (value and not value.startswith("/")):
            self._clients_file(value, where)
        elif value:
            self._file(self._expand(value), depth)

    def _file(self, path: str, depth: int) -> None:
        """A file that is read again in the same section has the same effect."""
        begun = path, self._section
        if depth > _MAX_DEPTH or begun in self._ends:
            self._section = self._ends.get(begun, self._section)
            return
        self._ends[begun] = self._section
        self._stamp(path)
        for line in parse_some(_text(path), "include", "copy", "configbackend"):
            self._line(line, f"{path}, line {line.number}", depth)
        self._ends[begun] = self._section

    def _line(self, line: Line, where: str, depth: int) -> None:
        if line.is_section:
            self._section = line.name
            self._shares.setdefault(line.name, "")
        elif line.name == "include":
            self.include(line.value, where, depth + 1)
        elif line.name == "copy":
            self._copies.append((key(line.value), self._section))
        elif line.name == "configbackend" and line.value.lower() == "registry":
            self.registry(GLOBAL[0], depth + 1)

    def _stamp(self, path: str) -> None:
        if path not in self._files:
            self._files[path] = settled_stamp(path)

    def _clients_file(self, value: str, where: str) -> None:
        """In [global] it may define any share; in a share's section the share, and any other once
        it holds another section."""
        reason = _reason(where, "include", value)
        lines = self._lines_for_clients(value)
        harmless = lines is not None and not any(line.is_section for line in lines)
        if self._section not in GLOBAL:
            self._shares[self._section] = reason
        elif lines is not None:
            harmless = all(
                line.name in (GLOBAL if line.is_section else _ABOUT_LOGS) for line in lines
            )
        if not harmless:
            self._everywhere = reason

    def _lines_for_clients(self, value: str) -> Optional[List[Line]]:
        """Of all files that exist for some client now, but not for every client; None if that is
        not known."""
        directory, name = os.path.split(value)
        if not value.startswith("/") or self._macro.search(directory) or _ANYWHERE.search(name):
            return None
        directory = self._expand(directory)
        self._stamp(directory)
        wanted = ".*".join(re.escape(self._expand(part)) for part in self._macro.split(name))
        try:
            found = [each for each in os.listdir(directory) if re.fullmatch(wanted, each)]
        except FileNotFoundError:
            found = []
        except OSError:
            return None
        if len(found) > _MAX_FILES:
            return None
        paths = [os.path.join(directory, each) for each in sorted(found)]
        paths = [path for path in paths if path not in self._files]
        for path in paths:
            self._stamp(path)
        return [line for path in paths for line in parse(_text(path))]


def _reason(where: str, parameter: str, value: str) -> str:
    return (
        f"its definition may be another one for each client ({where}: `{parameter} = {value}`), but"
        " a copy has one for all; write what the share needs into its own section"
    )


def _text(path: str) -> str:
    """Empty if the file cannot be read, which Samba itself reports."""
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return file.read()
    except OSError:
        return ""
