"""Parses the configuration as `testparm` and libsmbconf's lp_dump print it.

Sections are in brackets; each parameter is a line `TAB name = value`. Samba's parser has
resolved the values: includes and copies are followed, synonyms have one spelling, lists and
booleans are normalised.
"""

from __future__ import annotations

import re
from typing import Dict, Iterable, Mapping

Parameters = Dict[str, str]

_SEPARATORS = frozenset(" \t,;")
_COMMAND_ITEM = re.compile(r'"([^"]*)"|([^ ]+)')
# "name=P_TYPE,FLAGS…", of the shares' parameters first.
_DECLARED = re.compile(r"^([^=\n]+)=(P_\w+),(?!.*FLAG_SYNONYM)", re.MULTILINE)
_LIST_ITEM = re.compile(r'"([^"]*)"|([^\s,;"]+)')


def sections(text: str) -> dict[str, Parameters]:
    """Section name -> its parameters, in Samba's order and spelling of the names."""
    found: dict[str, Parameters] = {}
    current: Parameters = {}
    for line in text.split("\n"):
        if line.startswith("[") and line.endswith("]"):
            current = found.setdefault(line[1:-1], {})
        elif line.startswith("\t") and "=" in line:
            name, value = line[1:].split("=", 1)
            current[parameter_name(name)] = value[1:]  # blanks in the registry belong to a value
    return found


def share_parameters(text: str) -> dict[str, str]:
    """Name -> type of the parameters of shares, from `testparm --show-all-parameters`."""
    local = text.partition("[global]")[0]
    return {parameter_name(name): kind for name, kind in _DECLARED.findall(local)}


def parameter_name(name: str) -> str:
    """One spelling for names that are equal for Samba, which ignores case and the blanks around
    the colon of a parametric option."""
    words = " ".join(name.lower().split())
    kind, colon, option = words.partition(":")
    return f"{kind.strip()}:{option.strip()}" if colon else words


def words(value: str) -> tuple[str, ...]:
    """The items of a list; an item in quotes may contain blanks."""
    return tuple(quoted or plain for quoted, plain in _LIST_ITEM.findall(value))


def command_words(value: str) -> tuple[str, ...]:
    """The items of a printed list of type P_CMDLIST. Samba separates them by one blank and quotes
    only items with blanks, so a comma belongs to an item."""
    return tuple(quoted or plain for quoted, plain in _COMMAND_ITEM.findall(value))


def joined(items: Iterable[str]) -> str:
    """A list for smb.conf that Samba reads as these items."""
    return " ".join(f'"{item}"' if _SEPARATORS & {*item} else item for item in items)


def options(parameters: Mapping[str, str], kind: str) -> Parameters:
    """The options of one namespace by name without prefix."""
    prefix = f"{kind}:"
    return {
        name[len(prefix) :]: value for name, value in parameters.items() if name.startswith(prefix)
    }


def with_veto(files: str, name: str) -> str:
    """`veto files` with one more name."""
    names = [each for each in files.split("/") if each and each != name]
    return "/".join(["", *names, name, ""])
