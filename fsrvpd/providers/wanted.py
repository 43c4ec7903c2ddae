"""What of a directory tree belongs to the backup: `fsrvp:depth` and `fsrvp:include`."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import NamedTuple, Optional, Pattern

_WILDCARDS = {"*": ".*", "?": "."}


class Wanted(NamedTuple):
    """`depth` is how many levels of directories are wanted, the share's own the first of
    them; 0 is all. `names` matches the whole names of the files that are, None all."""

    depth: int = 0
    names: Optional[Pattern[str]] = None

    def descends(self, path: str) -> bool:
        """Whether the directory at `path` below the share's is wanted."""
        return not self.depth or path.count("/") + 2 <= self.depth

    def takes(self, entry: os.DirEntry[str]) -> bool:
        """Whether an entry is to be looked at. All directories are: they lead to files."""
        if self.names is None or entry.is_dir(follow_symlinks=False):
            return True
        return self.names.fullmatch(_composed(entry.name)) is not None


EVERYTHING = Wanted()


def names(patterns: str) -> Optional[Pattern[str]]:
    """Names in the manner of `veto files`, /*.vhdx/*.avhdx/, in which * stands for any
    letters and ? for one, large or small alike. None where there are no patterns."""
    given = [pattern for pattern in _composed(patterns.strip()).split("/") if pattern]
    if not given:
        return None
    return re.compile("|".join(map(_expression, given)), re.IGNORECASE | re.DOTALL)


def _expression(pattern: str) -> str:
    return "".join(_WILDCARDS.get(letter) or re.escape(letter) for letter in pattern)


def _composed(text: str) -> str:
    """A letter and its accent as one: a Mac may have written them apart."""
    return unicodedata.normalize("NFC", text)
