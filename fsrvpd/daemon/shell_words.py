"""What becomes of a path on its way from Samba's vfs_shell_snap to `fsrvp-snap`.

Samba puts it behind the command, escapes the whole and hands it to a shell, which splits it
into words. Whoever is called sees these, and cannot put the path together again: blanks,
quotes and backslashes are gone. But it can be told which words a path becomes.

Observed in Samba 4.17, escape_shell_string of source3/lib/util_str.c: quotes and
backslashes keep their meaning for the shell; whatever else it might take for its own is
escaped, which turns a newline into nothing. In what is not UTF-8 Samba calls nobody.
"""

from __future__ import annotations

from typing import List, Optional

_BLANKS = " \t"
_MEANT = '$`"\\'  # what a backslash between double quotes takes the meaning from


def words_of(text: str) -> Optional[List[str]]:
    """The words that arrive, None where the shell would not start anything."""
    reader = _Reader()
    for letter in text:
        reader.take(letter)
    return reader.ended() if _is_utf_8(text) else None


class _Reader:
    def __init__(self) -> None:
        self._words: List[str] = []
        self._word: Optional[str] = None
        self._quote = ""
        self._escaped = False

    def take(self, letter: str) -> None:
        if self._escaped:
            self._escaped = False
            if self._quote and letter not in _MEANT + "\n":
                self._add("\\")
                self.take(letter)
            else:
                self._literally(letter)
        elif self._quote == "'":
            self._in_single_quotes(letter)
        elif letter == "\\":
            self._escaped = True
        elif self._quote:
            self._in_double_quotes(letter)
        else:
            self._outside(letter)

    def ended(self) -> Optional[List[str]]:
        if self._escaped:
            self._add("\\")
        if self._word is not None:
            self._words.append(self._word)
        return None if self._quote else self._words

    def _in_single_quotes(self, letter: str) -> None:
        if letter == "'":
            self._quote = ""
        else:
            self._add(letter)

    def _in_double_quotes(self, letter: str) -> None:
        if letter == '"':
            self._quote = ""
        else:
            self._literally(letter)

    def _outside(self, letter: str) -> None:
        if letter in "'\"":
            self._quote = letter
            self._add("")
        elif letter not in _BLANKS:
            self._literally(letter)
        elif self._word is not None:
            self._words.append(self._word)
            self._word = None

    def _literally(self, letter: str) -> None:
        """Behind a backslash: its own or Samba's. A newline goes with that."""
        if letter != "\n":
            self._add(letter)

    def _add(self, text: str) -> None:
        self._word = (self._word or "") + text


def _is_utf_8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
