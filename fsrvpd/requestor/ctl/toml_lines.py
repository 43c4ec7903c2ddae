"""Where a key stands in a TOML file: tomllib does not say."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Mapping, Sequence

# Python has it since 3.11; before that the package of the same author.
toml: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


def line_of(text: str, path: Sequence[str]) -> int:
    """The line, from 1, at which the statement begins that defines a key of a valid text.

    The beginnings of the text are parsed: a statement ends with the first one that has its key,
    and begins after the longest one before that is valid.
    """
    lines = text.splitlines(keepends=True)
    begin = 0
    for number in range(1, len(lines) + 1):
        try:
            document = toml.loads("".join(lines[:number]))
        except toml.TOMLDecodeError:
            continue  # inside of a statement
        if _has(document, path):
            return begin + 1
        begin = number
    return max(len(lines), 1)


def _has(document: Any, path: Sequence[str]) -> bool:
    for key in path:
        if not isinstance(document, Mapping) or key not in document:
            return False
        document = document[key]
    return True
