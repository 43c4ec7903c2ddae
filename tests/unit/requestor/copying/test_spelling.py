"""Names that are one in a directory here."""

from __future__ import annotations

import errno
import os
import unicodedata
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import pytest

from fsrvpd.requestor.copying.local_directory import LocalDirectory, open_directory
from fsrvpd.requestor.copying.spelling import Spellings


class Folding(LocalDirectory):
    """Has one name, and finds it in every spelling that `fold` makes the same."""

    def __init__(self, name: str, fold: Callable[[str], str]) -> None:
        self._name, self._fold = name, fold

    def status(self, name: str) -> Optional[os.stat_result]:
        if len(name.encode()) > 255:
            raise OSError(errno.ENAMETOOLONG, "File name too long")
        return os.stat("/") if self._fold(name) == self._fold(self._name) else None

    def names(self) -> Iterator[str]:
        yield self._name


def fold_unicode(name: str) -> str:
    return unicodedata.normalize("NFD", name).casefold()


@pytest.mark.parametrize(
    ("fold", "there", "name"),
    [
        (str.lower, "File", "FILE"),
        (str.lower, "straße", "Straße"),
        (str.lower, "ЖУК", "жук"),
        (fold_unicode, "gru\u0308n", "gr\u00fcn"),
        (fold_unicode, "\u30ab\u3099", "\u30ac"),
        (lambda name: name.rstrip(". "), "1", "1."),
    ],
)
def test_another_spelling_of_what_is_there_is_taken(fold: Any, there: str, name: str) -> None:
    spellings = Spellings(Folding(there, fold))
    assert spellings.is_taken(name)
    assert not spellings.is_taken(there), "it is that itself"
    assert not spellings.is_taken("other")


def test_a_long_name_has_no_longer_spelling() -> None:
    name = "\u00fc" * 127
    assert not Spellings(Folding(name, fold_unicode)).is_taken(name)


def test_where_case_matters_nothing_is_taken(tmp_path: Path) -> None:
    folder = open_directory(str(tmp_path))
    spellings = Spellings(folder)
    for name in ("a", "A", "1"):
        assert not spellings.is_taken(name)
        (tmp_path / name).touch()
        assert not spellings.is_taken(name)
    folder.close()
