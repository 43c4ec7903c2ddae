"""Names that a directory here takes for one: file systems may ignore case, as those of Windows do,
the form of Unicode, or dots at the end."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from typing import FrozenSet, Iterator, Optional

from fsrvpd.requestor.copying.local_directory import LocalDirectory

_ASCII = {ord(each): each.swapcase() for each in map(chr, range(128)) if each.isalpha()}


class Spellings:
    """Of one directory, as its names were when this was first in question."""

    def __init__(self, folder: LocalDirectory) -> None:
        self._folder = folder
        self._names: Optional[FrozenSet[str]] = None

    def is_taken(self, name: str) -> bool:
        """Whether what has this name here has it in another spelling. Raises: OSError."""
        if self._folder.status(name) is None:
            return False
        # Most directories tell all spellings apart: their names need not be read.
        if not any(map(self._is_there, _others(name))):
            return False
        if self._names is None:
            self._names = frozenset(self._folder.names())
        return name not in self._names

    def _is_there(self, name: str) -> bool:
        """Not what is too long to be a name."""
        with suppress(OSError):
            return self._folder.status(name) is not None
        return False


def _others(name: str) -> Iterator[str]:
    """Spellings that mean the same wherever two of them do."""
    for other in (
        name.translate(_ASCII),
        "".join(each.swapcase() if len(each.swapcase()) == 1 else each for each in name),
        unicodedata.normalize("NFC", name),
        unicodedata.normalize("NFD", name),
        name.rstrip(". "),
    ):
        if other and other != name:
            yield other
