"""Which files of a tree are cloned: `fsrvp:depth` and `fsrvp:include`."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple, Optional, Pattern

from fsrvpd.protocol.ports import Share

_WILDCARDS = {"*": ".*", "?": "."}


class FileFilter(NamedTuple):
    """`depth` is the number of directory levels that are cloned, level 1 being the share's
    own directory; 0 is all. `names` matches the whole names of files; None matches all."""

    depth: int = 0
    names: Optional[Pattern[str]] = None

    def enters(self, level: int) -> bool:
        """Whether directories at this level are cloned."""
        return not self.depth or level <= self.depth

    def matches(self, name: str) -> bool:
        """Whether a file is cloned."""
        return self.names is None or self.names.fullmatch(_composed(name)) is not None


EVERYTHING = FileFilter()


def filter_of(share: Share) -> FileFilter:
    """As the share's options say."""
    return FileFilter(share.settings.depth, names(share.settings.include))


def names(patterns: str) -> Optional[Pattern[str]]:
    """Patterns in the manner of `veto files`, /*.vhdx/*.avhdx/, in which * matches any
    characters and ? one; case does not matter. None where there are no patterns."""
    given = [pattern for pattern in _composed(patterns.strip()).split("/") if pattern]
    if not given:
        return None
    return re.compile("|".join(map(_expression, given)), re.IGNORECASE | re.DOTALL)


def _expression(pattern: str) -> str:
    return "".join(_WILDCARDS.get(letter) or re.escape(letter) for letter in pattern)


def _composed(text: str) -> str:
    """A letter and its accent as one character: a Mac may have written two."""
    return unicodedata.normalize("NFC", text)
