"""The words into which a path is split on its way from Samba's vfs_shell_snap to `fsrvp-snap`.

Samba appends the path to the command, escapes the whole and passes it to a shell, which splits
it into words. The path cannot be restored from the words, since blanks, quotes and backslashes
are lost; but the words that a given path becomes can be computed.

Observed in Samba 4.17, escape_shell_string of source3/lib/util_str.c: quotes and
backslashes keep their meaning for the shell; every other special character is escaped, which
removes a newline. For text that is not UTF-8 Samba calls no command.
"""

from __future__ import annotations

from typing import List, Optional

_BLANKS = " \t"
_SPECIAL = '$`"\\'  # what a backslash escapes between double quotes


def words_of(text: str) -> Optional[List[str]]:
    """The words that arrive, None when the shell would not run the command."""
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
            if self._quote and letter not in _SPECIAL + "\n":
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
        """After a backslash, its own or Samba's; an escaped newline disappears."""
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
