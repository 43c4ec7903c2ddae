"""Samba's own print of its configuration, as `testparm` and libsmbconf's lp_dump write it.

Sections in brackets, then `TAB name = value`, values already resolved by Samba's parser:
includes read, copies copied, synonyms in one spelling, lists and booleans normalised.
"""

from __future__ import annotations

import re
from typing import Dict, Mapping

Parameters = Dict[str, str]

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
            current[parameter_name(name)] = value.strip()
    return found


def parameter_name(name: str) -> str:
    """One spelling for names that Samba holds equal: it ignores case and the blanks around
    the colon of a parametric option."""
    words = " ".join(name.lower().split())
    kind, colon, option = words.partition(":")
    return f"{kind.strip()}:{option.strip()}" if colon else words


def is_yes(value: str) -> bool:
    return value.strip().lower() in ("yes", "true", "1", "on")


def words(value: str) -> tuple[str, ...]:
    """The items of a list value; quotes keep blanks together."""
    return tuple(quoted or plain for quoted, plain in _LIST_ITEM.findall(value))


def options(parameters: Mapping[str, str], kind: str) -> Parameters:
    """The parametric options of one namespace, without the prefix."""
    prefix = f"{kind}:"
    return {
        name[len(prefix) :]: value for name, value in parameters.items() if name.startswith(prefix)
    }
